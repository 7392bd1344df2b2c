"""POST of a form to a folder: many files in one request, each of them whole or not at all.

A browser without scripts sends this, and `curl -F`. The name of a part's file may be a path, `a/b/c.txt`: its folders
are made. Nothing is kept in memory or beside: each part goes straight into the draft of its file. A part that is
refused is read over, and the next one has its chance; the answer says of each what became of it. A name that is taken
gets a number, `photo (2).jpg`, unless files may be replaced: a phone that sends the same picture twice loses nothing.

The answer is JSON where the request prefers it, a list of `{name, status, size, sentence, url}` under 201 or, where a
file was refused, the highest of their statuses. A browser's own form is led back to the folder with 303.

Sources: RFC 7578 (forms), RFC 9110 section 15.4.4 (303).
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.clean import clean
from lanline.errors import FileError, NameRefused, TakenAlready
from lanline.http.body import body_of
from lanline.http.refusal import UNKEPT, Refusal, prefers_json, refusal_of
from lanline.services.share.target import Target, url_of
from lanline.services.share.uploads.intake import Intake
from lanline.services.share.uploads.multipart import (
    Event,
    MalformedForm,
    MultipartParser,
    PartBegins,
    PartData,
    boundary_of,
)
from lanline.services.share.uploads.pace import whole
from lanline.services.share.uploads.space import check_room
from lanline.sizes import show_size

if TYPE_CHECKING:
    from lanline.beneath import Draft, Names
    from lanline.services.share.shared import Shared
    from lanline.services.share.uploads.finishing import Finishing
    from lanline.services.share.uploads.pace import Pace

MAX_PARTS: Final = 10_000
"""In one form. Each has a line in the answer, which is kept until the end."""


MAX_DEPTH: Final = 64
"""Names from the root down to a file of a form. 8 KiB of headers could name 4,000 folders, each to be made."""


@dataclass(frozen=True)
class Result:
    """What became of one file of a form."""

    name: str
    """As the form says it, cleaned."""
    status: int
    """201 made, 204 replaced, or that of the refusal."""
    size: int
    """Bytes that came."""
    sentence: str
    """Why it was refused; empty where it was not."""
    url: str
    """Its address; empty where it was refused."""


class Forms:
    """Answers POST to folders.

    Args:
        pace: of the disk of the share.
        finishing: gives the names.
    """

    def __init__(self, pace: Pace, finishing: Finishing) -> None:
        self._pace = pace
        self._finishing = finishing

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Takes the files of a form into the folder that the target names."""
        boundary = boundary_of(request.headers.get("Content-Type", ""))
        if boundary is None:
            raise Refusal(415, "A folder takes multipart/form-data with a boundary; PUT takes a file as it is.")
        if request.content_length is not None:
            with shared.open(target.names) as opened:
                check_room(opened.fd, request.content_length)
        parser = MultipartParser(boundary, max_parts=MAX_PARTS)
        files = _Files(shared, target.names, self._pace, self._finishing)
        try:
            async with aclosing(body_of(request, limit=None)) as body:
                async for piece in body:
                    for event in parser.feed(piece):
                        await files.take(event)
        except MalformedForm as error:
            raise Refusal(400, f"This is no form: {error}.") from error
        finally:
            await files.discard()
            if files.results:
                await whole(asyncio.get_running_loop().run_in_executor(None, shared.folder.sync))
        if not parser.is_over:
            raise Refusal(400, "The form ended before its last boundary: what was whole before is kept.")
        if not files.results:
            raise Refusal(400, "There is no file in the form.")
        return _answer(request, target, files.results)


