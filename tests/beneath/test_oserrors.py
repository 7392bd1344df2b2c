"""Claims about what the system's refusals become: each its own error, in one sentence, and none lost."""

from __future__ import annotations

import errno
import os

import pytest

from lanline.beneath.oserrors import file_error
from lanline.errors import (
    DiskFull,
    FileError,
    FileMissing,
    LeadsOutside,
    NameRefused,
    NoAccess,
    NotAFile,
    NotEmpty,
    TakenAlready,
)


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENOENT, FileMissing, "there is no a/b"),
        (errno.ELOOP, FileMissing, "there is no a/b: Too many levels of symbolic links"),
        (errno.EXDEV, LeadsOutside, "the path a/b leads out of the folder by a link"),
        (errno.EACCES, NoAccess, "the system refuses a/b: Permission denied"),
        (errno.EROFS, NoAccess, "the system refuses a/b: Read-only file system"),
        (errno.ENXIO, NotAFile, "what is called a/b is neither a file nor a folder"),
        (errno.ENAMETOOLONG, NameRefused, "the system refuses a/b: File name too long"),
        (errno.EEXIST, TakenAlready, "there is a/b already"),
        (errno.ENOTEMPTY, NotEmpty, "the folder a/b is not empty"),
        (errno.ENOSPC, DiskFull, "there is no room for a/b: No space left on device"),
        (errno.EDQUOT, DiskFull, "there is no room for a/b: Disk quota exceeded"),
        (errno.EMFILE, FileError, "the system refuses a/b: Too many open files"),
        (errno.EIO, FileError, "the system refuses a/b: Input/output error"),
    ],
)
def test_each_number_has_its_error(number: int, kind: type[FileError], sentence: str) -> None:
    found = file_error(OSError(number, os.strerror(number)), ("a", "b"))
    assert type(found) is kind
    assert str(found) == sentence
    assert found.advice
    assert not str(found).startswith("a/b"), "a sentence gets a capital where visitors read it; a name must not"


def test_an_error_without_a_number_keeps_its_words() -> None:
    assert str(file_error(OSError("odd"), ())) == "the system refuses .: odd"
