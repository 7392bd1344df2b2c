"""Claims about `lanline invite`."""

from __future__ import annotations

import json
import re

import pytest
from tests.ui.conftest import SESAME, Room
from tests.ui.machines import Machine, wait_until
from tests.ui.terminal import AtTerminal

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{2}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


@pytest.fixture(scope="module")
def hub(room: Room) -> Machine:
    """The shared room's hub. Invitations change nothing that other tests look at."""
    return room.desk


def test_in_a_pipe_the_code_stands_alone(hub: Machine) -> None:
    done = hub.run("invite", "--ttl", "10s")
    assert CODE.fullmatch(done.out.rstrip("\n"))
    assert done.out.count("\n") == 1
    assert f"lanline join {hub.place()}\n" in done.err
    assert "Add --allow-run where operators may run commands." in done.err
    assert "For one machine as member, for the next 10 s." in done.err


def test_at_a_terminal_it_says_how_to_use_it(hub: Machine) -> None:
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(hub.home)!r}\nfrom lanline.ui.cli import main\n"
        "main(['invite', '--uses', '3', '--ttl', '10s', '--role', 'guest'])"
    )
    with AtTerminal(program) as terminal:
        shown = terminal.whole().decode()
    assert CODE.search(shown)
    assert "For 3 machines as guest" in shown


def test_with_json_it_is_one_object(hub: Machine) -> None:
    made = json.loads(hub.good("invite", "--json", "--uses", "2", "--ttl", "10s"))
    assert CODE.fullmatch(made["code"])
    assert (made["role"], made["uses"], made["addresses"]) == ("member", 2, [hub.place()])
    assert 9 < made["ttl"] <= 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--role", "king"], "there is no role 'king': the roles are guest, member, operator, owner"),
        (["--uses", "0"], "whole number from 1 to 4096"),
        (["--uses", "many"], "whole number"),
        (["--ttl", "10"], "no length of time"),
        (["--role", "operator", "--uses", "3"], "cannot make them operator"),
        (["--ttl", "25h"], "1 s to 86400 s"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_named(hub: Machine, options: list[str], says: str) -> None:
    done = hub.run("invite", *options)
    assert (done.code, done.out) == (2, ""), done
    assert says in done.err, done


def test_a_member_that_is_no_operator_is_told_whom_to_ask(room: Room) -> None:
    done = room.pc10.run("invite")
    assert (done.code, done.out) == (4, "")
    assert "inviting takes the role operator; pc10 is member" in done.err
    assert "lanline members role" in done.err


def test_an_operator_elsewhere_is_told_that_the_hub_is_locked_as_at_the_hub(locked: Machine) -> None:
    other = Machine(locked.home.parent / "other", "127.0.0.2")
    locked.good("up", "--detach", "--passphrase-file", "-", stdin=SESAME)
    code = locked.good("invite", "--role", "operator").strip()
    other.good("join", locked.place(), *other.serving("pc2"), LANLINE_CODE=code)
    try:
        place = locked.place()
        locked.good("down")
        locked.good("up", "--detach", "--port", place.rpartition(":")[2])
        wait_until(lambda: other.status()["waiting_for"] == "")
        done = other.run("invite")
        assert done.code == 4, done
        assert "the hub is locked" in done.err
        assert "lanline unlock" in done.err
    finally:
        other.kill()
