"""Claims about reaching this machine's own node, or not. What a running one answers is the matter of tests/ui."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.errors import ConnectFailed, NodeNotRunning, NotInRoom
from lanline.room.local import connect_local
from lanline.room.paths import StateFolder


@pytest.fixture
def member(home: Path) -> StateFolder:
    """A folder that belongs to a room, as far as it can be seen from outside."""
    folder = StateFolder(home / "state")
    folder.ensure()
    folder.node_certificate.write_bytes(b"")
    return folder


@pytest.mark.parametrize("below", ["none", "none/at/all"])
def test_in_no_room_it_says_so(home: Path, below: str) -> None:
    with pytest.raises(NotInRoom, match=rf"in no room \({home}/{below}\)"):
        connect_local(StateFolder(home / below))


def test_without_a_node_it_says_so(member: StateFolder) -> None:
    with pytest.raises(NodeNotRunning, match="no node is running"):
        connect_local(member)


def test_a_socket_that_a_killed_node_left_is_no_node(member: StateFolder) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(member.control_socket_name)
    assert member.control_socket.exists()
    with pytest.raises(NodeNotRunning):
        connect_local(member)


def test_a_node_that_does_not_answer_is_there_all_the_same(member: StateFolder) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(member.control_socket_name)
        silent.listen()
        with pytest.raises(ConnectFailed, match="did not answer in time") as caught:
            connect_local(member, timeout=0.05)
        assert "node.log" in caught.value.advice


def test_a_file_in_the_sockets_place_is_named(member: StateFolder) -> None:
    member.control_socket.write_bytes(b"")
    with pytest.raises((ConnectFailed, NodeNotRunning)):
        connect_local(member)


def test_it_loads_no_event_loop_and_no_cryptography() -> None:
    code = (
        "import sys\nimport lanline.room.local, lanline.room.records\n"
        "print(*{'asyncio', 'ssl', 'cryptography', 'pathlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == []
