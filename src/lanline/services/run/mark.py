"""The mark: a soft limit that every process of a job inherits and that tells them from all others.

The limit is RLIMIT_MSGQUEUE (bytes in POSIX message queues). It is set around the spawn and put back after;
fork and exec hand it on, and `env -i`, setsid, a double fork or closed descriptors do not take it away. Each
job of a node has its own value, so reading `/proc/PID/limits` finds the job again, also after everything else
that tied it together is gone. It is a net, not a wall: a process that changes its own limit on purpose is
found by tree and session instead (`kill.py`), or by its control group (`cgroup.py`).

How values are chosen. A node takes a block of 1,024 values for itself: a random one of those between half
the hard limit and the hard limit that no living process carries (the upper half, so that a program that uses
message queues still can). The node's guardian carries the first value of the block for as long as the node
lives, and that is the reservation: whoever scans sees it. Two nodes that choose at the same moment both scan
again after their guardians run, and one that sees another holder chooses anew. A lock file or an abstract
socket would reserve within one mount or network namespace only; this reserves wherever processes see each
other. Values are given out in turn, and before a value comes round a second time the block is scanned, since
a daemon that a command left behind still carries its old one.

Rule: the limit is a property of the whole process, so whatever is spawned or forked while `carrying` is open
carries the mark. Everything in a node that starts a process does it inside `carrying`, with 0 for no mark.

Only on Linux. Elsewhere `Marks.choose` answers None and jobs carry no mark.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Collection, Iterator

from lanline.services.run import process

if sys.platform == "linux":
    import resource

BLOCK = 1024
"""Values a node takes for itself. At 8 jobs at once a value comes round after 1,023 jobs at the soonest."""

_LARGEST = 2**31
"""Upper end where the hard limit is unlimited."""

_lock = threading.Lock()


@contextlib.contextmanager
def carrying(mark: int) -> Iterator[None]:
    """While it is open, what this process spawns carries `mark`; other threads that spawn wait.

    Args:
        mark: the value; 0 spawns without one.

    Raises:
        ValueError: the value is above the hard limit.
    """
    if sys.platform != "linux":
        yield
        return
    with _lock:
        if mark == 0:
            yield
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (mark, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_MSGQUEUE, (soft, hard))


class Marks:
    """The block of values of one node.

    Args:
        base: the first value, which the guardian carries and no job.
        size: how many values the block has, `base` included; at least 2.
    """

    def __init__(self, base: int, size: int = BLOCK) -> None:
        self.base = base
        self.size = size
        self._next = base
        self._held: set[int] = set()
        self._carried: set[int] = set()

    def __repr__(self) -> str:
        return f"<Marks {self.base}..{self.base + self.size - 1} held={len(self._held)}>"

    @classmethod
    def choose(cls) -> Marks | None:
        """A block that no living process carries a value of. Scans all processes: about 10 us for each.

        Returns:
            None where there is no such limit, no `/proc`, or a hard limit too small to hold a block.
        """
        bounds = _bounds()
        if bounds is None:
            return None
        low, high = bounds
        size = min(BLOCK, high - low)
        free = free_blocks(low, high, size, _values_in_use())
        return cls(random.SystemRandom().choice(free), size) if free else None

    def is_reserved_by(self, guardian: int) -> bool:
        """Whether the guardian with this pid, and nobody else, carries the first value of the block."""
        return marked(self.base) == [guardian]

    def take(self) -> int | None:
        """A value for one job, carried by no living process. Give it back with `give_back`.

        Once in a turn of the block it scans all processes, some 10 us for each.

        Returns:
            The value, or None when every value of the block is held or carried.
        """
        for _ in range(self.size):
            self._next += 1
            if self._next >= self.base + self.size:
                self._next = self.base + 1
                self._carried = _values_in_use()
            if self._next not in self._held and self._next not in self._carried:
                self._held.add(self._next)
                return self._next
        return None

    def give_back(self, value: int) -> None:
        """The job with this value is over. Another job gets it only after a whole turn, and a scan."""
        self._held.discard(value)


def free_blocks(low: int, high: int, size: int, taken: Collection[int]) -> list[int]:
    """The first values of the blocks between two bounds in which no value is taken.

    Args:
        low: the lowest value a block may hold.
        high: one above the highest.
        size: values in a block.
        taken: values that living processes carry.
    """
    used = {(value - low) // size for value in taken if low <= value < high}
    return [low + block * size for block in range((high - low) // size) if block not in used]


def marked(value: int, *, since_ticks: int = 0) -> list[int]:
    """The living processes that carry a mark.

    Args:
        value: the mark.
        since_ticks: leave out what began before, in ticks since boot (`process.now_ticks`): saves the
            second read for most of a machine's processes.

    Returns:
        Their pids, the highest first.
    """
    found = process.read_all(since_ticks=since_ticks)
    return [each.pid for each in found if not each.is_dead and process.mark_of(each.pid) == value]


def _values_in_use() -> set[int]:
    return {process.mark_of(pid) for pid in process.pids()}


def _bounds() -> tuple[int, int] | None:
    """From the lowest value a mark may have to one above the highest."""
    if sys.platform != "linux" or not process.has_proc:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    high = _LARGEST if hard == resource.RLIM_INFINITY else hard
    # Below the ordinary soft limit, so that no process has a mark by birth.
    high = min(high, soft) if soft != resource.RLIM_INFINITY else high
    low = high // 2
    return (low, high) if low > 0 and high - low >= 2 else None
