"""How much of a disk uploads may fill."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lanline.errors import DiskFull
from lanline.services.share.uploads.space import MOST_RESERVED, check_room, room_of


def test_a_reserve_of_a_twentieth_and_at_most_a_gibibyte_stays_free(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        found = os.fstatvfs(fd)
        reserve = min(found.f_blocks * found.f_frsize // 20, MOST_RESERVED)
        # Others write on this disk at the same time: compared up to what they may have written in between.
        assert abs(room_of(fd) + reserve - found.f_bavail * found.f_frsize) < 1 << 30
    finally:
        os.close(fd)


def test_more_than_there_is_room_for_is_refused_with_both_numbers(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        check_room(fd, 1)
        with pytest.raises(DiskFull, match=r"^909 TiB is too much .* fill [0-9.]+ [KMGT]?i?B of it"):
            check_room(fd, 999_999_999_999_999)
    finally:
        os.close(fd)
