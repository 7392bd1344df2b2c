"""Ctrl-C: the first press is a wish that wakes, the second leaves at once."""

from __future__ import annotations

import os
import select
import signal

import pytest

from lanline.services.run.interrupts import Interrupts


def _is_readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def test_the_first_press_raises_nothing_and_wakes() -> None:
    with Interrupts() as interrupts:
        assert not _is_readable(interrupts.fd)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.pressed == 1
        assert _is_readable(interrupts.fd)
        interrupts.hear()
        assert not _is_readable(interrupts.fd)


def test_hearing_twice_does_no_harm() -> None:
    with Interrupts() as interrupts:
        interrupts.hear()
        interrupts.hear()
        assert interrupts.pressed == 0


def test_the_second_press_leaves_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_what_was_there_before_is_put_back() -> None:
    before, descriptors = signal.getsignal(signal.SIGINT), len(os.listdir("/proc/self/fd"))
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    assert signal.set_wakeup_fd(-1) == -1
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_where_the_signal_is_ignored_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.pressed == 0 and not _is_readable(interrupts.fd)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
