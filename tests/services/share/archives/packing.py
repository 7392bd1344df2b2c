"""Folders to pack, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lanline.beneath import Folder
from lanline.services.share.archives.contents import Contents
from lanline.services.share.shared import Permissions, Shared


@contextmanager
def held(path: Path, *, only: str | None = None, shows_hidden: bool = False) -> Iterator[Shared]:
    """A folder of the disk, shared for reading."""
    with Folder(path) as folder:
        yield Shared(folder, Permissions(shows_hidden=shows_hidden), name=path.name, only=only)


@contextmanager
def contents_of(
    path: Path, chosen: Sequence[str] | None = None, *, names: tuple[str, ...] = (), shows_hidden: bool = False
) -> Iterator[Contents]:
    """What of a folder of the disk goes into an archive."""
    with held(path, shows_hidden=shows_hidden) as shared:
        yield Contents(shared, names, chosen)


def tree(path: Path, **files: bytes) -> Path:
    """A folder with these files: `sub__name` is name in the folder sub."""
    path.mkdir(exist_ok=True)
    for name, data in files.items():
        place = path.joinpath(*name.split("__"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return path
