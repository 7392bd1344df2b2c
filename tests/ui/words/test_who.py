"""Claims about `lanline who`."""

from __future__ import annotations

import json

from tests.ui.conftest import Room
from tests.ui.machines import Machine

from lanline.room.records import MemberLine
from lanline.ui.words.who import show_member


def test_it_shows_everybody_aligned_in_the_order_people_count(room: Room) -> None:
    heading, *lines = room.desk.good("who").splitlines()
    assert heading.split("  ")[0] == "name"
    assert [line.split()[0] for line in lines] == ["desk", "pc2", "pc10"]
    assert {line.index("127.0.0.") for line in lines} == {heading.index("address")}
    assert [line.split()[-1] for line in lines] == ["yes", "yes", "no"]


def test_each_machine_sees_itself_and_the_hub(room: Room) -> None:
    desk, pc2, pc10 = room.pc2.good("who").splitlines()[1:]
    assert "owner, hub" in desk
    assert "this one" in pc2
    assert "here" in pc10
    assert room.pc10.place() in pc10


def test_json_is_one_object_for_each_machine(room: Room) -> None:
    lines = [json.loads(line) for line in room.desk.good("--json", "who").splitlines()]
    assert [line["name"] for line in lines] == ["desk", "pc2", "pc10"]
    assert lines[0]["is_self"]
    assert lines[1]["addresses"] == [room.pc2.place()]
    assert set(lines[0]) == set(MemberLine.__struct_fields__)


def test_a_target_selects(room: Room) -> None:
    def names(target: str) -> list[str]:
        return [line.split()[0] for line in room.desk.good("who", target).splitlines()[1:]]

    assert names("@others") == ["pc2", "pc10"]
    assert names("pc[2,10],desk!desk") == ["pc2", "pc10"]
    assert names("@owners") == ["desk"]


def test_a_target_that_selects_nobody_names_the_nearest(room: Room) -> None:
    for target, says in (("pc3", "did you mean pc2"), ("@al", "@all"), ("pc[1-10000000]", "limit 4096"), ("", "empty")):
        done = room.desk.run("who", target)
        assert done.code == 2, done
        assert says in done.err


def test_a_machine_that_went_away_was_seen_last(pair: tuple[Machine, Machine]) -> None:
    hub, other = pair
    other.join(hub, "pc2")
    hub.wait_online("pc2")
    other.good("down")
    line = hub.good("who", "pc2").splitlines()[1]
    assert "away" in line
    assert " ago" in line or " 0 s" in line


def test_in_no_room_or_without_a_node_it_says_what_to_do(machine: Machine) -> None:
    done = machine.run("who")
    assert (done.code, done.out) == (2, "")
    assert "in no room" in done.err
    assert "lanline join" in done.err


def test_hostile_texts_of_other_machines_are_harmless(room: Room) -> None:
    done = room.desk.run("who", "\x1b[2J\u202e")
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err


def test_what_is_unknown_is_a_dash_and_what_is_long_ago_a_date() -> None:
    line = MemberLine("pc3", "member", False, False, False, (), "", "", False, -1.0, 0.0, "ab")
    assert [str(cell) if isinstance(cell, str) else cell.text for cell in show_member(line)] == [
        "pc3", "member", "away", "-", "-", "-", "never", "no",
    ]  # fmt: skip
    future = MemberLine("pc3", "member", False, False, False, ("a:1", "b:2"), "1", "", True, 0.0004, 4e9, "ab")
    shown = show_member(future)
    assert shown[5] == "0.4 ms"
    assert str(shown[6]).startswith("2096-")
    assert shown[3] == "a:1"
