"""The accept loop: takes connections from listening sockets and keeps strangers few.

asyncio's own loop, met by 1,000 silent connections with 256 descriptors, fails good clients and writes
megabytes of tracebacks (benchmarks/flood.py measures it). This one holds a descriptor in reserve, catches
what accept(2) raises, drops the oldest stranger for a newer one, and logs a line a second at most. It decides
nothing about messages and little by itself: who goes is `ledger.py`, which protocol is `entrance.py`, the way
of one connection is `newcomer.py`.

Source: accept(2) "Error handling": errors of the new connection are not errors of the listener.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from lanline.address import Address
from lanline.limits import Limits
from lanline.transport.base import ListenerStatistics, tls_words
from lanline.transport.entrance import Entrance
from lanline.transport.ledger import Ledger, Standing
from lanline.transport.newcomer import Newcomer
from lanline.transport.peernames import internet_peer_text, peer_process, plain_host, unix_peer_text
from lanline.transport.quiet import QuietLog
from lanline.transport.shortage import LONGEST_PAUSE, SHORTAGES, SHORTEST_PAUSE, Reserve, descriptors

_LOG: Final = logging.getLogger("lanline.transport")

_BATCH: Final = 64
"""Accepts for one wake-up: enough for a burst, few enough that others have their turn in a millisecond."""


class AcceptLoop:
    """A `Listener` over one or more listening sockets that share their limits.

    Args:
        sockets: bound, listening and non-blocking; owned by this object from now on.
        addresses: what to show for them, real ports included.
        entrances: what the port offers; one with an empty prefix alone means that nothing is peeked.
        sign: one line, with its line end, for whoever begins with bytes that no open entrance claims.
        limits: in force for the life of the listener.
        on_stop: called once when the sockets are closed (a Unix socket removes its name there).
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        addresses: Sequence[Address],
        entrances: Sequence[Entrance],
        *,
        sign: bytes,
        limits: Limits,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self.entrances: Sequence[Entrance] = tuple(entrances)
        self.sign = sign
        self.scheme = addresses[0].scheme if addresses[0].scheme != "tls" else "tcp"
        self._sockets = list(sockets)
        self._addresses = tuple(addresses)
        self._on_stop = on_stop
        self._ledger: Ledger[Newcomer] = Ledger(limits, descriptors=descriptors())
        self._quiet = QuietLog(_LOG)
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadline: asyncio.TimerHandle | None = None
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._pause = SHORTEST_PAUSE
        self._reserve = Reserve()
        self._accepted = self._refused = self._dropped = 0
        self._accept_errors = self._failed_handshakes = self._turned_away = 0
        for sock in self._sockets:
            self._watch(sock)

    # Listener

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with the real port in place of 0."""
        return self._addresses

    def stop_accepting(self) -> None:
        """Closes the listening sockets. Whoever is on the way in stays, and its deadline too."""
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            self.loop.remove_reader(sock.fileno())
            pause = self._pauses.pop(sock, None)
            if pause is not None:
                pause.cancel()
            sock.close()
        if sockets and self._on_stop is not None:
            self._on_stop()
        self._reserve.close()

    async def close(self) -> None:
        """Stops accepting, drops every stranger, waits for handshakes under way to be gone."""
        self.stop_accepting()
        for newcomer in self._ledger.all_strangers():
            newcomer.drop()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        # Each is cancelled by its newcomer's drop, or past its handshake and done in this turn of the loop.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._quiet.flush(self.loop.time())

    def statistics(self) -> ListenerStatistics:
        """The counters, as they are now."""
        return ListenerStatistics(
            accepted=self._accepted,
            refused=self._refused,
            dropped_strangers=self._dropped,
            strangers=self._ledger.strangers,
            connections=self._ledger.connections,
            accept_errors=self._accept_errors,
            failed_handshakes=self._failed_handshakes,
            turned_away=self._turned_away,
        )

    def __repr__(self) -> str:
        where = ", ".join(map(str, self._addresses))
        state = "" if self._sockets else " stopped"
        ledger = self._ledger
        return f"<AcceptLoop {where}{state}: {ledger.connections} connections, {ledger.strangers} strangers>"

    # House, for the newcomers

    def welcome(self, newcomer: Newcomer, member: str | None) -> bool:
        """A newcomer's peer is known."""
        if self._ledger.welcome(newcomer, member):
            return True
        self._refused += 1
        if member is not None and newcomer.standing is not Standing.GONE:  # else it was dropped a moment ago
            text = f"member {member} has {self.limits.max_connections_per_member} connections, limit per member"
            self._warn("member", f"refused {newcomer.peer_address}: {text}")
        return False

    def forget(self, newcomer: Newcomer) -> None:
        """A newcomer, or what became of it, is gone."""
        self._ledger.forget(newcomer)

    def handshake_failed(self, newcomer: Newcomer, error: Exception) -> None:
        """Counts it and says why, in the log of this side: TLS tells the other side little."""
        self._failed_handshakes += 1
        self._warn("handshake", f"TLS handshake with {newcomer.peer_address} failed: {tls_words(error)}")

    def factory_failed(self, newcomer: Newcomer, error: Exception) -> None:
        """A fault of ours, not of the peer: one line, and the traceback for whoever debugs."""
        self._refused += 1
        _LOG.debug("the protocol factory failed", exc_info=error)
        self._warn("factory", f"no protocol for {newcomer.peer_address}: {type(error).__name__}: {error}")

    def turned_away(self, newcomer: Newcomer) -> None:
        """Counts it; a scanner's visit is no trouble worth a line."""
        self._turned_away += 1

    def own(self, task: asyncio.Task[None]) -> None:
        """Keeps the task until it is done; `close` awaits it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Accepting

    def _watch(self, sock: socket.socket) -> None:
        self._pauses.pop(sock, None)
        self.loop.add_reader(sock.fileno(), self._acceptable, sock)

    def _acceptable(self, sock: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                accepted, name = sock.accept()
            except (BlockingIOError, InterruptedError):
                break
            except ConnectionAbortedError:
                continue  # it left while it waited in the queue
            except OSError as error:
                if not self._overcome(sock, error):
                    break
                continue
            self._accepted += 1
            self._pause = SHORTEST_PAUSE
            self._admit(accepted, name)
        self._arm_deadline()

    def _overcome(self, sock: socket.socket, error: OSError) -> bool:
        """accept(2) failed. True when it is worth trying again at once."""
        self._accept_errors += 1
        self._warn("accept", f"accept on {self._addresses[0]}: {error.strerror}")
        if error.errno in SHORTAGES:
            victim = self._ledger.victim()
            if victim is not None:
                is_free = victim.frees_at_once
                self._drop(victim)
                if is_free:
                    return True
            elif self._refuse_with_reserve(sock):
                return True
        self._rest(sock)
        return False

    def _refuse_with_reserve(self, sock: socket.socket) -> bool:
        """Nobody to drop: tells one newcomer by closing."""
        if not self._reserve.refuse_one(sock):
            return False
        self._refused += 1
        return True

    def _rest(self, sock: socket.socket) -> None:
        """Lets a lasting shortage last without burning a processor: 20 ms, then twice as long, up to 1 s."""
        self.loop.remove_reader(sock.fileno())
        self._pauses[sock] = self.loop.call_later(self._pause, self._watch, sock)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)

    def _admit(self, sock: socket.socket, name: object) -> None:
        newcomer = self._newcomer(sock, name)
        admission = self._ledger.admit(newcomer)
        if admission.refusal:
            self._refused += 1
            self._warn("full", f"refused {newcomer.peer_address}: {admission.refusal}")
            sock.close()
            return
        if admission.victim is not None:
            self._drop(admission.victim)
        newcomer.begin()

    def _newcomer(self, sock: socket.socket, name: object) -> Newcomer:
        sock.setblocking(False)
        now = self.loop.time()
        if isinstance(name, tuple):
            # Thousands of clients of one machine share its name.
            host = sys.intern(plain_host(name[0]))
            return Newcomer(self, sock, internet_peer_text(self.scheme, name), host, None, now)
        uid, process = peer_process(sock)
        text = unix_peer_text(self._addresses[0].path, uid, process)
        return Newcomer(self, sock, text, "", uid, now)

    # Dropping

    def _drop(self, newcomer: Newcomer) -> None:
        self._dropped += 1
        self._warn("stranger", f"dropped {newcomer.peer_address}, the oldest of too many strangers")
        newcomer.drop()

    def _arm_deadline(self) -> None:
        """One timer for all: strangers have the same time to live, so the oldest is the next to go."""
        when = self._ledger.next_deadline()
        if when is not None and self._deadline is None:
            self._deadline = self.loop.call_at(when, self._deadline_passed)

    def _deadline_passed(self) -> None:
        self._deadline = None
        for newcomer in self._ledger.overdue(self.loop.time()):
            self._dropped += 1
            seconds = f"{self.limits.handshake:g} s"
            self._warn("late", f"dropped {newcomer.peer_address}: not welcomed within {seconds}")
            newcomer.expire()
        self._arm_deadline()

    def _warn(self, kind: str, text: str) -> None:
        self._quiet.warn(kind, text, self.loop.time())
