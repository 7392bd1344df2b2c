"""How much of a disk uploads may fill: everything but a reserve, so that the machine goes on working.

The reserve is 5 % of the disk, and 1 GiB where that is more. It is asked for on the disk that the file really goes to,
through its descriptor: a folder below the share may be a disk of its own. What is free can be gone a moment later, so
a write that fails says the same.

Source: statvfs(3); docs/decisions/0097-a-put-is-written-beside-and-named-at-its-end.md.
"""

from __future__ import annotations

import os
from typing import Final

from lanline.errors import DiskFull
from lanline.sizes import show_size

MOST_RESERVED: Final = 1 << 30
"""Bytes. 5 % of a large disk would refuse uploads while hundreds of gigabytes are free."""

_RESERVED_PART: Final = 20


def room_of(fd: int) -> int:
    """Bytes that uploads may still write on the disk of an open file; below 0 where the reserve is in use.

    Raises:
        OSError: as fstatvfs(3).
    """
    found = os.fstatvfs(fd)
    return found.f_bavail * found.f_frsize - min(found.f_blocks * found.f_frsize // _RESERVED_PART, MOST_RESERVED)


def check_room(fd: int, wanted_bytes: int) -> None:
    """Passes if so much more may be written on the disk of an open file.

    Raises:
        DiskFull: it may not.
    """
    room = room_of(fd)
    if wanted_bytes > room:
        left = show_size(max(room, 0))
        raise DiskFull(f"{show_size(wanted_bytes)} is too much for the disk: uploads may still fill {left} of it")
