"""What is at an address now, and whether the conditions of a request hold for it: for whoever changes it.

It changes nothing. A condition is judged before a body is asked for, and once more in the moment of the change; between
the two anybody may have been faster.

Source: RFC 9110, section 13.1 (conditions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.errors import FileMissing
from lanline.http.conditions import check_preconditions, etag_of

if TYPE_CHECKING:
    import os

    from aiohttp import web

    from lanline.beneath import Names
    from lanline.services.share.shared import Shared


def has_conditions(request: web.BaseRequest) -> bool:
    """Whether a request says what state of the file it wants to change."""
    return any(name in request.headers for name in ("If-Match", "If-None-Match", "If-Unmodified-Since"))


def check_conditions(request: web.BaseRequest, shared: Shared, names: Names) -> None:
    """Passes if the request's conditions hold for what is there now. Raises Refusal: 412."""
    if has_conditions(request):
        status = status_of(shared, names)
        if status is None:
            check_preconditions(request, None, None)
        else:
            check_preconditions(request, etag_of(status), int(status.st_mtime))


def status_of(shared: Shared, names: Names) -> os.stat_result | None:
    """What is there by these names; nothing where nothing is."""
    try:
        with shared.open(names) as opened:
            return opened.status
    except FileMissing:
        return None
