"""What a fan-out adds up to: the last line, the exit code, and one reason for all machines that share it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from lanline.services.run.outcome import (
    Cancelled,
    Ended,
    Exited,
    Lost,
    Outcome,
    Refused,
    Signaled,
    SpawnFailed,
    TimedOut,
    Unreachable,
)
from lanline.services.run.report import (
    FanOut,
    MemberEnded,
    MemberStarted,
    Plan,
    Reason,
    Report,
    Verdict,
    verdict_on,
    word_for,
)
from lanline.services.run.spec import Started, new_spec


def _fold(names: Iterable[str]) -> str:
    return "+".join(names)


def test_a_verdict_has_the_last_line_and_the_exit_code() -> None:
    verdict = verdict_on({"a": Ended(Exited(0)), "b": Ended(Exited(3)), "c": Ended(TimedOut(2.0))}, _fold)
    assert verdict == Verdict(123, "1 ok, 1 exit 3: b, 1 timeout: c")


def test_machines_that_share_a_reason_share_its_line() -> None:
    closed = Refused("policy", "this machine runs nothing for others", "lanline up --allow-run.")
    verdict = verdict_on({"a": Ended(Unreachable("no route")), "b": Ended(closed), "c": Ended(closed)}, _fold)
    assert verdict.exit_code == 125
    assert verdict.reasons == (
        Reason("b+c", "refused", closed.text, closed.advice),
        Reason("a", "unreachable", "no route"),
    )


def test_what_could_not_be_ended_and_what_was_dropped_is_told() -> None:
    ends = {"a": Ended(TimedOut(1.0), left_running=2), "b": Ended(Exited(0), dropped_bytes=5, left_running=1)}
    told = [(reason.names, reason.what) for reason in verdict_on(ends, _fold).reasons]
    assert told == [("a", "left running"), ("b", "output dropped")]  # a daemon left on purpose is no news


def test_a_room_with_a_reason_for_each_machine_gets_a_short_story() -> None:
    verdict = verdict_on({f"m{n}": Ended(Lost(f"link {n} broke")) for n in range(60)}, _fold)
    assert len(verdict.reasons) == 51
    assert verdict.reasons[-1] == Reason("10 more", "different", "for other reasons")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Exited(3), "exited"),
        (Signaled("SIGSEGV"), "signaled"),
        (TimedOut(1.0), "timeout"),
        (Cancelled("why"), "cancelled"),
        (Refused("rule", "why"), "refused"),
        (Unreachable("why"), "unreachable"),
        (Lost("why"), "lost"),
        (SpawnFailed(2, "why"), "spawn_failed"),
    ],
)
def test_each_outcome_has_its_word(outcome: Outcome, word: str) -> None:
    assert word_for(outcome) == word


@pytest.mark.parametrize(
    "report",
    [Plan(("a",), "a", False), MemberStarted(0, Started(1, "GBK", 2)), MemberEnded(0, Ended(Exited(0)))],
)
def test_reports_are_told_apart_by_their_tag(report: Report) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=Report) == report


def test_a_fan_out_survives_the_wire() -> None:
    request = FanOut("@all", new_spec(("true",)), ("pc3",), 7, 5)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=FanOut) == request


def test_no_machine_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="0 machines at once"):
        FanOut("@all", new_spec(("true",)), (), 0)
