"""The site: from a request to the one who answers it.

It guards, reads the target, finds out what is there, and hands over by method and kind. It answers itself what needs no
file of its own: GET and HEAD of files, 308, OPTIONS and 405. What is refused is raised as `Refusal`, or as one of the
errors of `lanline.beneath`, which become refusals here.

Who answers has this signature, and lives in a file of its own::

    async def answer(request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse

- `target.names` are the names from the root down, decoded and checked for reading; `target.asks("zip")`,
  `target.fields()` are the query. For what is new call `shared.check_new(names)` (the site has done so for PUT and POST
  to the address of a file, not for names within a body).
- `shared.folder` is the `Folder`, `shared.permissions` what visitors may do, `shared.open(names)` opens what visitors
  can see. The site has checked that the method is allowed for what was there a moment ago; what came in between is the
  answerer's to notice (TakenAlready, FileMissing).
- Errors of `lanline.beneath` may pass: they become 400, 403, 404, 409 and 507. Raise `Refusal` for the rest.

Addresses below `/.lanline/NAME` belong to the `Reserved` of that name: it says which methods it answers, and answers.
Everything is put together in `assembly.py`.

Sources: RFC 9110, sections 9 (methods), 15.4.9 (308), 15.5.6 (405); RFC 9112, section 3.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias

from aiohttp import web

from lanline.errors import FileError, FileMissing, FolderGone
from lanline.http.files import answer_file
from lanline.http.hosts import HostGuard
from lanline.http.refusal import Refusal, refusal_of
from lanline.services.share.answers.disposition import disposition_of
from lanline.services.share.answers.mediatypes import headers_of, media_type_of
from lanline.services.share.methods import Kind, allowed, why_not
from lanline.services.share.shared import RESERVED, Shared
from lanline.services.share.target import Target, query_of, target_of, url_of
from lanline.services.share.uploads.appending import limits_of_uploads

Answer: TypeAlias = Callable[[web.BaseRequest, Target, Shared], Awaitable[web.StreamResponse]]
"""Who answers requests of one method for one kind of thing; see above."""

Guard: TypeAlias = Callable[[web.BaseRequest, Target], None]
"""Raises `Refusal` where a request may not be answered: the password's guard."""


