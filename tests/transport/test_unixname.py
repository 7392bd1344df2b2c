"""Names of Unix sockets: short, long, abstract."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from lanline.transport.unixname import MAX_NAME_BYTES, socket_name


def _long_folder(home: Path) -> Path:
    folder = home / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    return folder


def test_a_path_of_any_length_can_be_bound_and_reached(home: Path) -> None:
    path = str(_long_folder(home) / "x.sock")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with socket_name(path) as name:
            assert len(name) <= MAX_NAME_BYTES
            server.bind(name)
        server.listen()
        with socket_name(path) as name:
            client.connect(name)
    assert os.path.exists(path)


def test_a_short_path_is_its_own_name(home: Path) -> None:
    with socket_name(str(home / "x")) as name:
        assert name == os.fsencode(home / "x")
    longest = "/" + "x" * (MAX_NAME_BYTES - 1)
    with socket_name(longest) as name:
        assert name == longest.encode()


def test_the_folder_of_a_long_path_is_closed_again(home: Path) -> None:
    path = str(_long_folder(home) / "x.sock")
    before = os.listdir("/proc/self/fd")
    with socket_name(path):
        assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_an_abstract_name_begins_with_a_zero_byte() -> None:
    with socket_name("@hub") as name:
        assert name == b"\0hub"


@pytest.mark.parametrize("path", ["@" + "x" * 200, "/tmp/" + "x" * 200])
def test_a_name_that_no_way_leads_to_is_refused(path: str) -> None:
    with pytest.raises(OSError) as caught, socket_name(path):
        raise AssertionError("there is no such name")
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_long_path_without_its_folder_says_so(home: Path) -> None:
    with pytest.raises(FileNotFoundError), socket_name(str(home / ("d" * 150) / "x")):
        raise AssertionError("there is no such folder")
