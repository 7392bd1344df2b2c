"""One file, one complete download, then gone: who may take it, and when it has been taken.

It stands around the site. Rules (decision 104):

- One visitor at a time, told apart by address: else two could have all of it in the same moment. Others hear 503
  meanwhile, and may come again, for whoever breaks off has not taken it.
- It is taken when that visitor's system has confirmed every byte, in one answer or in ranges: eight connections count
  as one. A file that has changed in between counts anew.
- Of an answer that was cut nobody here knows how much was kept. The visitor does: who asks for the rest from byte N on
  has what is before, if his system had confirmed as much; also where he asked before the cut, over another connection.
- Over TLS the system counts records, not bytes of the file; how much of it they carry is known to within 0.2 percent.
- Nobody collects all but the last byte, visitor after visitor: bytes that went out count in all, whole or cut. Another
  visitor may take over while they are no more than half of the file; from then on it is for whoever holds it, and
  others hear 409. So one visitor at most has more than half, and all others together have half at most.
- Several ranges at once are refused with 416: how much of such an answer arrived cannot be told from its length, and no
  downloading program asks so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from lanline.http.exchange import Request
from lanline.http.refusal import Refusal
from lanline.services.share.answers.delivery import deliver
from lanline.services.share.answers.embedded import check_wanted
from lanline.transport.unconfirmed import Unconfirmed

if TYPE_CHECKING:
    from lanline.beneath.names import Names
    from lanline.http.answering import Site
    from lanline.services.share.target import Target

_PART: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_RETRY_AFTER: Final = 5
_MOST_CUTS: Final = 256
_RECORD_BYTES: Final = 16_384
"""Content of a TLS record at most (RFC 8446, section 5.1)."""
_TLS_FRAME_BYTES: Final = 22
"""Around it: 5 bytes of header, 1 of type, 16 of tag (sections 5.2 and 5.3)."""


class Once:
    """Lets one visitor take one file.

    Args:
        names: of the file.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._holder = ""
        self._claims: set[int] = set()
        """The requests for the file that are under way, by identity."""
        self._parts = Parts()
        self._begins: list[int] = []
        """Where the parts began that he asked for."""
        self._cuts: list[tuple[int, int]] = []
        """Where answers that were cut began, and how far they came at most."""
        self._tag = ""
        self._size = 0
        self._given_bytes = 0
        """How much of this state of the file went out, to all visitors together; what went out twice counts twice."""
        self.taken_by: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """The address of whoever has all of it, once somebody does."""

    def guard(self, request: web.BaseRequest, target: Target) -> None:
        """For the site, behind the other guards: takes hold of the file for this visitor.

        Raises:
            Refusal: 410 when it is gone, 503 while another visitor takes it, 409 where most of it went to another; 416
                for several ranges at once; 403 for an archive, in which everybody could have it as often as he likes,
                and for what a page of another site fetches.
        """
        if target.names != self._names and (target.asks("zip") or target.asks("tar")):
            raise Refusal(403, "This is shared for one download: take the file itself.")
        if request.method != "GET" or target.names != self._names:
            return
        check_wanted(request.headers)
        visitor = request.remote or ""
        if self.taken_by.done() and visitor != self.taken_by.result():
            raise Refusal(410, "This was shared for one download, and somebody has it.")
        if self._claims and visitor != self._holder:
            text = "This is shared for one download, and somebody takes it just now."
            raise Refusal(503, text, headers={"Retry-After": str(_RETRY_AFTER)})
        if visitor != self._holder and 2 * self._given_bytes > self._size:
            raise Refusal(409, "This is shared for one download, and most of it went out to somebody else.")
        if _count_ranges(request.headers.get("Range", "")) > 1:
            raise Refusal(416, "This is shared for one download: ask for one range at a time.")
        if visitor != self._holder:
            self._holder = visitor
            self._forget_parts()
        self._claims.add(id(request))

    def around(self, site: Site) -> Site:
        """The same site, watched: who has asked for the file, and whether it has arrived."""

        async def watched(request: web.BaseRequest) -> web.StreamResponse:
            try:
                with Unconfirmed(request.transport) as line:
                    before, is_whole = line.written_bytes(), False
                    framing = framing_of(request)
                    try:
                        response = await site(request)
                        if id(request) in self._claims:
                            await self._deliver(request, response)
                        is_whole = True
                        return response
                    finally:  # a file that fails in the middle has gone out as far as it came, too
                        if not is_whole and id(request) in self._claims:
                            after = line.confirmed_bytes()
                            arrived = None if before is None or after is None else max(0, after - before)
                            self._broken_off(request, arrived, framing)
            finally:
                self._claims.discard(id(request))

        return watched

    async def _deliver(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        await deliver(request, response)
        part = _part_of(response.status, response.headers)
        if part is None:
            return
        self._have(request, part)

    def _arrived(self, part: Part) -> None:
        """Notes a part that has arrived, and what this visitor must have had before, for he asked for no more."""
        if part.tag != self._tag:
            self._forget_parts()
            self._tag, self._size, self._given_bytes = part.tag, part.size, 0
        for begin, end in self._cuts:
            if begin <= part.begin <= end:
                self._parts.add(begin, part.begin)
        self._parts.add(part.begin, part.end)
        self._begins = [*self._begins, part.begin][-_MOST_CUTS:]

    def _broken_off(self, request: web.BaseRequest, arrived: int | None, framing: Framing | None) -> None:
        """Notes an answer that was cut: how far it can have come.

        Args:
            request: that was answered.
            arrived: bytes on the wire that were confirmed of the answer; None where the system does not say.
            framing: of the wire; None where nobody knows.
        """
        if not isinstance(request, Request) or request.answered_headers is None:
            return
        part = _part_of(request.answered_status, request.answered_headers)
        if part is None:
            return
        if arrived is None or framing is None:  # all of it may have come
            self._arrived(part._replace(end=part.begin))
            self._given_bytes += part.end - part.begin
            return
        writer = request.writer
        if writer.length == 0 and arrived >= framing.wire_bytes(writer.output_size):
            request.has_arrived = True
            self._have(request, part)  # he has all of it, and closed before that was looked at
            return
        self._arrived(part._replace(end=part.begin))
        end = min(part.end, part.begin + framing.content_bytes(arrived))
        self._given_bytes += end - part.begin
        self._cuts = [*self._cuts, (part.begin, end)][-_MOST_CUTS:]
        for begin in self._begins:  # what he asked for meanwhile, over other connections
            if part.begin < begin <= end:
                self._parts.add(part.begin, begin)
                self._look_whole(request)

    def _have(self, request: web.BaseRequest, part: Part) -> None:
        """Notes a part that the visitor has, and whether it was the last that lacked."""
        self._arrived(part)
        self._given_bytes += part.end - part.begin
        self._look_whole(request)

    def _look_whole(self, request: web.BaseRequest) -> None:
        if self._parts.cover(self._size) and not self.taken_by.done():
            self.taken_by.set_result(request.remote or "")

    def _forget_parts(self) -> None:
        self._parts, self._begins, self._cuts = Parts(), [], []


class Framing(NamedTuple):
    """What lies around content on the wire."""

    frame_bytes: int
    """Around each record; 0 where there are none."""

    def wire_bytes(self, content_bytes: int) -> int:
        """What so much content takes at least: in records that are full."""
        return content_bytes + self.frame_bytes * -(-content_bytes // _RECORD_BYTES)

    def content_bytes(self, wire_bytes: int) -> int:
        """How much content so many bytes carry at most."""
        whole, rest = divmod(wire_bytes, _RECORD_BYTES + self.frame_bytes)
        return whole * _RECORD_BYTES + max(0, rest - self.frame_bytes)


def framing_of(request: web.BaseRequest) -> Framing | None:
    """How content lies on the wire of this connection; None for a TLS older than 1.3, whose ciphers differ in that."""
    tls = request.get_extra_info("ssl_object")
    if tls is None:
        return Framing(0)
    return Framing(_TLS_FRAME_BYTES) if tls.version() == "TLSv1.3" else None


class Part(NamedTuple):
    """A part of the file that an answer carries."""

    begin: int
    end: int
    size: int
    """Of the whole file."""
    tag: str
    """The state of the file."""


class Parts:
    """Which bytes of a file have arrived: stretches that do not touch, in order. At most 256 are kept; beyond it
    the smallest are dropped, and the file only counts once they came again."""

    MOST: Final = 256

    def __init__(self) -> None:
        self._stretches: list[tuple[int, int]] = []

    def add(self, begin: int, end: int) -> None:
        """Bytes `begin` up to `end`, which is not among them, are there."""
        if begin >= end:
            return
        kept: list[tuple[int, int]] = []
        for one in self._stretches:
            if one[1] < begin or one[0] > end:
                kept.append(one)
            else:
                begin, end = min(begin, one[0]), max(end, one[1])
        kept.append((begin, end))
        if len(kept) > self.MOST:
            kept.remove(min(kept, key=lambda one: one[1] - one[0]))
        self._stretches = sorted(kept)

    def cover(self, size: int) -> bool:
        """Whether all of a file of this size is there; of an empty one it always is."""
        return size == 0 or self._stretches == [(0, size)]


def _count_ranges(field: str) -> int:
    """How many ranges a Range field asks for; elements of a list may be empty (RFC 9110, section 5.6.1.2)."""
    return sum(bool(spec.strip(" \t")) for spec in field.partition("=")[2].split(","))


def _part_of(status: int, headers: Mapping[str, str]) -> Part | None:
    """Which bytes an answer carries, and of how many; None where it is no such answer."""
    tag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
    if status == 200 and length.isdecimal():
        return Part(0, int(length), int(length), tag)
    match = _PART.fullmatch(headers.get("Content-Range", ""))
    if status != 206 or match is None:
        return None
    first, last, size = map(int, match.groups())
    return Part(first, last + 1, size, tag)
