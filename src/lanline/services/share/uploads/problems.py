"""Refusals of uploads that programs act on: a status, a type of problem, and the fields of the upload.

Always JSON, whatever the request prefers: only programs speak this protocol. The types are those that
draft-ietf-httpbis-resumable-upload registers; where it has none, the type is the usual `about:blank`.

Source: RFC 9457 (application/problem+json).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from lanline.http.refusal import UNKEPT, Refusal, title_of

MISMATCHING_OFFSET: Final = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
INCONSISTENT_LENGTH: Final = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"


def problem(
    status: int,
    sentence: str,
    *,
    kind: str = "about:blank",
    members: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The answer that says so.

    Args:
        status: of HTTP.
        sentence: what a person reads.
        kind: the type of the problem, an address that names it.
        members: further members of the problem.
        headers: further fields of the answer.
    """
    document = {"type": kind, "title": title_of(status), "status": status, "detail": sentence, **(members or {})}
    return web.Response(
        status=status,
        body=json.dumps(document).encode() + b"\n",
        content_type="application/problem+json",
        headers={**UNKEPT, **(headers or {})},
    )


def problem_of(refusal: Refusal, headers: Mapping[str, str]) -> web.Response:
    """The answer to a refusal, with the fields of the upload beside its own."""
    return problem(refusal.status, refusal.sentence, headers={**refusal.headers, **headers})
