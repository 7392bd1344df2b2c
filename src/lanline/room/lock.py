"""The node's lock: one running node per state folder.

flock(2) on a file that is never removed; the kernel lets go when the process dies, so there is no stale
lock. The descriptor is closed on exec, but a plain fork would keep the lock alive: children must exec or
close it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from lanline.errors import NodeAlreadyRunning, StateNotSaved, StateUnsafe


class NodeLock:
    """Holds `path` locked from construction to `release`; a context manager.

    Raises:
        NodeAlreadyRunning: another process holds it; the sentence names its process id.
        StateUnsafe: the file is a symbolic link.
        StateNotSaved: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(self._descriptor)
            os.close(self._descriptor)
            whose = f"process {holder}" if holder else "another process"
            raise NodeAlreadyRunning(f"a node is already running with {path.parent}: {whose}") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    @property
    def is_held(self) -> bool:
        """Whether it is held, and not yet released."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Lets go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<NodeLock {self.path} {'held' if self._descriptor >= 0 else 'released'}>"


def last_holder(path: Path) -> int:
    """The process id of whoever holds the lock, or held it last; 0 where that is not known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock. Takes it for a moment to find out, so it is not to be asked in a loop."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_held_by(path: Path, pid: int) -> bool:
    """Whether this process has the lock's file open, as only the holder has for longer than a moment. Linux only; False
    where it cannot be known."""
    try:
        wanted = os.stat(path)
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                facts = os.stat(f"/proc/{pid}/fd/{name}")
                if (facts.st_dev, facts.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return is_locked(path)
    except OSError:
        return False
    return False


def _read_holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if path.is_symlink():
            raise StateUnsafe(f"{path} is a symbolic link", advice="look at it and remove it.") from error
        raise StateNotSaved(f"{path} cannot be made: {error.strerror or error}") from error
