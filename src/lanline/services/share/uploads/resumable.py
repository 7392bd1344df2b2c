"""Uploads that go on after an interruption, as draft-ietf-httpbis-resumable-upload-12 describes them.

POST (or PUT) with Upload-Complete to the address that the file shall have begins one, and tells its own address below
`/.lanline/uploads/`. There HEAD tells how much has come, PATCH appends, DELETE gives it up. The last request is
answered as a PUT of the whole file would have been. An upload outlives its connections and this process.

Rules: an offset that was told is never taken back; a request ends an earlier one of the same upload; what a client has
no address for, because its first request broke, is not kept. An upload ends when it gets its name or is refused it,
when it is cancelled or too old, and when what is here is proven not to be the file: other bytes than were marked, or
more than it is long. No other request that is refused ends it. Whether a name may be taken is judged when an upload
begins, goes on and ends. An address is 128 random bits and opens nothing that the guards of the site have not let in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web
from aiohttp.http import HttpVersion11

from lanline.errors import FileError, FileMissing, TakenAlready
from lanline.http.body import blocks_of
from lanline.http.conditions import etag_of, failed_condition
from lanline.http.connection import Connection
from lanline.http.refusal import Refusal, refusal_of
from lanline.services.share.current import check_conditions, status_of
from lanline.services.share.shared import RESERVED
from lanline.services.share.target import url_of
from lanline.services.share.uploads import appending
from lanline.services.share.uploads.appending import (
    MAX_AGE,
    NOT_COMPLETE,
    InconsistentLength,
    Says,
    TooMuch,
    completeness,
    limits_field,
)
from lanline.services.share.uploads.chunk import Chunk
from lanline.services.share.uploads.digests import WANTED, digest_of, wanted_algorithm
from lanline.services.share.uploads.journal import Plan
from lanline.services.share.uploads.problems import problem, problem_of
from lanline.services.share.uploads.put import made, refuse_odd_request
from lanline.services.share.uploads.register import Key, Register
from lanline.services.share.uploads.space import check_room
from lanline.services.share.uploads.turns import Turns
from lanline.services.share.uploads.unfinished import JournalVoid, make_upload
from lanline.sizes import show_size

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared
    from lanline.services.share.target import Target
    from lanline.services.share.uploads.finishing import Finishing
    from lanline.services.share.uploads.pace import Pace
    from lanline.services.share.uploads.unfinished import Opening, Unfinished

NAME: Final = "uploads"
"""Below `/.lanline/`."""

_REMEMBERED: Final = 256
"""Finished uploads of which the answer is kept, for clients that have not received it."""

_CHANGED: Final = "What has come of this upload has changed on the disk: send it again from the beginning."

_GONE: Final = "There is no such upload: it was finished or cancelled, or nothing came for a day."


class _Done(NamedTuple):
    """The answer to an upload that is finished."""

    status: int
    headers: dict[str, str]
    size: int


class Resumable:
    """Answers for the resumable uploads of one share.

    Args:
        shared: a folder to which visitors may add.
        pace: of its disk.
        finishing: gives the names.
    """

    def __init__(self, shared: Shared, pace: Pace, finishing: Finishing) -> None:
        self._shared = shared
        self._pace = pace
        self._finishing = finishing
        self._turns = Turns()
        self._done: OrderedDict[Key, _Done] = OrderedDict()
        self.register = Register(shared.folder)
        """The unfinished ones."""

    def methods(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """See `site.Reserved`."""
        return ("DELETE", "GET", "HEAD", "PATCH") if names and self._shared.is_shown(names[1:]) else ()

    async def begin(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Answers POST and PUT with Upload-Complete: an upload begins, with what the request brings of it."""
        says = appending.read_fields(request.headers, request.content_length)
        if target.has_slash:
            raise Refusal(404, "There is no folder at this address.")
        if says.is_complete is None:
            text = "POST to the address of a file begins a resumable upload, which needs Upload-Complete: ?0 or ?1."
            raise Refusal(400, text)
        refuse_odd_request(request)
        check_conditions(request, shared, target.names)
        plan = self._plan(request, target)
        try:
            length = appending.settled_length(says, 0, None)
        except InconsistentLength:
            return appending.inconsistent()
        most = shared.permissions.max_upload_bytes
        if length is not None and most is not None and length > most:
            return self._too_large(most)
        visitor = request.remote or ""
        while (other := self.register.in_the_way(visitor)) is not None:
            await self._remove(other)
        upload = make_upload(shared.folder, target.names[:-1], plan, length)
        self.register.add(upload, visitor)
        return await self._first(request, upload, says)

    def _plan(self, request: web.BaseRequest, target: Target) -> Plan:
        may, headers = self._shared.permissions, request.headers
        must_be_new = "If-None-Match" in headers
        digest = digest_of(request, "Repr-Digest")
        wanted = wanted_algorithm(headers.getall("Want-Repr-Digest", []))
        status = status_of(self._shared, target.names) if "If-Match" in headers else None
        return Plan(
            part="",
            name=target.names[-1],
            may_replace=may.overwrite and not must_be_new,
            may_rename=request.method == "POST" and not may.overwrite and not must_be_new,
            replaced_tag=etag_of(status) if status is not None else None,
            algorithm=digest.algorithm if digest is not None else wanted,
            digest=digest.value.hex() if digest is not None else "",
        )

    async def _first(self, request: web.BaseRequest, upload: Unfinished, says: Says) -> web.StreamResponse:
        """What the first request brings. An upload whose address its client cannot know is removed."""
        is_known = False
        try:
            async with self._turns.take(_key(upload), _cut(request)):
                with self.register.held(upload, upload.visitor):
                    with upload.open() as opening:
                        check_room(opening.part.fd, upload.length or 0)  # what others announce reserves nothing
                    if says.wants_104 and request.version >= HttpVersion11:  # 1.0 knows no interim answers
                        self._send_104(request, upload)
                        is_known = True
                    response = await self._receive(request, upload, says, is_first=True)
                    is_known = is_known or response.status < 300
                    return response
        finally:
            if not is_known:
                await self._remove(upload)

    def _send_104(self, request: web.BaseRequest, upload: Unfinished) -> None:
        fields = {**self._address(upload), "Upload-Draft-Interop-Version": str(appending.INTEROP_VERSION)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        if request.transport is not None:
            request.transport.write(f"HTTP/1.1 104 Upload Resumption Supported\r\n{lines}\r\n".encode())

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Answers requests to the address of an upload."""
        token, place = target.names[2], target.names[3:]
        async with self._turns.take((place, token), _cut(request)):
            done = self._done.get((place, token))
            if done is not None:
                return self._answer_done(request, (place, token), done)
            try:
                upload = await self._pace.run(lambda: self.register.find(place, token))
            except JournalVoid as error:  # its files stay until they are too old: nobody can say which ones they are
                raise Refusal(410, _CHANGED) from error
            if upload is None:
                raise Refusal(404, _GONE)
            try:
                with self.register.held(upload, request.remote or ""):
                    return await self._answer(request, upload)
            except FileMissing as error:
                await self._remove(upload)
                raise Refusal(404, _GONE) from error

    async def _answer(self, request: web.BaseRequest, upload: Unfinished) -> web.StreamResponse:
        if request.method == "DELETE":
            await self._remove(upload)
            return web.Response(status=204)
        # It may have begun in another process, whose owner allowed more. It is kept: he may do so again.
        self._shared.check_new((*upload.place, upload.plan.name))
        if not upload.is_checked and not await self._pace.run_apart(upload.check):
            await self._remove(upload)
            raise Refusal(410, _CHANGED)
        if request.method != "PATCH":
            return web.Response(status=204, headers=self._state(upload))
        says = appending.read_fields(request.headers, request.content_length)
        if request.content_type != appending.PARTIAL:
            headers = {"Accept-Patch": appending.PARTIAL}
            raise Refusal(415, f"What is appended has the type {appending.PARTIAL}.", headers=headers)
        if says.offset is None or says.is_complete is None:
            raise Refusal(400, "Upload-Offset and Upload-Complete belong to each part of an upload.")
        refuse_odd_request(request)
        if says.offset != upload.offset:
            return appending.mismatch(upload.offset, says.offset)
        return await self._receive(request, upload, says)

    async def _receive(
        self, request: web.BaseRequest, upload: Unfinished, says: Says, *, is_first: bool = False
    ) -> web.StreamResponse:
        """Takes what a request brings, and finishes the upload where that was the rest."""
        finished: web.Response | None = None
        try:
            length = appending.settled_length(says, upload.offset, upload.length)
            digest = digest_of(request, "Content-Digest")
            with upload.open() as opening:
                opening.cut()
                if length is not None and upload.length is None:
                    opening.note(length)
                check_room(opening.part.fd, request.content_length or 0)
                chunk = Chunk(upload, opening, self._pace, digest)
                if not await self._take_all(request, upload, chunk):
                    headers = {"Upload-Offset": str(upload.offset), "Want-Content-Digest": WANTED, **NOT_COMPLETE}
                    text = (
                        "What came has another digest than the request says: it was changed on its way. Send it again."
                    )
                    return problem(400, text, headers=headers)
                if says.is_complete and upload.length in (None, upload.offset):
                    finished = await self._finish(upload, opening, chunk)
        except InconsistentLength:
            return appending.inconsistent()
        except TooMuch:
            await self._remove(upload)  # what is here cannot be the file that was meant, and nobody knew before
            return appending.inconsistent()
        except FileMissing:
            raise
        except FileError as error:
            return problem_of(refusal_of(error), NOT_COMPLETE)
        except Refusal as refusal:
            limits = {"Upload-Limit": limits_field(self._shared.permissions, self.register.age_left(upload))}
            return problem_of(refusal, {**NOT_COMPLETE, **limits})
        if finished is not None:
            if finished.status >= 400:
                await self._remove(upload)  # only once it is closed: closing it last is what takes long
            return finished
        if says.is_complete:
            return appending.inconsistent()
        if is_first:
            return web.Response(status=201, headers={**self._address(upload), **self._state(upload), **chunk.field()})
        return web.Response(status=204, headers={**self._state(upload), **chunk.field()})

    async def _take_all(self, request: web.BaseRequest, upload: Unfinished, chunk: Chunk) -> bool:
        """Takes the body. Returns whether its digest is right."""
        most = self._shared.permissions.max_upload_bytes
        limit = most - upload.offset if most is not None else None
        try:
            async with aclosing(blocks_of(request, limit=limit)) as body:
                async for piece in body:
                    await chunk.take(piece)
            return await chunk.end()
        except BaseException:
            chunk.keep()
            raise

    async def _finish(self, upload: Unfinished, opening: Opening, chunk: Chunk) -> web.Response:
        """All of it is here: it gets its name, and the answer is the one that a PUT of the whole would have had. An
        upload whose answer is a refusal is over, too."""
        plan, names = upload.plan, (*upload.place, upload.plan.name)
        if plan.digest and upload.whole is not None and upload.whole.value().hex() != plan.digest:
            return problem(400, "The whole file has another digest than was said.", headers=completeness(True))
        try:
            finished = await self._finishing.finish(
                opening.part,
                names,
                # Both: it may have begun in another process, whose owner allowed more.
                may_replace=plan.may_replace and self._shared.permissions.overwrite,
                may_rename=plan.may_rename,
                check=(lambda: self._check_tag(upload)) if plan.replaced_tag is not None else None,
            )
        except (TakenAlready, Refusal) as error:
            refusal = error if isinstance(error, Refusal) else refusal_of(error)
            return problem_of(refusal, completeness(True))
        self.register.forget(upload)
        opening.drop_journal()
        headers = {**completeness(True), **chunk.field()}
        if upload.whole is not None:
            headers["Repr-Digest"] = upload.whole.field()
        response = made(finished, headers)
        self._done[_key(upload)] = _Done(response.status, dict(response.headers), finished.size)
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        return response

    def _check_tag(self, upload: Unfinished) -> None:
        status = status_of(self._shared, (*upload.place, upload.plan.name))
        etag = etag_of(status) if status is not None else None
        if etag != upload.plan.replaced_tag:
            raise failed_condition(etag)

    def _answer_done(self, request: web.BaseRequest, key: Key, done: _Done) -> web.StreamResponse:
        """To a client that may not have received the last answer."""
        if request.method == "DELETE":
            del self._done[key]
            return web.Response(status=204)
        if request.method == "PATCH":
            says = appending.read_fields(request.headers, request.content_length)
            if says.offset is not None and says.is_complete and says.offset + (says.content_length or 0) == done.size:
                return web.Response(status=done.status, headers=done.headers)
            text = "This upload is complete: nothing is appended to it."
            return problem(409, text, headers={"Upload-Offset": str(done.size), **NOT_COMPLETE})
        fields = {"Upload-Offset": str(done.size), "Upload-Length": str(done.size), "Cache-Control": "no-store"}
        limits = {"Upload-Limit": limits_field(self._shared.permissions, MAX_AGE)}
        return web.Response(status=204, headers={**completeness(True), **fields, **limits})

    def _state(self, upload: Unfinished) -> dict[str, str]:
        headers = {
            **NOT_COMPLETE,
            "Upload-Offset": str(upload.offset),
            "Upload-Limit": limits_field(self._shared.permissions, self.register.age_left(upload)),
            "Cache-Control": "no-store",
        }
        if upload.length is not None:
            headers["Upload-Length"] = str(upload.length)
        return headers

    def _address(self, upload: Unfinished) -> dict[str, str]:
        location = url_of((RESERVED, NAME, upload.token, *upload.place), is_folder=False)
        limits = limits_field(self._shared.permissions, self.register.age_left(upload))
        return {"Location": location, "Upload-Limit": limits}

    def _too_large(self, most: int) -> web.Response:
        headers = {"Upload-Limit": limits_field(self._shared.permissions, MAX_AGE), **NOT_COMPLETE}
        return problem(413, f"A file may have {show_size(most)} here at most.", headers=headers)

    async def _remove(self, upload: Unfinished) -> None:
        """Forgets it and removes its files: in a thread, for a large file takes a file system long. It is not open."""
        self.register.forget(upload)
        await self._pace.run_apart(upload.remove)


def _key(upload: Unfinished) -> Key:
    return upload.place, upload.token


def _cut(request: web.BaseRequest) -> Callable[[], None]:
    """What ends a request early."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection.cut