class _Files:
    """The files of one form, one after the other."""

    def __init__(self, shared: Shared, folder: Names, pace: Pace, finishing: Finishing) -> None:
        self._shared = shared
        self._folder = folder
        self._pace = pace
        self._finishing = finishing
        self._made: set[Names] = set()
        self._file: _File | None = None
        self.results: list[Result] = []

    async def take(self, event: Event) -> None:
        """Takes what the form says next."""
        if isinstance(event, PartBegins):
            if event.filename:
                self._file = await self._begin(event.filename)
        elif self._file is None:
            return
        elif isinstance(event, PartData):
            await self._file.take(event.data, self._shared.permissions.max_upload_bytes)
        else:
            file, self._file = self._file, None
            self.results.append(await self._finish(file))
            await asyncio.sleep(0)  # a body of many small files has them all at hand: others get their turn

    async def discard(self) -> None:
        """Removes the file that was under way, if there is one."""
        file, self._file = self._file, None
        if file is not None:
            await file.discard()

    async def _begin(self, filename: str) -> _File:
        names = (*self._folder, *filename.split("/"))
        file = _File(clean(filename), names, self._pace)
        try:
            if len(names) > MAX_DEPTH:
                raise NameRefused(f"it would lie {len(names)} names deep, limit {MAX_DEPTH}")
            self._shared.check_new(names)
            await self._make_folders(names[:-1])
            file.open(self._shared.folder.draft(names[:-1]))
        except FileError as error:
            await file.refuse(refusal_of(error))
        return file

    async def _make_folders(self, names: Names) -> None:
        if len(names) > len(self._folder) and names not in self._made:
            make = partial(self._shared.folder.make_folder, names, makes_parents=True)
            try:
                await self._pace.run_apart(make)  # each waits for the disk
            except TakenAlready:
                pass  # it is there; where a file is, making the draft says so
            self._made.add(names)

    async def _finish(self, file: _File) -> Result:
        try:
            if file.draft is not None and file.intake is not None:
                await file.intake.flush()
                finished = await self._finishing.finish(
                    file.draft,
                    file.names,
                    may_replace=self._shared.permissions.overwrite,
                    may_rename=True,
                    syncs=False,
                )
                status = 204 if finished.has_replaced else 201
                return Result(file.name, status, file.size, "", url_of(finished.names, is_folder=False))
        except FileError as error:
            await file.refuse(refusal_of(error))
        finally:
            await file.discard()
        assert file.refusal is not None, "a file without a draft was refused"
        return Result(file.name, file.refusal.status, file.size, file.refusal.sentence, "")


class _File:
    """One file of a form on its way."""

    def __init__(self, name: str, names: Names, pace: Pace) -> None:
        self.name = name
        self.names = names
        self._pace = pace
        self.size = 0
        self.draft: Draft | None = None
        self.intake: Intake | None = None
        self.refusal: Refusal | None = None

    def open(self, draft: Draft) -> None:
        """Its bytes go here."""
        self.draft = draft
        self.intake = Intake(draft, self._pace)

    async def take(self, data: bytes, limit: int | None) -> None:
        """Takes its next bytes; those of a refused file are only counted."""
        self.size += len(data)
        if self.intake is None:
            return
        try:
            if limit is not None and self.size > limit:
                await self.refuse(Refusal(413, f"A file may have {show_size(limit)} here at most."))
            else:
                await self.intake.take(data)
        except FileError as error:
            await self.refuse(refusal_of(error))

    async def refuse(self, refusal: Refusal) -> None:
        """It does not become a file; this is why."""
        self.refusal = refusal
        await self.discard()

    async def discard(self) -> None:
        """Removes what was written of it. Does nothing once it has its name."""
        draft, self.draft, self.intake = self.draft, None, None
        if draft is not None:
            await self._pace.discard(draft)


def _answer(request: web.BaseRequest, target: Target, results: list[Result]) -> web.Response:
    failed = [result for result in results if result.status >= 300]
    status = max((result.status for result in failed), default=201)
    headers = dict(UNKEPT)
    if prefers_json(request.headers.get("Accept", "")):
        text = json.dumps([asdict(result) for result in results], ensure_ascii=False) + "\n"
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)
    lines = "".join(f"{result.name}: {result.sentence}\n" for result in failed)
    if failed:
        lines = f"{len(results) - len(failed)} of {len(results)} files were taken.\n" + lines
        return web.Response(status=status, text=lines, headers=headers)
    headers["Location"] = url_of(target.names, is_folder=True)
    return web.Response(status=303, text=f"{len(results)} files were taken.\n", headers=headers)