class Reserved(Protocol):
    """Who answers for `/.lanline/NAME` and what is below it."""

    def methods(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The methods that an address answers, for Allow; none where nothing is there.

        Args:
            names: what follows NAME in the address.
        """

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Answers a request of one of these methods; OPTIONS is answered by the site where it is not among them."""


class Answers(NamedTuple):
    """Who answers what. `None` is for what this server does not do; the permissions say so too."""

    folder: Answer
    """GET and HEAD of a folder."""
    archive: Answer | None = None
    """GET, HEAD and POST of a folder with `?zip` or `?tar`. POST brings a long selection, and changes nothing."""
    put: Answer | None = None
    """PUT of a file that is there and may be replaced, or that is not there."""
    form: Answer | None = None
    """POST to a folder."""
    begin: Answer | None = None
    """POST to the address of a file: a resumable upload begins."""
    remove: Answer | None = None
    """DELETE of a file or a folder."""
    reserved: Mapping[str, Reserved] = {}
    """By NAME: `page.js`, `uploads`."""


class Site:
    """Answers the requests of one server.

    Args:
        shared: what is shared.
        answers: who answers what.
        hosts: which names this server may be called by.
        guards: asked after `hosts`, in this order, before anything else is looked at.
    """

    def __init__(self, shared: Shared, answers: Answers, hosts: HostGuard, guards: Sequence[Guard] = ()) -> None:
        self._shared = shared
        self._answers = answers
        self._hosts = hosts
        self._guards = tuple(guards)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request.

        Raises:
            Refusal: it is refused, with its status.
        """
        try:
            target = target_of(request.raw_path)
            self._hosts.check(request.method, request.headers, target.authority)
            for guard in self._guards:
                guard(request, target)
            return await self._dispatch(request, target)
        except FolderGone as error:  # its own sentence is for the owner: it says where the folder was
            raise Refusal(404, "The shared folder is not there any more.") from error
        except FileError as error:
            raise refusal_of(error) from error

    async def _dispatch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if target.is_server:
            return self._answer_for_all(request)
        if target.names and target.names[0] == RESERVED:
            return await self._answer_reserved(request, target)
        if request.method in ("GET", "HEAD"):
            return await self._read(request, target)
        return await self._other(request, target)

    async def _read(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """GET and HEAD of what is shared."""
        shared = self._shared
        if shared.source is not None:
            return await self._read_source(request, target)
        with shared.open(target.names) as opened:
            if not opened.is_folder:
                if target.has_slash:
                    raise Refusal(404, "This is the address of a folder, and a file is there.")
                name = target.names[-1]
                kind = media_type_of(name)
                return await answer_file(
                    request,
                    opened,
                    content_type=kind.content_type,
                    disposition=_disposition(name, target),
                    headers=headers_of(kind),
                )
        return await self._read_folder(request, target)

    async def _read_source(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        shared = self._shared
        if not target.names:
            return await self._answers.folder(request, target, shared)
        if shared.source is None or not shared.is_source(target.names) or target.has_slash:
            raise Refusal(404, "There is nothing at this address.")
        return await shared.source.answer(request, target)

    async def _read_folder(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if not target.has_slash:
            # Root-relative and encoded anew from the names: it can lead to no other host, whatever was asked for.
            location = url_of(target.names, is_folder=True) + query_of(target)
            raise Refusal(308, "The address of a folder ends in a slash.", headers={"Location": location})
        archive = self._archive(target)
        if archive is not None:
            return await archive(request, target, self._shared)
        return await self._answers.folder(request, target, self._shared)

    async def _other(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Every method but GET and HEAD."""
        shared, method = self._shared, request.method
        kind = self._kind(target)
        methods = self._allowed(kind)
        archive = self._archive(target) if kind in (Kind.FOLDER, Kind.ROOT) else None
        if archive is not None:
            methods = tuple(sorted({*methods, "POST"}))
        if method not in methods:
            text = why_not(method, kind, shared.permissions)
            raise Refusal(405, text, headers={"Allow": ", ".join(methods)})
        if method == "OPTIONS":
            begins = self._answers.begin is not None and kind in (Kind.FILE, Kind.MISSING)
            return _options(methods, limits_of_uploads(shared.permissions) if begins else {})
        if kind is Kind.MISSING and method == "DELETE":
            raise Refusal(404, "There is nothing at this address.")
        if method == "POST" and archive is not None:
            answer: Answer | None = archive
        elif method == "DELETE":
            answer = self._answers.remove
        elif kind in (Kind.FILE, Kind.MISSING):
            shared.check_new(target.names)
            answer = self._answers.put if method == "PUT" else self._answers.begin
        else:
            answer = self._answer_to_post(kind)
        assert answer is not None, "allowed methods have somebody who answers them"
        return await answer(request, target, shared)

    def _archive(self, target: Target) -> Answer | None:
        """Who packs the folder that the target is about, where that is asked for."""
        wanted = self._shared.source is None and (target.asks("zip") or target.asks("tar"))
        return self._answers.archive if wanted else None

    def _kind(self, target: Target) -> Kind:
        """What is there, for methods that ask for no content."""
        kind = self._kind_of_names(target)
        is_archive = kind in (Kind.FOLDER, Kind.ROOT) and self._answers.archive is not None
        return Kind.ARCHIVE if is_archive and _asks_for_archive(target) else kind

    def _kind_of_names(self, target: Target) -> Kind:
        if not target.names:
            return Kind.ROOT
        if self._shared.is_source(target.names):
            return Kind.FILE
        try:
            with self._shared.open(target.names) as opened:
                return Kind.FOLDER if opened.is_folder else Kind.FILE
        except FileMissing:
            return Kind.MISSING

    def _allowed(self, kind: Kind) -> tuple[str, ...]:
        """The methods of this kind that somebody answers."""
        answers = self._answers
        missing = {
            "PUT": answers.put is None,
            "POST": self._answer_to_post(kind) is None,
            "DELETE": answers.remove is None,
        }
        return tuple(method for method in allowed(kind, self._shared.permissions) if not missing.get(method))

    def _answer_to_post(self, kind: Kind) -> Answer | None:
        if kind is Kind.ARCHIVE:
            return self._answers.archive
        return self._answers.form if kind in (Kind.FOLDER, Kind.ROOT) else self._answers.begin

    def _answer_for_all(self, request: web.BaseRequest) -> web.StreamResponse:
        """`OPTIONS *`, and methods that have no path: CONNECT."""
        methods = allowed(Kind.SERVER, self._shared.permissions)
        if request.method != "OPTIONS":
            text = f"{request.method} is not among the methods that are answered here."
            raise Refusal(405, text, headers={"Allow": ", ".join(methods)})
        return _options(methods, limits_of_uploads(self._shared.permissions) if self._answers.begin is not None else {})

    async def _answer_reserved(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """What belongs to the server itself."""
        reserved = self._answers.reserved.get(target.names[1]) if len(target.names) > 1 else None
        methods = reserved.methods(target.names[2:]) if reserved is not None else ()
        if reserved is None or not methods or target.has_slash:
            raise Refusal(404, "There is nothing at this address.")
        if request.method in methods:
            return await reserved.answer(request, target, self._shared)
        everything = tuple(sorted({*methods, "OPTIONS"}))
        if request.method == "OPTIONS":
            return _options(everything)
        text = f"{request.method} is not among the methods that are answered here."
        raise Refusal(405, text, headers={"Allow": ", ".join(everything)})


def _asks_for_archive(target: Target) -> bool:
    return bool(target.query) and (target.asks("zip") or target.asks("tar"))


def _disposition(name: str, target: Target) -> str:
    return disposition_of(name, is_attachment=bool(target.query) and target.asks("download"))


def _options(methods: Sequence[str], headers: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    return web.Response(status=204, headers={"Allow": ", ".join(methods), **headers})
