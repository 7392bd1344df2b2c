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
"""Links being opened at once: enough for a fan-out to a thousand machines in half a second, few enough to leave the
loop its turns."""

Connect = Callable[[str], Awaitable[Link]]


class LinkBook:
    """Live links by the name of the member.

    Args:
        connect: opens a link to a member, or raises ConnectFailed. It gets into the book by `add`.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._links: dict[str, list[Link]] = {}
        self._used: dict[Link, tuple[int, float]] = {}
        self._opening: dict[str, asyncio.Task[Link]] = {}
        self._slots = asyncio.Semaphore(MAX_HANDSHAKES)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<LinkBook members={len(self._links)} opening={len(self._opening)}>"

    def add(self, link: Link) -> None:
        """A link with a member has opened, whoever opened it."""
        self._links.setdefault(link.caller.name, []).append(link)

    def discard(self, link: Link) -> None:
        """It is gone, or will be added again under another name."""
        self._used.pop(link, None)
        # Its caller may have been renamed since it was added, but nearly never was.
        name = link.caller.name
        if link not in self._links.get(name, ()):
            name = next((name for name, links in self._links.items() if link in links), "")
        if name:
            self._links[name].remove(link)
            if not self._links[name]:
                del self._links[name]

    def all(self) -> list[Link]:
        """Every live link."""
        return [link for links in self._links.values() for link in links]

    def live(self, name: str) -> Link | None:
        """The best live link with a member: one that was measured, else the newest; None when no call can be made."""
        usable = [link for link in self._links.get(name, ()) if link.is_open and link.caller.role is not None]
        return max(reversed(usable), key=lambda link: link.round_trip is not None, default=None)

    async def to(self, name: str) -> Link:
        """A link with a member; several who ask at once share one attempt.

        Raises:
            ConnectFailed: it cannot be reached, with the reason; or this node is stopping.
        """
        link = self.live(name)
        if link is not None:
            return link
        if self._is_closed:
            raise _stopping()
        task = self._opening.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(name))
            self._opening[name] = task
            task.add_done_callback(lambda done: self._opened(name, done))
        try:
            # Shielded: one who no longer waits must not end the attempt of the others.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._is_closed:
                raise _stopping() from None
            raise

    async def close_idle(self, is_needed: Callable[[Link], bool], *, now: float) -> int:
        """Closes links that carried no call for IDLE_AFTER seconds; says how many. To be called about once a minute.

        Args:
            is_needed: for links that stay however idle.
            now: seconds on a clock that only goes forward.
        """
        idle = [link for link in self.all() if self._is_idle(link, now) and not is_needed(link)]
        for link in idle:
            log.debug("the idle link with %s is closed", clean(link.caller.name))
        await asyncio.gather(*(link.close("idle for ten minutes") for link in idle))
        return len(idle)

    async def close(self) -> None:
        """Ends all attempts and links; none is opened any more."""
        self._is_closed = True
        attempts = list(self._opening.values())
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
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
            # One that came in while this attempt waited for its turn does as well.
            return self.live(name) or await self._connect(name)

    def _opened(self, name: str, task: asyncio.Task[Link]) -> None:
        del self._opening[name]
        if not task.cancelled() and isinstance(task.exception(), ConnectFailed):
            log.debug("%s cannot be reached: %s", clean(name), clean(str(task.exception())))


def _stopping() -> ConnectFailed:
    return ConnectFailed("this node is stopping", advice="")
