"""What requests of an upload say, judged against what is known."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from lanline.services.share.shared import Permissions
from lanline.services.share.uploads.appending import (
    InconsistentLength,
    Says,
    inconsistent,
    limits_field,
    mismatch,
    read_fields,
    settled_length,
)


def _says(*, ends: bool = False, length: int | None = None, brings: int | None = None) -> Says:
    return Says(ends, None, length, brings, False)


def test_fields_are_read_and_what_cannot_be_read_says_nothing() -> None:
    fields = {"Upload-Complete": "?1", "Upload-Offset": "5", "Upload-Length": "-1", "Upload-Draft-Interop-Version": "8"}
    says = read_fields(CIMultiDictProxy(CIMultiDict(fields)), 7)
    assert says == Says(True, 5, None, 7, True)
    assert read_fields(CIMultiDictProxy(CIMultiDict()), None) == Says(None, None, None, None, False)


@pytest.mark.parametrize(
    ("says", "offset", "known", "length"),
    [
        (_says(), 0, None, None),
        (_says(brings=5), 0, None, None),
        (_says(length=10, brings=5), 0, None, 10),
        (_says(ends=True, brings=5), 5, None, 10),
        (_says(ends=True, brings=5, length=10), 5, 10, 10),
        (_says(ends=True), 5, 10, 10),
        (_says(brings=5), 5, 10, 10),
    ],
)
def test_the_length_is_settled_by_whoever_tells_it_first(
    says: Says, offset: int, known: int | None, length: int | None
) -> None:
    assert settled_length(says, offset, known) == length


@pytest.mark.parametrize(
    ("says", "offset", "known"),
    [
        (_says(ends=True, brings=5, length=11), 5, None),
        (_says(length=11), 0, 10),
        (_says(ends=True, brings=4), 5, 10),
        (_says(brings=6), 5, 10),
        (_says(length=5, brings=6), 0, None),
    ],
)
def test_what_contradicts_itself_or_what_was_known_is_inconsistent(says: Says, offset: int, known: int | None) -> None:
    with pytest.raises(InconsistentLength):
        settled_length(says, offset, known)


def test_answers_say_that_the_upload_is_not_complete() -> None:
    assert mismatch(5, 7).headers["Upload-Offset"] == "5"
    for answer in (mismatch(5, 7), inconsistent()):
        assert answer.headers["Upload-Complete"] == "?0"
        assert answer.content_type == "application/problem+json"


def test_limits_are_told() -> None:
    assert limits_field(Permissions(), 60) == "min-size=0, max-age=60"
    assert limits_field(Permissions(max_upload_bytes=10), 60) == "min-size=0, max-size=10, max-age=60"
