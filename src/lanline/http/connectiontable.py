"""The table of all connections of one server, what they share (the site, the limits), and who is idle or too slow.

One timer looks at all of them, a few times per shortest limit: a timer for each would be armed and cancelled with every
request. It ends nothing by itself; each connection judges itself in `check`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from lanline.http.buffers import Buffers
from lanline.transport.quiet import QuietLog

if TYPE_CHECKING:
    from lanline.http.answering import Site
    from lanline.http.connection import Connection
    from lanline.http.exchange import Heard
    from lanline.http.limits import HttpLimits

_LONGEST_PERIOD: Final = 1.0
_LOOKS_PER_LIMIT: Final = 4


class ConnectionTable:
    """All connections of one server, and what they share.

    Args:
        site: answers requests.
        limits: whose times are watched.
        max_connections: how many may be open before newcomers are told 503.
        heard: told of each request; None tells nobody.
    """

    def __init__(self, site: Site, limits: HttpLimits, max_connections: int, heard: Heard | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.site = site
        self.limits = limits
        self.heard = heard
        self.buffers = Buffers()
        self.faults = QuietLog(logging.getLogger("lanline.http"))
        # aiohttp's RequestHandler asks its server for these two when it is made; neither is called.
        self.request_handler = self.request_factory = None
        self._most = max_connections
        self._open: dict[Connection, str] = {}  # with the address of each; the one that came first is first
        self._from: Counter[str] = Counter()
        self._idle: dict[Connection, None] = {}  # the one that has been idle longest first
        shortest = min(limits.header, limits.stall, limits.idle, limits.linger)
        self._period = min(_LONGEST_PERIOD, shortest / _LOOKS_PER_LIMIT)
        self._timer: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()
        self._is_closing = False

    @property
    def connections(self) -> list[Connection]:
        """Everyone connected now."""
        return list(self._open)

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than there should be."""
        return len(self._open) > self._most

    def admit(self, connection: Connection, host: str) -> bool:
        """Takes a newcomer in. False when there are too many, and nobody makes room.

        Args:
            connection: the newcomer.
            host: its IP address, without port; empty where it has none. A whole address, as in `transport.ledger`.
        """
        self._open[connection] = host
        self._from[host] += 1
        if self._is_closing:
            connection.leave()
        if self._timer is None:
            self._timer = self.loop.call_later(self._period, self._look)
        if not self.is_full:
            return True
        eldest = next(iter(self._idle), None)
        if eldest is None:
            return self._takes_place(host)
        del self._idle[eldest]
        eldest.leave()
        return True

    def _takes_place(self, host: str) -> bool:
        """Everybody is being answered: whoever has most connections gives one up to who has less than half as many.

        Otherwise one machine that reads slowly could keep all others out for as long as it likes.
        """
        greediest, count = self._from.most_common(1)[0]
        if 2 * self._from[host] > count:
            return False
        for connection, its in self._open.items():
            if its == greediest and connection.transport is not None and not connection.transport.is_closing():
                connection.cut()
                return True
        return False

    def forget(self, connection: Connection) -> None:
        """A connection is over."""
        host = self._open.pop(connection, None)
        if host is not None:
            self._from[host] -= 1
            if not self._from[host]:
                del self._from[host]
        self._idle.pop(connection, None)
        if not self._open:
            self._emptied.set()

    def rests(self, connection: Connection) -> None:
        """It waits for a request: it may have to make room, once those that rest longer are gone."""
        self._idle[connection] = None

    def works(self, connection: Connection) -> None:
        """A request of it is under way."""
        self._idle.pop(connection, None)

    async def close(self, drain: float) -> None:
        """Lets answers under way finish, for so many seconds; then cuts what is left, and waits until it is gone.

        Cancelled, it cuts at once and waits for nothing; calling it again waits.
        """
        self._is_closing = True
        for connection in self.connections:
            connection.leave()
        try:
            async with asyncio.timeout(drain):
                await self._wait_empty()
        except TimeoutError:
            pass  # what is left is cut
        finally:
            self._cut_all()
        await self._wait_empty()
        self.faults.flush(self.loop.time())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_all(self) -> None:
        for connection in self.connections:
            connection.cut()
            if connection.task is not None:
                connection.task.cancel()

    async def _wait_empty(self) -> None:
        if self._open:
            self._emptied.clear()
            await self._emptied.wait()

    def _look(self) -> None:
        self._timer = self.loop.call_later(self._period, self._look) if self._open else None
        now = self.loop.time()
        for connection in self.connections:
            connection.check(now)

    def __repr__(self) -> str:
        return f"<ConnectionTable {len(self._open)} connections, {len(self._idle)} idle, limit {self._most}>"
