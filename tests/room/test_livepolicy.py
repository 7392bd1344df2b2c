"""Claims about the policy of a running node: an edit is in force at the next look, and never without its record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.errors import StateNotSaved
from lanline.room.audit import AuditLog
from lanline.room.chain import records
from lanline.room.livepolicy import LivePolicy, changes_in_words
from lanline.room.policy import Policy, Rule
from lanline.room.policyfile import add_rule, allow_run_rule
from lanline.testing.room import real_room, until

ANY = '[[rule]]\nname = "all"\nany = true\n'
DF = '[[rule]]\nname = "disks"\nprograms = ["df"]\n'


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLog]:
    """An empty log."""
    log = AuditLog(tmp_path / "audit")
    yield log
    log.close()


def written(path: Path, text: str) -> None:
    """Puts a text into a file as an editor does: a new file under the old name."""
    new = path.with_name("new")
    new.write_text(text)
    new.chmod(0o600)
    new.replace(path)


def changes(audit: AuditLog) -> list[list[str]]:
    """What the log says of changes."""
    return [one["details"]["change"] for one in records(audit.folder) if one["what"] == "policy"]


def test_an_edit_is_in_force_at_the_next_look_and_recorded_in_words(tmp_path: Path, audit: AuditLog) -> None:
    path, told = tmp_path / "policy.toml", []
    live = LivePolicy(path, audit)
    live.changed = lambda: told.append(1)
    assert live.now() == Policy()
    written(path, ANY)
    assert not live.is_current
    assert live.now().rules == (Rule("all", any=True),)
    written(path, DF)
    assert [rule.name for rule in live.now().rules] == ["disks"]
    path.unlink()
    assert not live.now().allows_something
    assert changes(audit) == [
        ["new: all: every operator of the room may run any command on this machine."],
        [
            "gone: all: every operator of the room may run any command on this machine.",
            "new: disks: every operator of the room may run df on this machine.",
        ],
        ["gone: disks: every operator of the room may run df on this machine."],
    ]
    assert len(told) == 3


def test_an_edit_in_place_of_the_same_length_is_noticed(tmp_path: Path, audit: AuditLog) -> None:
    path = tmp_path / "policy.toml"
    written(path, DF)
    live = LivePolicy(path, audit)
    path.write_text(DF.replace("df", "du"))
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert live.now().rules[0].programs == ("du",)


def test_a_broken_edit_refuses_everything_with_the_reason(tmp_path: Path, audit: AuditLog) -> None:
    path = tmp_path / "policy.toml"
    written(path, ANY)
    live = LivePolicy(path, audit)
    written(path, ANY + "anny = true\n")
    assert not live.now().allows_something
    assert "anny" in live.now().fault
    assert changes(audit)[-1][0].startswith("everything is refused: policy.toml: ")
    written(path, ANY)
    assert live.now().allows_something
    assert changes(audit)[-1][0] == "it can be read again"


def test_a_file_that_others_can_change_now_is_refused_though_its_text_is_the_same(
    tmp_path: Path, audit: AuditLog
) -> None:
    path = tmp_path / "policy.toml"
    written(path, ANY)
    live = LivePolicy(path, audit)
    path.chmod(0o666)
    assert "others can change" in live.now().fault


def test_what_the_audit_does_not_take_is_not_in_force(
    tmp_path: Path, audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.toml"
    live = LivePolicy(path, audit)
    written(path, ANY)
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> int:
            raise StateNotSaved("no space left on device")

        patch.setattr(audit, "append", full)
        assert "the audit cannot record that: no space left" in live.now().fault
        assert not live.now().allows_something
    assert live.now().allows_something
    assert len(changes(audit)) == 1


def test_text_that_changes_nothing_is_no_change(tmp_path: Path, audit: AuditLog) -> None:
    path = tmp_path / "policy.toml"
    written(path, ANY)
    live = LivePolicy(path, audit)
    written(path, f"# a note\n{ANY}")
    assert live.now().allows_something and live.is_current
    assert changes(audit) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (Policy(), Policy(allow_root=True), "allow_root is now true"),
        (Policy(run_when_stale=True), Policy(), "run_when_stale is now false"),
        (
            Policy((Rule("a", any=True), Rule("b", any=True))),
            Policy((Rule("b", any=True), Rule("a", any=True))),
            "the order of the rules is another",
        ),
    ],
)
def test_each_change_has_words(old: Policy, new: Policy, words: str) -> None:
    assert changes_in_words(old, new) == [words]
    assert changes_in_words(new, new) == []


def test_the_room_hears_of_a_change_whoever_made_it() -> None:
    import asyncio

    async def main() -> None:
        async with real_room(2) as room:
            hub, node = room.hub, room["pc2"]
            assert not hub.presence.of("pc2").runs
            add_rule(room.folders["pc2"].policy, allow_run_rule(), allow_root=True)
            await until(lambda: hub.presence.of("pc2").runs, "the hub to hear of pc2's rule")
            await until(lambda: node.presence.of("pc2").runs, "pc2 to hear it from the hub")
            add_rule(room.folders["hub-1"].policy, allow_run_rule(), allow_root=True)
            await until(lambda: node.presence.of("hub-1").runs, "pc2 to hear of the hub's rule")
            lines = [json.dumps(one) for one in records(room.folders["pc2"].audit) if one["what"] == "policy"]
            assert len(lines) == 1

    asyncio.run(main())
