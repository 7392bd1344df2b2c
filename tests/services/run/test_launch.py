"""One start in one thread: the order of judging, writing and spawning, and what each can say."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from lanline.services.run import spawn
from lanline.services.run.command import Command
from lanline.services.run.launch import Begun, Settled, begin
from lanline.services.run.outcome import Refused, SpawnFailed


class _Ticket:
    """Notes the order in which it is asked."""

    def __init__(self, judged: Any, permitted: Callable[[], Refused | None] = lambda: None) -> None:
        self.notes: list[str] = []
        self._judged = judged
        self._permitted = permitted

    def judge(self) -> Any:
        self.notes.append("judged")
        if isinstance(self._judged, Exception):
            raise self._judged
        return self._judged

    def permit(self) -> Refused | None:
        self.notes.append("permitted")
        return self._permitted()


def _begin(ticket: Any) -> Begun:
    begun = begin(ticket, job="ab" * 16, node=f"test-{os.getpid()}", mark=0)
    if begun.spawned is not None:
        spawn.wait_exit(begun.spawned.pid)
        spawn.reap(begun.spawned)
        for fd in (begun.spawned.pidfd, begun.spawned.out_fd, begun.spawned.err_fd):
            os.close(fd)
    return begun


def test_what_is_permitted_runs() -> None:
    command = Command(("true",), cwd="/")
    ticket = _Ticket(command)
    begun = _begin(ticket)
    assert begun.command is command and begun.spawned is not None and begun.failed is None and begun.at > 0
    assert ticket.notes == ["judged", "permitted"]


def test_a_command_that_was_judged_elsewhere_runs() -> None:
    assert _begin(Settled(Command(("true",), cwd="/"))).spawned is not None


def test_what_is_refused_is_neither_written_down_nor_run() -> None:
    ticket = _Ticket(Refused("policy", "no"))
    assert _begin(ticket) == Begun(failed=Refused("policy", "no"))
    assert ticket.notes == ["judged"]


def test_a_variable_that_may_not_be_set_is_refused_before_anything_is_written_down() -> None:
    ticket = _Ticket(Command(("true",), variables={"LD_PRELOAD": "x"}))
    begun = _begin(ticket)
    assert begun.command is None and isinstance(begun.failed, Refused) and begun.failed.rule == "environment"
    assert ticket.notes == ["judged"]


def test_what_cannot_be_written_down_is_not_run() -> None:
    begun = _begin(_Ticket(Command(("true",)), lambda: Refused("audit", "the disk is full")))
    assert begun == Begun(failed=Refused("audit", "the disk is full"))


def test_a_spawn_that_fails_was_permitted_and_says_why() -> None:
    begun = _begin(_Ticket(Command(("/no/such/program",), cwd="/")))
    assert begun.command is not None and begun.spawned is None
    assert isinstance(begun.failed, SpawnFailed) and begun.failed.errno == errno.ENOENT


def test_a_mistake_while_judging_refuses() -> None:
    begun = _begin(_Ticket(OSError("what nobody foresaw")))
    assert begun.command is None and isinstance(begun.failed, Refused) and begun.failed.rule == "node"
