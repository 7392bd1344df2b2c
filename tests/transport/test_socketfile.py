"""Binding a Unix socket in steps: when time shall pass, what is cleared, what is left alone."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.transport import socketfile


def _bound(address: Address) -> tuple[socket.socket, int]:
    """The socket, and how many times it was to be waited before it was there."""
    *pauses, sock = socketfile.bind_in_steps(address)
    assert sock is not None
    return sock, len(pauses)


def test_a_free_path_is_bound_at_once(home: Path) -> None:
    sock, pauses = _bound(Address("unix", path=str(home / "x")))
    with sock:
        assert pauses == 0
        assert not sock.getblocking()


def test_a_stale_file_is_cleared_after_one_pause(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(home / "x"))
    sock, pauses = _bound(Address("unix", path=str(home / "x")))
    with sock:
        assert pauses == 1
        assert os.listdir(home) == ["x"]


def test_a_server_that_begins_to_listen_within_the_pause_keeps_its_file(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(home / "x"))
        steps = socketfile.bind_in_steps(Address("unix", path=str(home / "x")))
        assert next(steps) is None
        other.listen()
        with pytest.raises(OSError) as caught:
            next(steps)
        assert caught.value.errno == errno.EADDRINUSE
        assert (home / "x").is_socket()


def test_only_the_file_that_was_made_is_removed(home: Path) -> None:
    path = str(home / "x")
    sock, _ = _bound(Address("unix", path=path))
    with sock:
        made = socketfile.identity(path)
        os.unlink(path)
        (home / "other").write_text("")
        os.rename(home / "other", path)
        socketfile.remove(path, made)
        assert os.path.exists(path)
        socketfile.remove(path, socketfile.identity(path))
        assert not os.path.exists(path)
        socketfile.remove(path, made)


def test_an_abstract_name_has_no_file(seed: int) -> None:
    name = f"@lanline-file-{seed}-{os.getpid()}"
    assert socketfile.identity(name) is None
    sock, _ = _bound(Address("unix", path=name))
    with sock:
        with pytest.raises(OSError) as caught:
            _bound(Address("unix", path=name))
        assert caught.value.errno == errno.EADDRINUSE
        socketfile.remove(name, None)
