"""Claims about stopping: it returns when the process has gone, and says whom to end where it does not go."""

from __future__ import annotations

import os
import signal
import time

import pytest
from tests.ui.machines import Machine, wait_readable
from tests.ui.recording import Recording

from lanline.errors import LanlineError, NodeNotRunning, NotInRoom
from lanline.ui import stopping


def test_the_process_has_gone_when_it_returns(stopped: Machine) -> None:
    stopped.good("up", "--detach")
    process = os.pidfd_open(stopped.pid)
    assert stopping.stop_node(stopped.folder, Recording()) == stopped.pid
    wait_readable(process, patience=0)
    os.close(process)


def test_without_a_node_or_a_room_there_is_nothing_to_stop(stopped: Machine) -> None:
    with pytest.raises(NodeNotRunning):
        stopping.stop_node(stopped.folder, Recording())
    with pytest.raises(NotInRoom):
        stopping.stop_node(Machine(stopped.home / "none").folder, Recording())


def test_a_node_that_does_not_answer_is_named(stopped: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "ANSWER", 0.3)
    stopped.good("up", "--detach")
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(LanlineError, match=f"process {stopped.pid}, does not stop") as caught:
            stopping.stop_node(stopped.folder, Recording())
        assert time.monotonic() - began < 5
        assert caught.value.advice == f"kill {stopped.pid}"
    finally:
        os.kill(stopped.pid, signal.SIGCONT)


def test_a_node_that_takes_too_long_is_named(stopped: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "PATIENCE", 0.0)
    with pytest.raises(LanlineError, match=f"process {os.getpid()}, is still stopping after 0 s") as caught:
        stopping.wait_gone(os.getpid(), None, Recording())
    assert f"kill -9 {os.getpid()}" in caught.value.advice
