"""Giving a finished file its name in a way that takes it from nobody: either the name was free, or nothing happens.

rename(2) replaces what is there, and looking first leaves a moment for somebody else. In order: renameat2 with
RENAME_NOREPLACE, one step, where kernel and file system know it; a hard link to the new name, then the old one removed;
and where there are no hard links either (FAT through an old kernel, some network mounts), an empty file that is made
with O_EXCL, which holds the name until the finished one is renamed over it.

Sources: renameat2(2), linkat(2), open(2). macOS has renameatx_np, which is not used: its file systems have links.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

from lanline.beneath.place import Place

_RENAME_NOREPLACE: Final = 1
_NOT_HERE: Final = (
    errno.ENOSYS,
    errno.EINVAL,  # the file system does not know RENAME_NOREPLACE
    errno.EPERM,  # the file system has no hard links
    errno.EOPNOTSUPP,
    errno.EMLINK,
    errno.EXDEV,
)


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def by_renaming(place: Place, old: str, new: str) -> None:
    """Renames in one step. Raises OSError: EEXIST where the name is taken, ENOSYS or EINVAL where this is not known."""
    if place.path and os.name == "nt":
        os.rename(place.named(old), place.named(new))  # on Windows it never replaces
        return
    call = _renameat2()
    if call is None or place.path:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(place.fd, os.fsencode(old), place.fd, os.fsencode(new), _RENAME_NOREPLACE) != 0:
        found = ctypes.get_errno()
        raise OSError(found, os.strerror(found))


def by_linking(place: Place, old: str, new: str) -> None:
    """Links, then removes the old name. Raises OSError: EEXIST where the name is taken."""
    os.link(place.named(old), place.named(new), src_dir_fd=place.at, dst_dir_fd=place.at, follow_symlinks=False)
    place.remove_file(old)


def by_placeholder(place: Place, old: str, new: str) -> None:
    """Holds the name with an empty file, then renames over it. Raises OSError: EEXIST where the name is taken."""
    os.close(place.create(new))
    try:
        place.replace(old, new)
    except OSError:
        place.remove_file(new)  # or an empty file would have the name for good
        raise


WAYS: Final = (by_renaming, by_linking, by_placeholder)


def claim(place: Place, old: str, new: str) -> None:
    """Gives the entry `old` the name `new`, in the first of the ways that works here.

    Raises:
        OSError: EEXIST where the name is taken; nothing has changed then.
    """
    for way in WAYS[:-1]:
        try:
            way(place, old, new)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
        else:
            return
    WAYS[-1](place, old, new)
