"""A member's standing link to the hub: kept, restored with jitter, and telling what it waits for.

Between two tries it waits a random time of at most three seconds (full jitter), so that a thousand members do not come
back in the same instant after the hub restarted, and all are back within ten seconds. Rule: nothing the hub sends or
leaves out ends the keeping, or the node would go on alone without anybody noticing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from lanline.clean import clean
from lanline.errors import CallError, LanlineError, RemoteProtocolError
from lanline.link.call import Call
from lanline.link.link import Link
from lanline.room.presence import News, Report, RosterParts, decode_news

log = logging.getLogger("lanline.room")

MAX_PAUSE: Final = 3.0
"""Seconds between two tries, at most."""

ATTEND: Final = "room.attend"


class HubLink:
    """Keeps a link to the hub.

    Args:
        hub: the hub's name.
        connect: opens a link with it, or raises ConnectFailed.
        report: what to say of this node; asked anew at each try.
        learn: takes the hub's news; a roster only when it is whole.
        away: called when the hub goes away.
    """

    def __init__(
        self,
        hub: str,
        connect: Callable[[str], Awaitable[Link]],
        report: Callable[[], Report],
        learn: Callable[[News], None],
        away: Callable[[], None],
    ) -> None:
        self._hub = hub
        self._connect = connect
        self._report = report
        self._learn = learn
        self._away = away
        self._roster = RosterParts()
        self._call: Call | None = None
        self._is_renewing = False
        self.waiting_for = f"the hub {hub}"
        """What this node waits for, in words; empty when the link is there."""

    def __repr__(self) -> str:
        return f"<HubLink {self.waiting_for or 'there'}>"

    @property
    def is_there(self) -> bool:
        """Whether the hub is connected."""
        return not self.waiting_for

    def report_anew(self) -> None:
        """This node has changed: the hub is told."""
        if self._call is not None:
            self._is_renewing = True
            self._call.cancel("the report has changed")

    async def keep(self) -> None:
        """Runs as long as the node does."""
        while True:
            try:
                link = await self._connect(self._hub)
                while True:
                    await self._attend(link)
            except LanlineError as error:
                self._lost(error)
            await asyncio.sleep(random.uniform(0, MAX_PAUSE))  # noqa: S311 - spreads tries, guards nothing

    async def _attend(self, link: Link) -> None:
        """Hears the hub's news on one call. Returns only to be called again with a new report."""
        self._is_renewing = False
        self._roster = RosterParts()
        try:
            async with link.open(ATTEND, self._report(), last=True) as self._call:
                async for item in self._call:
                    self._take(item)
            raise RemoteProtocolError("the hub has ended the call by which this node is there")
        except CallError:
            if not self._is_renewing:
                raise
        finally:
            self._call = None

    def _take(self, item: bytes) -> None:
        try:
            news = decode_news(item)
        except (msgspec.MsgspecError, TypeError) as error:
            raise RemoteProtocolError(f"the hub's news cannot be read: {error}") from error
        if self.waiting_for:
            log.info("the hub %s is there", clean(self._hub))
            self.waiting_for = ""
        self._learn(msgspec.structs.replace(news, roster=self._roster.add(news) or b"", roster_bytes_left=0))

    def _lost(self, error: LanlineError) -> None:
        if not self.waiting_for:
            log.warning("the hub %s is away: %s", clean(self._hub), clean(str(error)))
            self._away()
        self.waiting_for = f"the hub {self._hub}: {error}"
