"""What tests of a held folder share: every way of holding it, and what must never be read."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from lanline.beneath.folder import Folder
from lanline.beneath.openat2 import OpenAt2, is_there
from lanline.beneath.resolving import Resolving
from lanline.beneath.walk import Walk
from lanline.beneath.ways import Way

MARKER = b"the marker outside: nobody may read this"

Hold = Callable[[str], Way]

NO_OPENAT2 = pytest.mark.skipif(not is_there(), reason="no openat2 in this kernel, or a sandbox forbids it")
BY_DESCRIPTOR = [pytest.param(OpenAt2, marks=NO_OPENAT2, id="openat2"), pytest.param(Walk, id="walk")]
"""The ways that stand races, as parameters of a test."""
ALL = [*BY_DESCRIPTOR, pytest.param(Resolving, id="resolving")]


def content(folder: Folder, *names: str) -> bytes:
    """What a file holds."""
    with folder.open(names) as opened:
        return os.read(opened.fd, opened.status.st_size + 1)
