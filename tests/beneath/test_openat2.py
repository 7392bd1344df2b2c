"""Claims about openat2 by its number: it answers as its man page says, also in a process where it is forbidden."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.beneath.holding import NO_OPENAT2, content

from lanline.beneath.folder import Folder
from lanline.beneath.openat2 import OpenAt2, is_there
from lanline.beneath.walk import Walk
from lanline.beneath.ways import hold

_FORBID = """
import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
instructions = [
    (0x20, 0, 0, 0),           # load the number of the system call
    (0x15, 0, 1, 437),         # openat2?
    (0x06, 0, 0, 0x00050000 | int(sys.argv[2])),  # answer this error
    (0x06, 0, 0, 0x7fff0000),  # allow the rest
]
code = b"".join(struct.pack("HBBI", *one) for one in instructions)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
from lanline.beneath.folder import Folder
with Folder(sys.argv[1]) as folder, folder.open(("a",)) as opened:
    print(folder, opened.status.st_size)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="seccomp is Linux's")
@pytest.mark.parametrize("number", [1, 38])
def test_where_openat2_is_forbidden_or_unknown_the_walk_is_taken(shared: Path, number: int) -> None:
    (shared / "a").write_bytes(b"12345")
    command = [sys.executable, "-c", _FORBID, str(shared), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    assert done.stdout.split() == [f"Folder({str(shared)!r},", "Walk)", "5"], done.stderr


@NO_OPENAT2
def test_openat2_is_taken_where_it_is(shared: Path) -> None:
    way = hold(str(shared))
    assert isinstance(way, OpenAt2)
    way.close()
    assert is_there()
    assert not issubclass(OpenAt2, Walk)


@NO_OPENAT2
def test_threads_open_at_once_and_each_gets_its_own_file(shared: Path) -> None:
    count = 4
    wrong: list[bytes] = []
    for number in range(count):
        (shared / str(number)).write_bytes(str(number).encode())
    with Folder(shared, way=OpenAt2) as folder:

        def read(number: int) -> None:
            wrong.extend(found for _ in range(200) if (found := content(folder, str(number))) != b"%d" % number)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
