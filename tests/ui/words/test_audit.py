"""Claims about `lanline audit`."""

from __future__ import annotations

import json

import pytest
from tests.ui.conftest import Room
from tests.ui.machines import Machine

from lanline.room.audit import AuditLog, Who


@pytest.fixture
def written(stopped: Machine) -> Machine:
    """A stopped hub whose audit has runs of anna, and hostile text."""
    anna = Who("anna", "operator", b"\xaa" * 32)
    with AuditLog(stopped.folder.audit) as log:
        for number in range(30):
            log.start_job(f"{number:02}ffffff", anna, {"argv": ["df", f"-{number}"]})
        log.append("run.refused", who=Who("bert", "guest", b"\xbb" * 32), details={"why": "no \x1b[2J\u202erule"})
    return stopped


def test_the_newest_lines_are_shown_last(room: Room) -> None:
    lines = room.desk.good("audit").splitlines()
    assert lines[0].split() == ["number", "time", "what", "who", "details"]
    assert "join" in room.desk.good("audit", "--what", "join")
    assert "name=pc2" in room.desk.good("audit", "--what", "join", "-n", "2")


def test_as_many_as_asked_for_and_only_what_fits(written: Machine) -> None:
    assert len(written.good("audit").splitlines()) == 21
    assert len(written.good("audit", "-n", "5").splitlines()) == 6

    def found(*options: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in written.good("audit", "--json", "-n", "1000", *options).splitlines()]

    assert len(found("--who", "anna")) == 30
    assert {line["what"] for line in found("--what", "run.*")} == {"run.start", "run.refused"}
    assert [line["job"] for line in found("--job", "07")] == ["07ffffff"]
    assert len(found("--since", "1h")) == len(found())
    assert found("--since", "1ms") == []


def test_hostile_text_is_harmless(written: Machine) -> None:
    shown = written.good("audit", "-n", "1")
    assert r"\x1b[2J\u202e" in shown or r"\u001b[2J\u202e" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in written.good("audit", "-n", "1", "--json")


def test_a_whole_record_is_verified_with_its_last_hash(written: Machine) -> None:
    shown = written.good("audit", "verify")
    assert shown.startswith("whole: ")
    found = json.loads(written.good("audit", "verify", "--json"))
    assert found["whole"]
    assert found["last_hash"] in shown


def test_a_changed_line_is_found_with_its_place(written: Machine) -> None:
    (segment,) = written.folder.audit.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"-7"', b'"-8"'))
    for more in ([], ["--json"]):
        done = written.run("audit", "verify", *more)
        assert done.code == 3
        assert "line " in done.err
        assert "it is not what was written" in done.err
    assert not json.loads(done.out)["whole"]


def test_it_works_while_the_node_runs_and_is_empty_where_nothing_was_done(room: Room, machine: Machine) -> None:
    assert json.loads(room.pc2.good("audit", "verify", "--json"))["whole"]
    assert machine.good("audit", "verify").startswith("whole: 0 lines")
    assert len(machine.good("audit").splitlines()) == 1


@pytest.mark.parametrize("options", [["verfy"], ["verify", "--who", "anna"], ["-n", "0"], ["--since", "10"]], ids=str)
def test_what_makes_no_sense_is_refused(machine: Machine, options: list[str]) -> None:
    done = machine.run("audit", *options)
    assert (done.code, done.out) == (2, "")
    assert "try: lanline audit" in done.err
