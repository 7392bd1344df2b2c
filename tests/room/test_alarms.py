"""An alarm reaches the log, the audit and the status once, and sounding one never fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lanline.errors import StateNotSaved
from lanline.room.alarms import QUIET, SHOWN, Alarms
from lanline.room.audit import AuditLog
from lanline.room.chain import verify


def lines(folder: Path) -> list[bytes]:
    """The alarms in an audit."""
    found: list[bytes] = []
    verify(folder, lambda line: found.append(line) if b'"alarm"' in line else None)
    return found


def test_an_alarm_is_in_the_log_the_audit_and_the_status(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with AuditLog(tmp_path / "audit") as audit:
        alarms = Alarms(audit)
        alarms.sound("one key on two machines\x1b[2J")
    assert alarms.texts == ("one key on two machines\x1b[2J",)
    assert "one key on two machines\\x1b[2J" in caplog.text
    assert len(lines(tmp_path / "audit")) == 1


def test_the_same_alarm_is_sounded_once_an_hour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    with AuditLog(tmp_path / "audit") as audit:
        alarms = Alarms(audit, now=lambda: now[0])
        for now[0] in (0.0, 1.0, QUIET - 1, QUIET + 1, QUIET + 2):
            alarms.sound("again")
            alarms.sound(f"another at {now[0]}")
    assert caplog.text.count("again") == 2
    assert len(lines(tmp_path / "audit")) == 2 + 5


def test_the_status_shows_the_newest_and_memory_is_bounded(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as audit:
        alarms = Alarms(audit)
        for number in range(1000):
            alarms.sound(f"alarm {number}")
    assert alarms.texts == tuple(f"alarm {number}" for number in range(1000 - SHOWN, 1000))
    assert repr(alarms) == "<Alarms 256>"


def test_a_note_is_shown_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with AuditLog(tmp_path / "audit") as audit:
        alarms = Alarms(audit)
        alarms.note("the presence was discarded")
    assert alarms.texts == ("the presence was discarded",)
    assert not caplog.records and not lines(tmp_path / "audit")


class _FullDisk(AuditLog):
    def append(self, *_: object, **__: object) -> int:
        raise StateNotSaved("the audit could not be written: No space left on device")


def test_a_disk_that_takes_nothing_does_not_silence_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with _FullDisk(tmp_path / "audit") as audit, caplog.at_level(logging.ERROR):
        alarms = Alarms(audit)
        alarms.sound("look at this")
    assert alarms.texts == ("look at this",)
    assert "look at this" in caplog.text and "not in the audit" in caplog.text
