"""A log that a flood cannot fill."""

from __future__ import annotations

import logging

import pytest

from lanline.errors import DatagramRefused, DatagramTruncated
from lanline.transport.quiet import QuietLog


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_first_of_a_kind_is_written_at_once(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    log.warn("accept", "no descriptor", 10.0)
    log.warn("late", "too late", 10.0)
    assert _lines(caplog) == ["no descriptor", "too late"]


def test_what_follows_within_a_second_is_counted_on_the_next_line(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    for number in range(10):
        log.warn("accept", f"trouble {number}", 10.0 + number / 10)
    log.warn("accept", "the last", 11.0)
    assert _lines(caplog) == ["trouble 0", "the last (and 9 more like it in 1 s)"]


def test_a_day_of_flood_is_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    for second in range(86_400):
        log.warn("accept", "trouble", float(second))
    assert len(_lines(caplog)) < 1_500


def test_a_kind_that_was_quiet_for_long_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    log.warn("accept", "first", 0.0)
    log.warn("accept", "held back", 0.5)
    log.warn("accept", "much later", 500.0)
    log.warn("accept", "soon after", 501.0)
    assert _lines(caplog) == ["first", "much later (and 1 more like it in 500 s)", "soon after"]


def test_the_end_writes_what_is_still_counted(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    log.warn("accept", "first", 0.0)
    log.warn("accept", "second", 0.1)
    log.warn("accept", "third", 0.2)
    log.flush(3.0)
    log.flush(3.0)
    assert _lines(caplog) == ["first", "third (and 1 more like it in 3 s)"]


def test_the_traceback_goes_with_the_line_where_a_kind_begins(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    error = OSError("a bad disk")
    for now in (0.0, 0.5, 2.0, 500.0, 502.0):
        log.warn("read", "failed", now, error=error)
    log.flush(503.0)
    assert [record.exc_info is not None for record in caplog.records] == [True, False, True, False]


def test_text_of_a_peer_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("quiet"))
    log.warn("accept", "one\ntwo\x1b[2J", 0.0)
    assert _lines(caplog) == ["one\\ntwo\\x1b[2J"]


def test_a_servers_refused_answer_is_no_warning_and_what_was_cut_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = QuietLog(logging.getLogger("quiet"))
    for _ in range(2):
        log.pass_over(DatagramRefused("nobody listens there"), "udp://here:9", 1.0)
        log.pass_over(DatagramTruncated(10, "udp://there:9"), "udp://here:9", 1.0)
    log.flush(3.0)
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING] * 2
    assert _lines(caplog)[0] == "udp://here:9: nobody listens there"
