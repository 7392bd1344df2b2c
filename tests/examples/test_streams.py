"""Examples over TCP and Unix sockets: addresses, sticky messages and their cures, commands, files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from lanline import LengthPrefixed, blocking
from tests.examples.program import output, started


def test_two_processes_over_a_unix_socket_know_each_other(home: Path) -> None:
    with started("unix_pair.py", "serve", "unix://pair.sock", folder=home) as server:
        assert server.line() == "serving unix://pair.sock"
        (answer,) = output("unix_pair.py", "unix://pair.sock", folder=home)
        assert re.fullmatch(r"process \d+ heard \d+ bytes", answer)
        assert re.search(rf"uid {os.getuid()}, process \d+", server.line())


def test_ipv6_is_spoken_by_both_sides() -> None:
    with started("ipv6.py", "serve", "tcp://[::1]:0") as server:
        (answer,) = output("ipv6.py", server.address())
        assert re.fullmatch(r"tcp://\[::1\]:\d+ said hello", answer)


def test_each_side_knows_its_own_and_the_others_address() -> None:
    with started("addresses.py", "serve", "tcp://127.0.0.1:0") as server:
        here, there = output("addresses.py", server.address())
        own, other = re.findall(r"tcp://127\.0\.0\.1:\d+", here)
        assert there == f"there: you are {own}, I am {other}"
        assert own != other


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "unix://sticky.sock"])
def test_messages_stick_together_in_spite_of_pauses_when_the_receiver_reads_late(address: str, home: Path) -> None:
    assert output("sticky.py", address, folder=home) == ["message 1: b'onetwothree'"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "unix://sticky.sock"])
def test_terminator_length_and_structure_cure_it(address: str, home: Path) -> None:
    terminator, length, structure, records = output("sticky_cures.py", address, folder=home)
    assert terminator == "terminator: 3 sent, 3 came: [b'one', b'two', b'three']"
    assert length == r"length: 3 sent, 3 came: [b'any\nbytes', b'', b'\x00\x00\x00']"
    assert structure.startswith("structure: 2 sent, 2 came: [")
    assert records == "[(7, 21.5, 1), (8, -3.25, 2)]"


def test_a_command_on_the_list_is_run_and_no_other() -> None:
    with started("remote_command.py", "serve", "tcp://127.0.0.1:0") as server:
        address = server.address()
        assert output("remote_command.py", address, "kernel") == [f"{os.uname().sysname} {os.uname().release}"]
        assert output("remote_command.py", address, "rm -rf /") == ["there are: date, kernel, disk"]


def test_a_file_arrives_with_its_name_and_is_acknowledged(home: Path) -> None:
    (home / "inbox").mkdir()
    content = os.urandom(300_000)
    (home / "picture.png").write_bytes(content)
    with started("file_receive.py", "tcp://127.0.0.1:0", "inbox", folder=home) as server:
        address = server.address()
        assert output("file_send.py", address, "picture.png", folder=home) == ["received picture.png, 300000 bytes"]
        assert (home / "inbox" / "picture.png").read_bytes() == content
        assert output("file_send.py", address, "picture.png", folder=home) == ["refused: there is a file of that name"]
        assert sorted(os.listdir(home / "inbox")) == ["picture.png"]


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "..", "", ".hidden", "a\\b", "a\0b", "a\nb"])
def test_a_name_that_is_a_path_is_refused(name: str, home: Path) -> None:
    with started("file_receive.py", "tcp://127.0.0.1:0", ".", folder=home) as server:
        with blocking.connect(server.address(), framing=LengthPrefixed()) as channel:
            channel.send(name.encode())
            channel.send(b"0")
            assert channel.receive(timeout=10.0) == b"refused: that is no plain name of a file"
        assert os.listdir(home) == []


def test_half_a_file_leaves_nothing_behind(home: Path) -> None:
    with started("file_receive.py", "tcp://127.0.0.1:0", ".", folder=home) as server:
        address = server.address()
        with blocking.connect(address, framing=LengthPrefixed()) as channel:
            channel.send(b"half")
            channel.send(b"1000")
            channel.send(bytes(500))
            channel.end()
            assert list(channel) == []
        assert os.listdir(home) == []
