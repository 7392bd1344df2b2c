"""The list of running jobs that a node shares with its guardian: a file in memory with one slot for each job.

The node writes a slot with one system call and nobody is woken by it; the guardian reads the file only when
the node is gone. So a job costs the node 2 us here, where a line in a pipe would wake a second process for
each job (0.1 ms on a machine with two cores), a guardian that was replaced needs to be told nothing, and no
pipe can run full. docs/decisions/0020-the-guardian-reads-a-shared-register.md has the figures.

A slot is `SLOT_BYTES` long: `MARK LEADER START SINCE GROUP`, the fields of `kill.Target` in decimal and the
path at the end, filled up with NUL; a slot of NULs is free. A slot lies in one page and is written in one
call, so that a node killed in the middle of it leaves the old or the new one.

Pure but for its file descriptor; imports what the guardian imports anyway.
"""

from __future__ import annotations

import os
import tempfile

from lanline.services.run.kill import Target

SLOT_BYTES = 4096
"""A page. MAX_PATH of `cgroup.py` and four numbers fit."""


class Register:
    """The node's side. It owns its descriptor: `close` it.

    Args:
        slots: jobs at once.

    Raises:
        OSError: there is no room for the file.
    """

    def __init__(self, slots: int) -> None:
        self.fd = _memory_file()
        self._slots: dict[int, int] = {}
        self._free = list(range(slots))
        os.pwrite(self.fd, bytes(slots * SLOT_BYTES), 0)  # all of it now, so that no later write finds it full

    def __repr__(self) -> str:
        return f"<Register jobs={len(self._slots)} free={len(self._free)}>"

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, key: int, target: Target) -> None:
        """Registers a job, or replaces what was known of it.

        Args:
            key: a number of the node's choice.
            target: how the job is found.

        Raises:
            IndexError: every slot is taken.
            OSError: it cannot be written; a job that is new to the register is not in it then.
        """
        slot = self._slots[key] if key in self._slots else self._free[-1]
        numbers = f"{target.mark} {target.leader} {target.leader_start} {target.since} "
        text = os.fsencode(numbers + target.group)
        os.pwrite(self.fd, text.ljust(SLOT_BYTES, b"\0"), slot * SLOT_BYTES)
        if key not in self._slots:
            self._slots[key] = self._free.pop()

    def drop(self, key: int) -> None:
        """A job is over: what it left running is nobody's to end any more. Unknown keys are let be."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            os.pwrite(self.fd, bytes(SLOT_BYTES), slot * SLOT_BYTES)
            self._free.append(slot)

    def close(self) -> None:
        """Closes the file. A guardian that has it open keeps it."""
        os.close(self.fd)


def read(fd: int) -> list[Target]:
    """The jobs in a register, as the guardian reads them.

    A slot that makes no sense is left out: only the node writes it, and a guardian that stopped over one
    would end nothing.
    """
    targets = []
    at = 0
    while slot := os.pread(fd, SLOT_BYTES, at):
        at += SLOT_BYTES
        fields = slot.rstrip(b"\0").split(b" ", 4)
        if len(fields) == 5 and all(field.isdigit() for field in fields[:4]):
            mark, leader, start, since = (int(field) for field in fields[:4])
            targets.append(Target(mark, leader, start, since, os.fsdecode(fields[4])))
    return targets


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lanline-jobs", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix="lanline-jobs-")
    os.unlink(path)
    return fd
