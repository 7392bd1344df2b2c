"""What the node writes into the register is what the guardian reads out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.run.kill import Target
from lanline.services.run.register import SLOT_BYTES, Register, read

ONE = Target(mark=500_001, leader=41, leader_start=7, since=6, group="/sys/fs/cgroup/a b/lanline-1-2")
TWO = Target(mark=500_002, since=9)


@pytest.fixture
def register() -> Iterator[Register]:
    made = Register(slots=3)
    yield made
    made.close()


def test_what_is_put_is_read(register: Register) -> None:
    assert read(register.fd) == []
    register.put(1, ONE)
    register.put(2, TWO)
    assert sorted(read(register.fd)) == [ONE, TWO]
    assert len(register) == 2


def test_a_later_word_on_a_job_takes_the_place_of_the_first(register: Register) -> None:
    register.put(1, ONE)
    register.put(1, TWO)
    assert read(register.fd) == [TWO]


def test_a_job_that_is_over_is_not_read(register: Register) -> None:
    register.put(1, ONE)
    register.put(2, TWO)
    register.drop(1)
    register.drop(7)
    assert read(register.fd) == [TWO]


def test_slots_are_used_again_and_never_more_than_there_are(register: Register) -> None:
    for key in range(30):
        register.put(key, ONE)
        register.drop(key)
    for key in range(3):
        register.put(key, TWO)
    with pytest.raises(IndexError):
        register.put(3, TWO)
    assert os.fstat(register.fd).st_size == 3 * SLOT_BYTES


def test_a_slot_without_sense_does_not_hide_the_others(register: Register) -> None:
    for key in range(3):
        register.put(key, TWO)
    os.pwrite(register.fd, b"1 2 three 4 /x".ljust(SLOT_BYTES, b"\0"), SLOT_BYTES)
    assert read(register.fd) == [TWO, TWO]


@given(
    st.tuples(st.integers(0, 2**31), st.integers(0, 2**22), st.integers(0, 2**63), st.integers(0, 2**63)),
    st.binary(max_size=3000).filter(lambda path: b"\0" not in path),
)
def test_every_target_survives_the_register(numbers: tuple[int, int, int, int], path: bytes) -> None:
    register = Register(slots=1)
    target = Target(*numbers, group=os.fsdecode(path))
    register.put(1, target)
    try:
        assert read(register.fd) == [target]
    finally:
        register.close()
