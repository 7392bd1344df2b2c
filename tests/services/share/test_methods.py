"""The table of methods: what is there and what visitors may do."""

from __future__ import annotations

import pytest

from lanline.services.share.methods import Kind, allowed, why_not
from lanline.services.share.shared import Permissions

READ = Permissions()
ADD = Permissions(upload=True)
REPLACE = Permissions(upload=True, overwrite=True)
REMOVE = Permissions(delete=True)


@pytest.mark.parametrize(
    ("kind", "may", "more"),
    [
        (Kind.FILE, READ, ""),
        (Kind.FILE, ADD, "POST"),
        (Kind.FILE, REPLACE, "POST PUT"),
        (Kind.FILE, Permissions(overwrite=True), ""),
        (Kind.FILE, REMOVE, "DELETE"),
        (Kind.FOLDER, READ, ""),
        (Kind.FOLDER, ADD, "POST"),
        (Kind.FOLDER, REMOVE, "DELETE"),
        (Kind.ROOT, Permissions(upload=True, delete=True), "POST"),
        (Kind.ARCHIVE, READ, "POST"),
        (Kind.MISSING, READ, ""),
        (Kind.MISSING, ADD, "POST PUT"),
        (Kind.MISSING, REMOVE, "DELETE"),
        (Kind.SERVER, READ, "POST"),
        (Kind.SERVER, ADD, "DELETE PATCH POST PUT"),
    ],
)
def test_methods_follow_from_what_is_there_and_what_visitors_may(kind: Kind, may: Permissions, more: str) -> None:
    assert set(allowed(kind, may)) == {"GET", "HEAD", "OPTIONS", *more.split()}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "TRACE"])
def test_whoever_is_refused_is_told_why_in_a_sentence(kind: Kind, method: str) -> None:
    for may in (READ, ADD, REPLACE, REMOVE):
        assert why_not(method, kind, may).endswith(".")
