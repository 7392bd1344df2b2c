"""How many clients are being served now, by all the processes that share one port, and whether one more may come.

A page of memory that forked processes share holds one number for each process. Each writes only its own, so no lock is
needed: a process counts its newcomer first and then looks at the sum, so that two newcomers at once may both be refused
when one place is left, but never is one more let in than allowed.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

MAX_PROCESSES: Final = 512
"""Numbers on one page of 4 KiB."""

_NUMBER: Final = struct.Struct("=q")


class Headcount:
    """The clients of one process among those of all.

    Args:
        most: clients at once, in all processes; None for any number.
        page: shared memory from `shared_page`; None where there is only one process.
        slot: this process's number, 0 to 511.
    """

    def __init__(self, most: int | None, page: mmap.mmap | None = None, slot: int = 0) -> None:
        self.most = most
        self.here = 0
        """Clients of this process now."""
        self._page = page
        self._slot = slot

    def enter(self) -> bool:
        """Counts a newcomer; False, and not counted, when there are as many as allowed."""
        self._set(self.here + 1)
        if self.most is not None and self._all() > self.most:
            self._set(self.here - 1)
            return False
        return True

    def leave(self) -> None:
        """One who had entered has gone."""
        self._set(self.here - 1)

    def _set(self, here: int) -> None:
        self.here = here
        if self._page is not None:
            _NUMBER.pack_into(self._page, self._slot * _NUMBER.size, here)

    def _all(self) -> int:
        return self.here if self._page is None else sum(number for (number,) in _NUMBER.iter_unpack(self._page[:]))


def shared_page() -> mmap.mmap:
    """A page that this process shares with those it forks from now on."""
    return mmap.mmap(-1, MAX_PROCESSES * _NUMBER.size)


def clear(page: mmap.mmap, slot: int) -> None:
    """Forgets what a process has counted that is no more."""
    _NUMBER.pack_into(page, slot * _NUMBER.size, 0)
