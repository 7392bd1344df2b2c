"""Claims about `lanline leave`."""

from __future__ import annotations

import json

from tests.ui.machines import Machine, wait_until
from tests.ui.terminal import AtTerminal


def test_the_hub_is_told_the_node_stops_and_the_keys_go(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2", "--allow-run=df")
    assert "in no room any more" in other.good("leave")
    assert list(hub.who()) == ["desk"]
    left = {path.name for path in other.home.iterdir()}
    assert left <= {"audit", "policy.toml", "node.lock", "node.log"}
    assert other.run("status").code == 2
    other.join(hub, "pc2")  # with a new key, the same machine can come back
    assert other.who()["pc2"].role == "member"


def test_without_a_hub_it_says_how_to_leave_all_the_same(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    hub.kill()
    wait_until(lambda: other.status()["waiting_for"])
    done = other.run("leave")
    assert done.code == 1
    assert "the hub could not be told" in done.err
    assert "--anyway" in done.err
    assert other.folder.is_in_room
    assert json.loads(other.good("leave", "--anyway", "--json")) == {"left": True, "ended_room": False}
    assert not other.folder.is_in_room


def test_without_a_node_the_hub_cannot_be_told(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    other.good("down")
    done = other.run("leave")
    assert done.code == 2
    assert "lanline up --detach first" in done.err
    other.good("leave", "--anyway")
    assert not other.folder.is_in_room


def test_the_hub_leaves_only_by_ending_the_room(stopped: Machine) -> None:
    done = stopped.run("leave")
    assert done.code == 1
    assert "lanline leave --end-room" in done.err
    done = stopped.run("leave", "--end-room")
    assert done.code == 2
    assert "no terminal to ask at" in done.err
    assert stopped.folder.authority_key.exists()
    assert "The room has ended" in stopped.good("leave", "--end-room", "--yes")
    assert not stopped.folder.authority_key.exists()


def test_ending_the_room_is_asked_first(stopped: Machine) -> None:
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(stopped.home)!r}\nfrom lanline.ui.cli import main\n"
        "console.line(f\"ended with {main(['leave', '--end-room'])}\")"
    )
    with AtTerminal(program) as terminal:
        terminal.until(b"[y/N] ")
        terminal.type(b"n\n")
        assert b"the room goes on" in terminal.whole()
        assert b"ended with 2" in terminal.seen
    assert stopped.folder.is_in_room


def test_a_member_cannot_end_the_room_and_a_stranger_cannot_leave(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    done = other.run("leave")
    assert done.code == 2
    assert "in no room" in done.err
    other.join(hub, "pc2")
    done = other.run("leave", "--end-room", "--yes")
    assert done.code == 2
    assert "not the hub" in done.err
