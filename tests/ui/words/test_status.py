"""Claims about `lanline status`."""

from __future__ import annotations

import json

from tests.ui.conftest import Room
from tests.ui.machines import Machine, wait_until

from lanline.room.records import NodeStatus


def test_it_says_who_where_and_what_runs(room: Room) -> None:
    shown = room.desk.good("status")
    assert "desk, owner and hub of the room lab" in shown
    assert f"{room.desk.pid}, up " in shown
    assert str(room.desk.home) in shown
    assert f"at {room.desk.place()}" in shown
    assert "authority open" in shown
    assert "3 in roster 3, 3 here" in shown
    assert "may run any command on this machine" in shown
    assert "run: " in shown


def test_a_member_says_whether_its_hub_is_there(room: Room) -> None:
    shown = room.pc10.good("status")
    assert "hub       desk, connected" in shown
    assert "nothing for others (lanline up --allow-run" in shown


def test_json_has_every_field(room: Room) -> None:
    found = json.loads(room.pc2.good("status", "--json"))
    assert set(found) == set(NodeStatus.__struct_fields__)
    assert found["waiting_for"] == ""


def test_a_member_whose_hub_is_away_says_what_it_waits_for(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    wait_until(lambda: other.status()["waiting_for"] == "")
    place = hub.place()
    hub.kill()
    wait_until(lambda: "refused" in other.status()["waiting_for"])
    shown = other.good("status")
    assert "waiting for the hub desk: nothing listens at" in shown
    assert place in shown
    assert "last confirmed the roster" in shown
    done = other.run("invite")
    assert done.code in (1, 4)
    assert "Traceback" not in done.err


def test_a_machine_that_was_removed_is_told_so(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    hub.good("members", "remove", "pc2")
    wait_until(lambda: other.status()["role"] == "removed")
    shown = other.good("status")
    assert "pc2, removed from the room lab" in shown
    assert "ALARM" in shown
    assert other.good("leave").startswith("This machine is in no room any more")


def test_a_discarded_cache_is_an_alarm_and_nothing_is_lost(stopped: Machine) -> None:
    cache = stopped.folder.presence
    cache.write_bytes(cache.read_bytes()[:-5] + b"xxxx\n")
    stopped.good("up", "--detach")
    assert "it was discarded and is learned again" in stopped.good("status")
