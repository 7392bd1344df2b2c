"""The links of one node to members: found when there is one, opened when there is none, closed when idle.

A link serves both directions, so an incoming one is used as well as one of our own. Direct: nothing is relayed. Two
members may for a moment have two links (each opened one); both work, and the idle one goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lanline.clean import clean
from lanline.errors import ConnectFailed
from lanline.link.link import Link

log = logging.getLogger("lanline.room")

IDLE_AFTER: Final = 600.0
"""Seconds without a call after which a link that nobody needs is closed."""

MAX_HANDSHAKES: Final = 128
"""Links being opened at once: enough for a fan-out to a thousand machines in half a second, few enough to leave the loop
its turns."""

Connect = Callable[[str], Awaitable[Link]]


class LinkBook:
    """Live links by the name of the member.

    Args:
        connect: opens a link to a member, or raises ConnectFailed.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._links: dict[str, list[Link]] = {}
        self._used: dict[Link, tuple[int, float]] = {}
        self._opening: dict[str, asyncio.Task[Link]] = {}
        self._slots = asyncio.Semaphore(MAX_HANDSHAKES)

    def __repr__(self) -> str:
        return f"<LinkBook members={len(self._links)} opening={len(self._opening)}>"

    def add(self, link: Link) -> None:
        """A link with a member has opened, whoever opened it."""
        self._links.setdefault(link.caller.name, []).append(link)

    def discard(self, link: Link) -> None:
        """It is gone."""
        self._used.pop(link, None)
        for name in [name for name, links in self._links.items() if link in links]:
            self._links[name].remove(link)
            if not self._links[name]:
                del self._links[name]

    def all(self) -> list[Link]:
        """Every live link."""
        return [link for links in self._links.values() for link in links]

    def live(self, name: str) -> Link | None:
        """The best live link with a member: the one that was measured, else the newest."""
        usable = [link for link in self._links.get(name, ()) if link.is_open]
        return max(usable, key=lambda link: link.round_trip is not None, default=None)

    async def to(self, name: str) -> Link:
        """A link with a member; several who ask at once share one attempt.

        Raises:
            ConnectFailed: it cannot be reached, with the reason.
        """
        link = self.live(name)
        if link is not None:
            return link
        task = self._opening.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(name))
            self._opening[name] = task
            task.add_done_callback(lambda done: self._opened(name, done))
        return await asyncio.shield(task)

    async def close_idle(self, is_needed: Callable[[Link], bool], *, now: float) -> int:
        """Closes links that carried no call for IDLE_AFTER seconds; says how many. To be called about once a minute."""
        idle = [link for link in self.all() if self._is_idle(link, now) and not is_needed(link)]
        for link in idle:
            log.debug("the idle link with %s is closed", clean(link.caller.name))
            await link.close("idle for ten minutes")
        return len(idle)

    async def close(self) -> None:
        """Ends all attempts and links."""
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        await asyncio.gather(*(link.close("this node is stopping") for link in self.all()))

    def _is_idle(self, link: Link, now: float) -> bool:
        figures = link.statistics()
        used = figures.asked + figures.served
        before, since = self._used.get(link, (-1, now))
        if used != before or figures.under_way:
            self._used[link] = (used, now)
            return False
        return since + IDLE_AFTER < now

    async def _open(self, name: str) -> Link:
        async with self._slots:
            return await self._connect(name)

    def _opened(self, name: str, task: asyncio.Task[Link]) -> None:
        self._opening.pop(name, None)
        if not task.cancelled() and isinstance(task.exception(), ConnectFailed):
            log.info("%s cannot be reached: %s", clean(name), clean(str(task.exception())))
