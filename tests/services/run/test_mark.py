"""Marks are inherited, kept apart and never given out twice while somebody carries them."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess

import pytest
from tests.services.run.watching import SCATTERED, child, python, watching

from lanline.services.run import mark
from lanline.services.run.mark import Marks, carrying, free_blocks, marked


def _block() -> Marks:
    marks = Marks.choose()
    assert marks is not None
    return marks


def test_the_limit_is_put_back_after_the_spawn() -> None:
    before = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    with carrying(_block().base):
        assert resource.getrlimit(resource.RLIMIT_MSGQUEUE) != before
    assert resource.getrlimit(resource.RLIMIT_MSGQUEUE) == before


def test_the_limit_is_put_back_after_a_failed_spawn() -> None:
    before = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    with pytest.raises(FileNotFoundError), carrying(_block().base):
        subprocess.Popen(["/nowhere/at/all"])
    assert resource.getrlimit(resource.RLIMIT_MSGQUEUE) == before


def test_no_mark_leaves_the_limit_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    with carrying(0):
        assert resource.getrlimit(resource.RLIMIT_MSGQUEUE) == before


def test_a_mark_survives_setsid_double_forks_and_an_empty_environment() -> None:
    value = _block().base + 1
    with child("sh", "-c", SCATTERED, value=value, start_new_session=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        found = marked(value)
        assert len(found) >= 5
        assert len({os.getsid(pid) for pid in found}) == 2
        with watching(found) as watch:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):  # a shell that was on its way out
                    os.kill(pid, 9)
            popen.wait()
            assert watch.wait_gone() == set()
    assert marked(value) == []


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ((), [100, 110, 120]),
        ((100,), [110, 120]),
        ((119,), [100, 120]),
        ((99, 130, 134, 5000), [100, 110, 120]),
        ((105, 110, 129), []),
    ],
)
def test_a_block_that_somebody_carries_a_value_of_is_not_free(taken: tuple[int, ...], free: list[int]) -> None:
    assert free_blocks(100, 135, 10, taken) == free


def test_what_a_living_process_carries_is_seen_when_a_block_is_chosen() -> None:
    marks = _block()
    with child("sleep", "60", value=marks.base + 7):
        assert marks.base + 7 in mark._values_in_use()
    assert marks.base + 7 not in mark._values_in_use()


def test_values_are_below_the_ordinary_limit_and_in_its_upper_half() -> None:
    soft = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0]
    marks = _block()
    assert soft // 2 <= marks.base
    assert marks.base + marks.size <= soft


def test_a_value_does_not_come_back_before_a_whole_turn() -> None:
    marks = Marks(_block().base, 16)
    values = []
    for _ in range(15):
        value = marks.take()
        assert value is not None
        values.append(value)
        marks.give_back(value)
    assert len(set(values)) == 15
    assert marks.base not in values
    assert marks.take() == values[0]


def test_a_value_that_a_daemon_still_carries_is_passed_over() -> None:
    marks = Marks(_block().base, 4)
    first = marks.take()
    assert first is not None
    with child("sleep", "60", value=first):
        marks.give_back(first)
        assert {marks.take(), marks.take()} == {first + 1, first + 2}
        assert marks.take() is None
    marks.give_back(first + 1)
    assert {marks.take(), marks.take()} == {first, first + 1}


def test_the_guardians_mark_reserves_the_block_for_it_alone() -> None:
    marks = _block()
    with child("sleep", "60", value=marks.base) as guardian:
        assert marks.is_reserved_by(guardian.pid)
        with child("sleep", "60", value=marks.base):
            assert not marks.is_reserved_by(guardian.pid)


def test_a_hard_limit_too_small_for_a_block_means_no_marks() -> None:
    code = """
import resource
from lanline.services.run.mark import Marks
resource.setrlimit(resource.RLIMIT_MSGQUEUE, (1, 1))
print(Marks.choose())
resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
print(Marks.choose())
"""
    done = subprocess.run(python(code), capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == ["None", "None"]
