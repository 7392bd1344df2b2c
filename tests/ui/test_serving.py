"""Claims about what init, join and up have in common."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

import msgspec
import pytest
from tests.ui.recording import Recording

from lanline.arguments import WordParser
from lanline.errors import ListenFailed, UsageError
from lanline.room.paths import StateFolder
from lanline.room.policyfile import load_policy
from lanline.room.records import NodeStatus
from lanline.room.settings import Settings
from lanline.ui.serving import add_serving_options, check_port, check_programs, chosen_settings, grant_runs, say_up

STATUS = NodeStatus(
    "desk", "lab", "owner", True, 7, "0.1.0", 1.0, ("tcp://*:9527",), "", 1, 1, 1, 0.0, False, 0, (), False, 0, (), {},
    "desk", ("192.0.2.1:9527", "[2001:db8::1]:9527"),
)  # fmt: skip


def _options(*arguments: str) -> argparse.Namespace:
    parser = WordParser("up", Recording(), "", examples="lanline up")
    add_serving_options(parser)
    return parser.parse_args(list(arguments))


def test_what_was_not_said_stays_as_it_is() -> None:
    before = Settings("127.0.0.1", 9600, ("desk:9527",))
    assert chosen_settings(_options(), before) == before
    assert chosen_settings(_options("--port", "0"), before) == Settings("127.0.0.1", 0, ("desk:9527",))
    assert chosen_settings(_options("--bind", "*"), before).bind == "*"
    assert chosen_settings(_options("--bind", "fe80::1%eth0"), before).bind == "fe80::1%eth0"


@pytest.mark.parametrize("bind", ["", "desk", "localhost", "127.1", "[::1]", "10.0.0.1:80", "0x7f.1"])
def test_only_an_address_can_be_bound(bind: str) -> None:
    with pytest.raises(UsageError):
        chosen_settings(_options("--bind", bind), Settings())


def test_a_port_in_use_is_found_out_and_a_free_one_stays_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenFailed, match=f"port {port} is in use"):
            check_port(Settings("127.0.0.1", port))
    check_port(Settings("127.0.0.1", port))
    check_port(Settings("127.0.0.1", port))


def test_programs_are_judged_before_anything_is_written() -> None:
    check_programs(_options("--allow-run=df,uptime"))
    check_programs(_options())
    with pytest.raises(UsageError, match="cannot be a program"):
        check_programs(_options("--allow-run=d\x1bf"))


def test_the_rule_is_written_and_said(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    console = Recording()
    grant_runs(_options(), folder, console)
    assert not folder.policy.exists()
    grant_runs(_options("--allow-run=df"), folder, console)
    assert "every operator of the room may run df on this machine" in console.err
    assert ("runs as root" in console.err) == (os.geteuid() == 0)
    grant_runs(_options("--allow-root"), folder, console)
    policy = load_policy(folder.policy)
    assert policy.allow_root
    assert len(policy.rules) == 1


def test_a_node_that_is_up_says_where_it_is_reached() -> None:
    console = Recording()
    say_up(STATUS, console)
    assert "desk is up as the hub of the room lab, process 7" in console.out
    assert "192.0.2.1:9527 or [2001:db8::1]:9527." in console.out
    assert "loopback" not in console.out
    assert "runs nothing for others" in console.out
    assert "Next: lanline invite" in console.out


def test_a_locked_or_lonely_node_says_so() -> None:
    console = Recording()
    changed = msgspec.structs.replace(STATUS, reachable_at=("127.0.0.1:9527",), is_locked=True, members=3)
    say_up(changed, console)
    assert "cannot reach a loopback address" in console.out
    assert "It is locked. Next: lanline unlock" in console.out
    assert "lanline invite" not in console.out


def test_for_programs_it_is_the_status() -> None:
    console = Recording(wants_json=True)
    say_up(STATUS, console)
    (value,) = console.values
    assert isinstance(value, dict)
    assert value["reachable_at"] == list(STATUS.reachable_at)
