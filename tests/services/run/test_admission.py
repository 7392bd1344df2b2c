"""The two locks before a process: what the policy says of a request, and what the audit holds of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.services.run.asking import audit_of, running_room

from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room.node import Node
from lanline.services.run.admission import Admission
from lanline.services.run.command import KILL_AFTER, Command
from lanline.services.run.outcome import Ended, Exited, Refused, SpawnFailed
from lanline.services.run.spec import new_spec

OPERATOR = Caller("pc2", Role.OPERATOR, "tls://127.0.0.3:1", b"k" * 32)

POLICY = """
allow_root = true
[[rule]]
name = "no-reboot"
allow = false
programs = ["reboot", "true"]
[[rule]]
name = "disks"
programs = ["df"]
environment = ["LANG"]
folder = true
timeout = 5.0
output_bytes = 1000
[[rule]]
name = "texts"
programs = ["printf"]
"""


def _with_node(work: Callable[[Node], Awaitable[None] | None], *, policy: str = "", services: Any = None) -> None:
    """A node with a policy; without services, for the admission is what is tested."""

    async def main() -> None:
        async with running_room(
            1, is_started=False, services=services or (lambda node: ()), allow_run=not policy
        ) as room:
            if policy:
                _write(room.folders["hub-1"].policy, policy)
            await room.start("hub-1")
            done = work(room.hub)
            if done is not None:
                await done

    asyncio.run(main())


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def test_what_the_policy_allows_becomes_a_command_with_the_nodes_defaults() -> None:
    def work(node: Node) -> None:
        admission = Admission(node, new_spec(("true", "a b")), OPERATOR)
        command = admission.judge()
        assert isinstance(command, Command)
        assert command.argv == ("true", "a b") and (command.program or "").endswith("/true")
        assert (command.cwd, command.timeout, command.kill_after) == (None, None, KILL_AFTER)
        assert admission.output_bytes is None

    _with_node(work)


@pytest.mark.parametrize(("asked", "timeout"), [(None, 5.0), (2.0, 2.0), (9.0, 5.0)])
def test_the_smaller_limit_counts(asked: float | None, timeout: float) -> None:
    def work(node: Node) -> None:
        admission = Admission(node, new_spec(("df",), timeout=asked, output_bytes=2000, kill_after=0.0), OPERATOR)
        command = admission.judge()
        assert isinstance(command, Command) and (command.timeout, command.kill_after) == (timeout, 0.0)
        assert admission.output_bytes == 1000

    _with_node(work, policy=POLICY)


@pytest.mark.parametrize(
    ("argv", "more", "rule", "words"),
    [
        (("true",), {}, "no-reboot", "refuses it"),
        (("cat",), {}, "policy", "lets pc2 run 'cat'"),
        (("printf", "x"), {"cwd": "/"}, "policy", "choose the folder"),
        (("printf", "x"), {"variables": {"A": "1"}}, "policy", "set 'A'"),
        (("./printf",), {}, "", "is relative"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused_with_its_rule(
    argv: tuple[str, ...], more: dict[str, Any], rule: str, words: str
) -> None:
    def work(node: Node) -> None:
        refused = Admission(node, new_spec(argv, **more), OPERATOR).judge()
        if rule:
            assert isinstance(refused, Refused) and refused.rule == rule
            assert words in refused.text
        else:
            assert isinstance(refused, SpawnFailed) and words in refused.text

    _with_node(work, policy=POLICY)


def test_only_who_may_run_something_hears_that_a_program_is_not_there() -> None:
    def work(node: Node) -> None:
        spec = new_spec(("no-such-program",))
        assert isinstance(Admission(node, spec, OPERATOR).judge(), SpawnFailed)
        member = Admission(node, spec, Caller("pc2", Role.MEMBER)).judge()
        assert isinstance(member, Refused) and "takes operator" in member.text

    _with_node(work)


def test_the_start_is_on_disk_before_the_process_may_start() -> None:
    def work(node: Node) -> None:
        spec = new_spec((b"caf\xe9", "a"), variables={"TOKEN": "hunter2"}, cwd="/")
        admission = Admission(node, new_spec(("true",)), OPERATOR)
        assert isinstance(admission.judge(), Command) and admission.permit() is None
        (record,) = audit_of(node)
        assert record["what"] == "run.start" and record["who"]["name"] == "pc2"
        assert record["details"]["argv"] == ["true"] and record["details"]["rule"] == "allow-run"
        assert record["details"]["from"] == OPERATOR.address
        Admission(node, spec, OPERATOR).write_end(Ended(Refused("policy", "no", "ask.")))
        text = "".join(path.read_text() for path in node.audit.folder.glob("*.jsonl"))
        assert "TOKEN" in text and "hunter2" not in text and "caf\\\\udce9" in text.replace("\\u", "\\\\u")

    _with_node(work)


def test_a_job_id_is_permitted_once() -> None:
    def work(node: Node) -> None:
        spec = new_spec(("true",))
        for admission, is_first in ((Admission(node, spec, OPERATOR), True), (Admission(node, spec, OPERATOR), False)):
            assert isinstance(admission.judge(), Command)
            refused = admission.permit()
            assert (refused is None) == is_first
        assert isinstance(refused, Refused) and "ran here already" in refused.text

    _with_node(work)


def test_no_audit_no_run() -> None:
    def work(node: Node) -> None:
        admission = Admission(node, new_spec(("true",)), OPERATOR)
        assert isinstance(admission.judge(), Command)
        node.audit.close()
        for path in node.audit.folder.glob("*.jsonl"):
            path.write_bytes(path.read_bytes().replace(b'"n":0', b'"n":7'))
        refused = admission.permit()
        assert isinstance(refused, Refused) and refused.rule == "audit" and "damaged" in refused.text

    _with_node(work)


def test_an_end_is_written_with_how_it_went() -> None:
    def work(node: Node) -> None:
        admission = Admission(node, new_spec(("true",)), OPERATOR)
        admission.judge()
        admission.permit()
        admission.write_end(Ended(Exited(3), wall_s=1.23456, out_bytes=7, left_running=1))
        _, record = audit_of(node)
        assert record["what"] == "run.end"
        assert record["details"] == {
            "outcome": "exited",
            "code": 3,
            "wall_s": 1.235,
            "out_bytes": 7,
            "err_bytes": 0,
            "left_running": 1,
        }

    _with_node(work)


def test_a_refusal_is_written_with_who_asked_for_what() -> None:
    def work(node: Node) -> None:
        Admission(node, new_spec(("rm", "-rf")), OPERATOR).write_end(Ended(Refused("policy", "no")))
        (record,) = audit_of(node)
        assert (record["what"], record["who"]["name"]) == ("run.refused", "pc2")
        assert record["details"]["argv"] == ["rm", "-rf"] and record["details"]["text"] == "no"

    _with_node(work)
