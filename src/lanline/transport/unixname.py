"""What to hand the kernel as the name of a Unix socket: paths of any length, and abstract names.

`sun_path` holds 107 bytes and a NUL. A longer path is reached through a descriptor of its folder:
`/proc/self/fd/7/name` is short whatever the folder is called. That needs Linux and a last component of at
most about 90 bytes. It opens the folder and nothing else; it imports no asyncio.

Source: unix(7), "Pathname sockets", "Abstract sockets"; proc(5), `/proc/pid/fd`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_NAME_BYTES: Final = 107 if sys.platform == "linux" else 103


@contextmanager
def socket_name(path: str) -> Iterator[bytes]:
    """The name to bind or connect with, valid within the `with` block.

    Args:
        path: a path, or `@name` for the abstract name space (Linux).

    Raises:
        OSError: ENAMETOOLONG when no way leads to a path that long; ENOENT and others from opening its
            folder.
    """
    if path.startswith("@"):
        name = b"\0" + os.fsencode(path[1:])
        if len(name) > MAX_NAME_BYTES + 1:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
        yield name
        return
    whole = os.fsencode(path)
    if len(whole) <= MAX_NAME_BYTES:
        yield whole
        return
    if sys.platform != "linux":
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
    folder, last = os.path.split(whole)
    descriptor = os.open(folder or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = b"/proc/self/fd/%d/%s" % (descriptor, last)
        if len(short) > MAX_NAME_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
        yield short
    finally:
        os.close(descriptor)
