"""Claims about stopping: it returns when the process has gone, and says whom to end where it does not go."""

from __future__ import annotations

import os
import signal

import pytest
from tests.ui.machines import Machine, wait_readable
from tests.ui.recording import Recording

from lanline.errors import LanlineError, NodeNotRunning, NotInRoom
from lanline.room.lock import NodeLock
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


def test_a_node_that_does_not_answer_is_told_to_end_by_a_signal(
    stopped: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ANSWER", 0.3)
    monkeypatch.setattr(stopping, "PATIENCE", 0.3)
    stopped.good("up", "--detach")
    pid, console = stopped.pid, Recording()
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(LanlineError, match=f"process {pid}, is still stopping") as caught:
            stopping.stop_node(stopped.folder, console)
        assert f"kill -9 {pid}" in caught.value.advice
        assert f"process {pid}, does not answer" in console.err
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_readable(process)  # the signal waited for it
    os.close(process)


def test_a_node_whose_socket_is_gone_is_stopped_all_the_same(stopped: Machine) -> None:
    stopped.good("up", "--detach")
    stopped.folder.control_socket.unlink()
    console = Recording()
    assert stopping.stop_node(stopped.folder, console) == stopped.pid
    assert "SIGTERM" in console.err


def test_a_process_that_does_not_hold_the_lock_is_never_signalled(stopped: Machine) -> None:
    other = os.fork()
    if not other:
        signal.pause()
    try:
        with NodeLock(stopped.folder.lock):
            stopped.folder.lock.write_text(f"{other}\n")
            with pytest.raises(LanlineError, match=f"process {other} cannot be seen to be it") as caught:
                stopping.stop_node(stopped.folder, Recording())
            assert f"kill {other}" in caught.value.advice
        assert os.waitpid(other, os.WNOHANG) == (0, 0)
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)


def test_a_node_that_takes_too_long_is_named(stopped: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "PATIENCE", 0.0)
    with pytest.raises(LanlineError, match=f"process {os.getpid()}, is still stopping after 0 s") as caught:
        stopping.wait_gone(os.getpid(), None, Recording())
    assert f"kill -9 {os.getpid()}" in caught.value.advice
