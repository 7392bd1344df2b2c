"""State files on disk: read without following links, replaced whole or not at all.

It knows nothing of what the files hold. Two rules: a reader never follows a symbolic link at the last step
and never reads more than its limit; a writer never leaves half a file under the final name, whatever step
it dies at.

Sources: rename(2), fsync(2); "All File Systems Are Not Created Equal" (OSDI 2014) for why the folder is
synced too.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from lanline.errors import StateDamaged, StateNotSaved, StateUnsafe

if TYPE_CHECKING:
    from pathlib import Path

OWNER_ONLY: Final = 0o077
"""Permission bits that no secret may have set."""

OTHERS_WRITE: Final = 0o022
"""Permission bits that no state file may have set."""

_TEMPORARY_SUFFIX: Final = ".tmp"


def read_state(path: Path, *, max_bytes: int, forbidden_mode: int = OTHERS_WRITE) -> bytes | None:
    """The whole file, or None when there is none.

    Args:
        path: the file; a symbolic link at the last step is refused.
        max_bytes: the largest size that is read.
        forbidden_mode: permission bits that must be clear; `OWNER_ONLY` for a secret.

    Raises:
        StateUnsafe: it is a link or no regular file, belongs to somebody else, or its mode has a forbidden
            bit.
        StateDamaged: it is larger than `max_bytes`, or cannot be read at all.
    """
    try:
        # O_NONBLOCK: a FIFO in the file's place must not hold the node up; fstat then refuses it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    with open(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        check_facts(path, facts, forbidden_mode=forbidden_mode)
        if facts.st_size > max_bytes:
            raise StateDamaged(f"{path} has {facts.st_size} bytes, limit {max_bytes} bytes")
        try:
            data = file.readall()
        except OSError as error:
            raise _unreadable(path, error) from error
    if len(data) > max_bytes:
        raise StateDamaged(f"{path} grew beyond {max_bytes} bytes while it was read")
    return data


def read_secret(path: Path, *, max_bytes: int = 64 * 1024) -> bytes | None:
    """As `read_state`, for a file that nobody else may even read."""
    return read_state(path, max_bytes=max_bytes, forbidden_mode=OWNER_ONLY)


def check_facts(path: Path, facts: os.stat_result, *, forbidden_mode: int) -> None:
    """Refuses a file or folder that others could have changed, or read where that matters.

    Raises:
        StateUnsafe: naming the command that mends it.
    """
    if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
        raise StateUnsafe(
            f"{path} is neither a file nor a folder", advice=f"look at it and remove it: ls -l {quoted(path)}"
        )
    if facts.st_uid != os.geteuid():
        raise StateUnsafe(
            f"{path} belongs to user {facts.st_uid}, lanline runs as user {os.geteuid()}",
            advice=f"run lanline as its owner, or: chown {os.geteuid()} {quoted(path)}",
        )
    if facts.st_mode & forbidden_mode:
        mode = 0o700 if stat.S_ISDIR(facts.st_mode) else 0o600
        can = "read" if forbidden_mode == OWNER_ONLY else "change"
        raise StateUnsafe(
            f"others can {can} {path}: its mode is {stat.S_IMODE(facts.st_mode):04o}",
            advice=f"chmod {mode:o} {quoted(path)}",
        )


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Puts `data` under `path` so that, after a crash at any step, the old or the new content is there whole.

    Returns only when both the content and the name are on disk. A crash may leave a temporary file behind;
    `sweep_leftovers` removes it.

    Raises:
        StateNotSaved: disk full, read-only or failing; what is there is the old content, or the new one whole.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}{_TEMPORARY_SUFFIX}")
    try:
        _write_new(temporary, data, mode)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StateNotSaved(f"{path} could not be written: {error.strerror or error}") from error


def create_secret(path: Path, data: bytes) -> None:
    """Makes a new file that only its owner may read, and never replaces one.

    The content is complete on disk before the final name appears, so a crash never leaves half a key there.

    Raises:
        StateUnsafe: something is there already, be it a link to nowhere.
        StateNotSaved: it could not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}{_TEMPORARY_SUFFIX}")
    try:
        _write_new(temporary, data, 0o600)
        # link(2) refuses an existing name, links included: O_EXCL for a file that is already whole.
        os.link(temporary, path, follow_symlinks=False)
        temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        temporary.unlink(missing_ok=True)
        raise StateUnsafe(
            f"{path} exists already and is never overwritten",
            advice=f"move it away first: mv {quoted(path)} ...",
        ) from None
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StateNotSaved(f"{path} could not be written: {error.strerror or error}") from error


def sweep_leftovers(folder: Path) -> int:
    """Removes temporary files that a crash left in `folder`; returns how many. Only while holding the
    node's lock.
    """
    count = 0
    for entry in os.scandir(folder):
        if entry.name.startswith(".") and entry.name.endswith(_TEMPORARY_SUFFIX):
            os.unlink(entry.path)
            count += 1
    return count


def sync_folder(folder: Path) -> None:
    """Puts the folder's names on disk: without it a rename may be undone by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte: a regular file may still take only part of them when the disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def quoted(path: Path) -> str:
    """The path as it is typed into a shell."""
    import shlex  # here: every short-lived command imports this file, and few quote

    return shlex.quote(str(path))


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> StateUnsafe | StateDamaged:
    if error.errno == errno.ELOOP:
        return StateUnsafe(f"{path} is a symbolic link", advice=f"look at it and remove it: ls -l {quoted(path)}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return StateUnsafe(f"{path} cannot be read: {error.strerror}", advice=f"ls -l {quoted(path)}")
    return StateDamaged(f"{path} cannot be read: {error.strerror or error}")
