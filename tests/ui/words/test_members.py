"""Claims about `lanline members`."""

from __future__ import annotations

import json

import pytest
from tests.ui.conftest import Room
from tests.ui.machines import Machine, wait_until


def test_the_list_has_name_role_and_key(room: Room) -> None:
    lines = room.pc2.good("members").splitlines()
    assert [line.split()[0] for line in lines] == ["name", "desk", "pc2", "pc10"]
    assert "owner, hub" in lines[1]
    found = [json.loads(line) for line in room.pc2.good("members", "--json").splitlines()]
    assert found[0] == {"name": "desk", "role": "owner", "is_hub": True, "key": lines[1].split()[-1]}


def test_without_a_node_it_comes_from_the_disk_and_says_so(stopped: Machine) -> None:
    done = stopped.run("members")
    assert done.code == 0
    assert "No node is running: this is roster 1 on disk" in done.err
    assert "desk" in done.out


def test_in_no_room_there_is_no_list(machine: Machine) -> None:
    done = machine.run("members")
    assert done.code == 2
    assert "in no room" in done.err


def test_an_owner_gives_roles_and_removes(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    hub.wait_online("pc2")
    assert hub.good("members", "role", "pc2", "operator") == "pc2 is operator from now on.\n"
    assert hub.who()["pc2"].role == "operator"
    wait_until(lambda: other.who()["pc2"].role == "operator")
    done = other.run("members", "role", "desk", "guest")
    assert done.code == 4, done
    assert "owner" in done.err
    assert "pc2 is no member any more" in hub.good("members", "remove", "pc2")
    assert list(hub.who()) == ["desk"]
    assert json.loads(hub.run("members", "role", "desk", "owner", "--json").out or "{}") == {}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["remove", "pc99"], "no member 'pc99'"),
        (["remove", "\x1b[2J"], r"no member '\x1b[2J'"),
        (["remove", "desk"], "desk is the hub of room lab and cannot be removed"),
        (["role", "pc2", "king"], "there is no role 'king'"),
        (["role", "pc2", "member"], "pc2 is member already"),
        (["remove"], "lanline members remove NAME"),
        (["rename", "a", "b"], "members does not know 'rename a b'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_named(room: Room, words: list[str], says: str) -> None:
    done = room.desk.run("members", *words)
    assert (done.code, done.out) == (2, ""), done
    assert says in done.err
    assert "\x1b" not in done.err
