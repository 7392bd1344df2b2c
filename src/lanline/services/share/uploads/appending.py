"""What a request that begins or continues an upload says, judged against what is known. Pure.

Source: draft-ietf-httpbis-resumable-upload, sections "State", "Upload Creation", "Upload Append".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.services.share.uploads.fields import boolean_field, boolean_of, count_of
from lanline.services.share.uploads.problems import INCONSISTENT_LENGTH, MISMATCHING_OFFSET, problem

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from lanline.services.share.shared import Permissions

INTEROP_VERSION: Final = 8
"""Of the draft that is followed (12, of July 2026). Only a client that names it is sent 104, as the draft wants it."""

MAX_AGE: Final = 24 * 3600
"""Seconds that an unfinished upload is kept after something last came."""

PARTIAL: Final = "application/partial-upload"

NOT_COMPLETE: Final = {"Upload-Complete": "?0"}


@dataclass(frozen=True)
class Says:
    """What the fields of an upload in a request say; None where they say nothing, or nothing that can be read."""

    is_complete: bool | None
    """Whether the rest of the file is in this request."""
    offset: int | None
    """Where its content belongs."""
    length: int | None
    """How long the file is."""
    content_length: int | None
    """How much this request brings."""
    wants_104: bool
    """Whether the client understands this draft's interim answer."""

    def whole_length(self, offset: int) -> int | None:
        """How long the file is by this request, its content being at an offset; None where it does not tell.

        Raises:
            InconsistentLength: it tells two lengths.
        """
        summed = offset + self.content_length if self.is_complete and self.content_length is not None else None
        if None not in (summed, self.length) and summed != self.length:
            raise InconsistentLength
        return summed if self.length is None else self.length


class InconsistentLength(ValueError):
    """Requests of one upload tell different lengths. Never leaves the folder of the share."""


class TooMuch(ValueError):
    """More came than the upload is long. Never leaves the folder of the share."""


def read_fields(headers: CIMultiDictProxy[str], content_length: int | None) -> Says:
    """What a request says."""
    return Says(
        is_complete=boolean_of(headers.getall("Upload-Complete", [])),
        offset=count_of(headers.getall("Upload-Offset", [])),
        length=count_of(headers.getall("Upload-Length", [])),
        content_length=content_length,
        wants_104=count_of(headers.getall("Upload-Draft-Interop-Version", [])) == INTEROP_VERSION,
    )


def settled_length(says: Says, offset: int, known: int | None) -> int | None:
    """How long the file will be, with this request.

    Args:
        says: what the request says.
        offset: where its content goes.
        known: what was known before.

    Raises:
        InconsistentLength: it contradicts itself or what was known, or brings more than was announced.
    """
    told = says.whole_length(offset)
    length = told if known is None else known
    if told is not None and told != length:
        raise InconsistentLength
    if length is not None and offset + (says.content_length or 0) > length:
        raise InconsistentLength
    return length


def mismatch(offset: int, provided: int) -> web.Response:
    """The answer to content for another offset than the one that is reached."""
    return problem(
        409,
        f"This upload goes on at byte {offset}, not at byte {provided}.",
        kind=MISMATCHING_OFFSET,
        members={"expected-offset": offset, "provided-offset": provided},
        headers={"Upload-Offset": str(offset), **NOT_COMPLETE},
    )


def inconsistent() -> web.Response:
    """The answer to contradicting lengths."""
    text = "The requests of this upload tell different lengths, or more comes than they tell."
    return problem(400, text, kind=INCONSISTENT_LENGTH, headers=NOT_COMPLETE)


def limits_field(may: Permissions, age: int) -> str:
    """The value of Upload-Limit.

    Args:
        may: what visitors may do.
        age: seconds that the upload is kept if nothing comes.
    """
    largest = f", max-size={may.max_upload_bytes}" if may.max_upload_bytes is not None else ""
    return f"min-size=0{largest}, max-age={age}"


def limits_of_uploads(may: Permissions) -> dict[str, str]:
    """The field by which OPTIONS says that resumable uploads can be begun, and how large they may be. Empty where none
    can be."""
    return {"Upload-Limit": limits_field(may, MAX_AGE)} if may.upload else {}


def completeness(is_complete: bool, /) -> dict[str, str]:
    """The field that says whether the answer is that of the finished file."""
    return {"Upload-Complete": boolean_field(is_complete)}
