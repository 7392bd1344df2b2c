"""The line from a worker to its parent."""

from __future__ import annotations

import os
import signal
import socket

from lanline.ui.plain.crewline import Line, Member, how_it_ended


def _pair() -> tuple[Line, Line]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Line(ours), Line(theirs)


def test_events_arrive_whole_and_in_order_however_they_were_cut() -> None:
    ours, theirs = _pair()
    assert ours.receive() == []
    theirs.tell({"event": "one", "text": "你好\n"})
    theirs.sock.sendall(b'{"event": "tw')
    assert ours.receive() == [{"event": "one", "text": "你好\n"}]
    theirs.sock.sendall(b'o"}\n')
    theirs.close()
    assert ours.receive() == [{"event": "two"}]
    assert ours.is_over
    ours.close()


def test_telling_a_parent_that_is_gone_is_no_error() -> None:
    ours, theirs = _pair()
    ours.close()
    for _ in range(3):
        theirs.tell({"event": "x"})
    assert theirs.is_over
    theirs.close()


def test_how_a_worker_ended_is_said_in_few_words() -> None:
    ours, theirs = _pair()
    theirs.close()
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    Member(child, 0, 1, ours, is_trial=False).signal(signal.SIGKILL)
    assert how_it_ended(os.waitpid(child, 0)[1]) == "signal SIGKILL"
    assert how_it_ended(3 << 8) == "exit code 3"
    ours.close()
