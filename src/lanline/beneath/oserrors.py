"""What the system's refusals mean beneath a held folder: the one place where `OSError` becomes `FileError`.

Its sentences are English and not translated: most of them are answers over HTTP, read by somebody elsewhere.

Sources: errno(3), openat2(2) (EXDEV, ELOOP), unlinkat(2).
"""

from __future__ import annotations

import errno
from typing import Final

from lanline.beneath.names import Names, as_text
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

_KINDS: Final[dict[int, type[FileError]]] = {
    errno.ENOENT: FileMissing,
    errno.ENOTDIR: FileMissing,
    errno.ESTALE: FileMissing,
    errno.ELOOP: FileMissing,
    errno.EXDEV: LeadsOutside,
    errno.EACCES: NoAccess,
    errno.EPERM: NoAccess,
    errno.EROFS: NoAccess,
    errno.EBUSY: NoAccess,
    errno.ETXTBSY: NoAccess,
    errno.EAGAIN: NoAccess,  # O_NONBLOCK on a file that another program holds by a lease
    errno.ENXIO: NotAFile,  # a socket, or a device that is not there
    errno.ENODEV: NotAFile,
    errno.EOPNOTSUPP: NotAFile,  # a socket, on macOS
    errno.EISDIR: NotAFile,
    errno.ENAMETOOLONG: NameRefused,
    errno.EILSEQ: NameRefused,  # a file system that takes UTF-8 only
    errno.EINVAL: NameRefused,  # a file system that cannot hold this name
    errno.EEXIST: TakenAlready,
    errno.ENOTEMPTY: NotEmpty,
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EFBIG: DiskFull,  # larger than a file of this file system can be
}


def file_error(error: OSError, names: Names) -> FileError:
    """The error of lanline that says what the system said about this file."""
    kind = _KINDS.get(error.errno or 0, FileError)
    if error.errno == errno.ENOENT:
        return kind(f"there is no {as_text(names)}")  # "No such file or directory" would say it twice
    return kind(_sentence(kind).format(name=as_text(names), reason=error.strerror or error))


def _sentence(kind: type[FileError]) -> str:
    # None begins with the name: where sentences get a capital, a name must not.
    if kind is FileMissing:
        return "there is no {name}: {reason}"
    if kind is LeadsOutside:
        return "the path {name} leads out of the folder by a link"
    if kind is TakenAlready:
        return "there is {name} already"
    if kind is NotEmpty:
        return "the folder {name} is not empty"
    if kind is DiskFull:
        return "there is no room for {name}: {reason}"
    if kind is NotAFile:
        return "what is called {name} is neither a file nor a folder"
    return "the system refuses {name}: {reason}"
