"""A request that is refused: its status and one sentence, and the answer made of them.

Whoever answers requests raises `Refusal`; the connection turns it into an answer. It never repeats what the peer sent
unless the one who raises it says so, and then as plain text, which no browser takes for a page.

Sources: RFC 9110 section 15 (statuses), RFC 9457 (application/problem+json).
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.errors import (
    DiskFull,
    FileChanged,
    FileError,
    FileMissing,
    FolderGone,
    LeadsOutside,
    NameRefused,
    NoAccess,
    NotAFile,
    NotEmpty,
    ParentMissing,
    TakenAlready,
)

if TYPE_CHECKING:
    from lanline.http.limits import HttpLimits

_NO_HEADERS: Final[Mapping[str, str]] = {}

UNKEPT: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Fields of an answer that holds for one request alone, and is what its Content-Type says."""

_STATUS_OF: Final[tuple[tuple[type[FileError], int], ...]] = (
    (NameRefused, 400),
    (FileMissing, 404),
    (FolderGone, 404),
    (LeadsOutside, 403),
    (NoAccess, 403),
    (NotAFile, 403),
    (ParentMissing, 409),
    (TakenAlready, 409),
    (NotEmpty, 409),
    (FileChanged, 409),
    (DiskFull, 507),
)

_TITLES: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Where RFC 9110 renamed what Python's table still calls by the older name."""


class Refusal(Exception):
    """A request that is not done.

    Args:
        status: of HTTP, 300 to 599.
        sentence: what the person or program reads: one sentence, in English, safe to show. It gets its capital and its
            full stop here, so that all are of one style; none begins with a name.
        headers: further header fields of the answer, such as Allow or Retry-After.
    """

    def __init__(self, status: int, sentence: str, *, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(f"{status} {sentence}")
        self.status = status
        self.sentence = _as_sentence(sentence)
        self.headers = headers


def refusal_of(error: FileError) -> Refusal:
    """The refusal that an error of a shared folder becomes.

    503 where this process or machine has no descriptor left; 500 for whatever else the system failed at.
    """
    for kind, status in _STATUS_OF:
        if isinstance(error, kind):
            return Refusal(status, str(error))
    return refusal_of_system(error.__cause__) or Refusal(500, "the system failed to read or write")


def refusal_of_system(error: BaseException | None) -> Refusal | None:
    """503 where the system has no descriptor left, None for any other error."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return Refusal(503, "too many files are open here: try again later", headers={"Retry-After": "5"})
    return None


def too_many_connections(limits: HttpLimits) -> Refusal:
    """503."""
    after = str(limits.retry_after)
    return Refusal(503, "there are too many connections: try again later", headers={"Retry-After": after})


def answer_of(refusal: Refusal, request: web.BaseRequest) -> web.Response:
    """The answer: plain text, or a problem in JSON where the request prefers that.

    Args:
        refusal: what to say.
        request: whose Accept field is asked.
    """
    title = title_of(refusal.status)
    headers = {**UNKEPT, **refusal.headers}
    if not prefers_json(request.headers.get("Accept", "")):
        return web.Response(status=refusal.status, reason=title, text=refusal.sentence + "\n", headers=headers)
    problem = {"title": title, "status": refusal.status, "detail": refusal.sentence}
    body = json.dumps(problem, ensure_ascii=False).encode() + b"\n"
    return web.Response(status=refusal.status, body=body, headers=headers, content_type="application/problem+json")


def title_of(status: int) -> str:
    """The usual phrase of a status: `Not Found`; for one without a phrase its number."""
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return str(status)


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def prefers_json(accept: str) -> bool:
    """Whether an Accept field names JSON, and names it with at least the weight of text and HTML.

    A field that names neither (`*/*`, none at all) prefers text: that is curl, with a person before it.
    """
    json_weight = text_weight = 0.0
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        kind = kind.strip().lower()
        if kind in ("application/json", "application/problem+json"):
            json_weight = max(json_weight, _weight(parameters))
        elif kind in ("text/plain", "text/html", "text/*"):
            text_weight = max(text_weight, _weight(parameters))
    return json_weight > 0 and json_weight >= text_weight


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
