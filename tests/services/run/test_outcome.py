"""Outcomes and what they add up to."""

from __future__ import annotations

import errno
import subprocess

import msgspec
import pytest
from tests.services.run.watching import python

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
    exit_code,
    is_ok,
    summary,
)

OK, BAD, SLOW = Exited(0), Exited(3), TimedOut(2.0)
EVERY: list[Outcome] = [
    OK,
    Exited(255),
    Signaled("SIGSEGV", core=True),
    SLOW,
    Cancelled("Ctrl-C"),
    Refused("limit", "8 jobs run on this node"),
    Unreachable("no route"),
    Lost("the link broke"),
    SpawnFailed(errno.ENOENT, "there is no program 'x'"),
]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 2),
        ([OK, OK], 0),
        ([OK, BAD, Exited(7)], 7),
        ([Exited(2**32 - 1)], 255),
        ([Exited(256)], 255),
        ([OK, SLOW], 124),
        ([SLOW, SLOW], 124),
        ([BAD, SLOW], 123),
        ([OK, Signaled("SIGKILL")], 123),
        ([SpawnFailed(2, "")], 123),
        ([SLOW, Signaled("SIGKILL")], 123),
        ([OK, Refused("", "")], 125),
        ([BAD, Unreachable("")], 125),
        ([SLOW, Lost("")], 125),
        ([OK, Cancelled("")], 130),
        ([Lost(""), Cancelled(""), BAD], 130),
    ],
)
def test_many_outcomes_add_up_to_one_exit_code(outcomes: list[Outcome], code: int) -> None:
    assert exit_code(outcomes) == code


def test_only_an_exit_with_zero_is_ok() -> None:
    assert [is_ok(outcome) for outcome in EVERY] == [True] + [False] * (len(EVERY) - 1)


def test_the_last_line_says_who_failed_and_how() -> None:
    outcomes: dict[str, Outcome] = {f"pc{number}": OK for number in range(100, 347)}
    outcomes |= {"pc31": BAD, "pc7": BAD, "pc12": SLOW}
    line = summary(outcomes, fold=lambda names: "+".join(names))
    assert line == "247 ok, 2 exit 3: pc31+pc7, 1 timeout: pc12"


def test_each_kind_of_outcome_has_words_of_its_own() -> None:
    line = summary({str(number): outcome for number, outcome in enumerate(EVERY)})
    assert line == (
        "1 ok, 1 exit 255: 1, 1 signal SIGSEGV: 2, 1 timeout: 3, 1 cancelled: 4, 1 not started (ENOENT): 8, "
        "1 refused: 5, 1 unreachable: 6, 1 lost: 7"
    )


def test_no_outcome_at_all_is_said_in_words() -> None:
    assert summary({}) == "nobody was asked"


@pytest.mark.parametrize("name", ["\x1b[2J", "SIG" + "X" * 20, "SIG TERM", "ＳＩＧ"])
def test_a_signal_name_that_is_none_does_not_reach_the_last_line(name: str) -> None:
    assert summary({"pc1": Signaled(name)}) == "1 signal: pc1"


@pytest.mark.parametrize("outcome", EVERY)
def test_every_outcome_survives_the_wire(outcome: Outcome) -> None:
    ended = Ended(outcome, 1.5, None, 4096, 10, 20, True, None, 3)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ended), type=Ended) == ended
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome


def test_the_command_line_gets_outcomes_without_asyncio() -> None:
    code = "import lanline.services.run.outcome; print('asyncio' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run(python(code), capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == ["False", "False"]
