"""A folder to hold, beside it what must never be reached, and every way of holding it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.beneath.holding import ALL, MARKER, Hold

from lanline.beneath.folder import Folder


@pytest.fixture(params=ALL)
def hold(request: pytest.FixtureRequest) -> Hold:
    """A way of holding a folder; each test that asks for it runs once with each way."""
    found: Hold = request.param
    return found


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder to hold. Beside it: `marker`, a file, and `outside`, a folder with a marker in it."""
    (tmp_path / "marker").write_bytes(MARKER)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "marker").write_bytes(MARKER)
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture
def folder(shared: Path, hold: Hold) -> Iterator[Folder]:
    """The held folder."""
    with Folder(shared, way=hold) as found:
        yield found
