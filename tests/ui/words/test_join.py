"""Claims about `lanline join`."""

from __future__ import annotations

import itertools
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.ui.machines import AS_ROOT, Machine, machines, wait_readable
from tests.ui.terminal import AtTerminal

WRONG = "00-0000-0000"


@pytest.fixture(scope="module")
def hub() -> Iterator[Machine]:
    """One hub for all of these: each machine that joins has a name of its own."""
    with machines(1) as (one,):
        one.found()
        yield one


_NUMBERS = itertools.count(2)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"pc{next(_NUMBERS)}"


def _join(machine: Machine, place: str, *more: str, name: str = "pc1", **environment: str) -> tuple[int, str]:
    done = machine.run("join", place, *machine.serving(name), *more, **environment)
    return done.code, done.err


def test_it_joins_with_the_code_and_serves(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    code = hub.good("invite", "--role", "operator").strip()
    done = other.run("join", hub.place(), *other.serving(name), "--allow-run", *AS_ROOT, LANLINE_CODE=code)
    assert done.code == 0, done
    assert f"Joined the room lab as {name}, operator." in done.err
    assert "Rule written" in done.err
    assert f"{name} is up in the room lab" in done.out
    hub.wait_online(name)
    assert hub.who()[name].runs
    assert code not in done.out + done.err + other.folder.log.read_text()


def test_the_code_is_asked_for_at_the_terminal(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(other.home)!r}\nfrom lanline.ui.cli import main\n"
        f"code = main(['join', {hub.place()!r}, *{other.serving(name)!r}])\nconsole.line(f'ended with {{code}}')"
    )
    with AtTerminal(program) as terminal:
        terminal.until(b"Code from the hub (lanline invite): ")
        assert terminal.echoes()
        terminal.type(f"  {hub.good('invite').strip().lower()}\n".encode())
        assert b"ended with 0" in terminal.whole()


@pytest.mark.parametrize("is_file", [True, False], ids=["a file", "standard input"])
def test_the_code_can_come_from_a_file(hub: Machine, machine: Machine, name: str, is_file: bool) -> None:
    other = machine
    code = hub.good("invite")
    file = other.home.parent / "code"
    file.write_text(code)
    words = ["join", hub.place(), *other.serving(name), "--code-file", str(file) if is_file else "-"]
    assert f"{name} is up in the room lab" in other.good(*words, stdin="" if is_file else code)


def test_what_the_node_runs_later_does_not_see_the_code(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    other.join(hub, name)
    with open(f"/proc/{other.pid}/environ", "rb") as file:
        assert b"LANLINE_CODE" not in file.read()


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ("Z8-QM4T", 2, "a code of 6 characters, expected 10"),
        ("Z8-QM4T-9XW!", 2, "no code holds '!'"),
        (WRONG, 4, "the code is wrong, used up or has ended"),
    ],
)
def test_a_wrong_code_is_refused_and_nothing_is_kept(
    hub: Machine, machine: Machine, given: str, code: int, says: str
) -> None:
    other = machine
    hub.good("invite")
    got, err = _join(other, hub.place(), LANLINE_CODE=given)
    assert (got, says in err) == (code, True), err
    assert given not in err
    assert not other.folder.is_in_room


def test_a_used_code_is_refused(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    hub.good("invite", "--uses", "2")  # the door stays open, so that the code itself is what is judged
    code = hub.good("invite").strip()
    other.good("join", hub.place(), *other.serving(name), LANLINE_CODE=code)
    again = Machine(other.home.parent / "again", "127.0.0.2")
    got, err = _join(again, hub.place(), name=name + "x", LANLINE_CODE=code)
    assert got == 4
    assert "used up" in err
    assert "lanline invite" in err


def test_an_expired_code_is_refused(hub: Machine, machine: Machine) -> None:
    other = machine
    hub.good("invite", "--uses", "2")
    code = hub.good("invite", "--ttl", "1ms").strip()
    got, err = _join(other, hub.place(), LANLINE_CODE=code)
    assert got == 4
    assert "has ended" in err


def test_a_name_that_is_taken_can_be_mended_with_the_same_code(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    code = hub.good("invite").strip()
    got, err = _join(other, hub.place(), name="desk", LANLINE_CODE=code)
    assert got == 4
    assert "the name desk is taken in room lab" in err
    assert "--name" in err
    assert _join(other, hub.place(), name=name, LANLINE_CODE=code)[0] == 0


def test_a_locked_hub_invites_nobody_and_says_why(locked: Machine) -> None:
    locked.good("up", "--detach")
    done = locked.run("invite")
    assert done.code == 4
    assert "the hub is locked" in done.err
    assert "lanline unlock" in done.err


def test_a_hub_that_is_away_is_named_with_what_to_check(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    got, err = _join(machine, f"127.0.0.1:{port}", LANLINE_CODE=WRONG)
    assert got == 1
    assert f"nothing listens at tcp://127.0.0.1:{port}" in err
    assert not machine.folder.is_in_room


def test_something_else_at_that_port_is_no_hub(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen(
            machine.words("join", place, *machine.serving("pc1")),
            env=machine.settings(LANLINE_CODE=WRONG),
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            wait_readable(server.fileno())
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                assert child.stderr is not None
                err = child.stderr.read()
    assert child.returncode == 4
    assert "something else than lanline answers there: it begins with 'HTTP/1.1 400" in err


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tls://desk:1", "is not the address of a hub"),
        ("unix:///tmp/x", "is not the address of a hub"),
        ("*", "is not the address of a hub"),
        ("desk:port", "is not a number"),
        ("de sk", "is no name"),
        ("\x1b[2J", "is no"),
    ],
)
def test_what_is_no_address_is_named(machine: Machine, address: str, says: str) -> None:
    got, err = _join(machine, address, LANLINE_CODE=WRONG)
    assert got == 2
    assert says in err
    assert "\x1b" not in err


def test_a_machine_in_a_room_joins_no_other(hub: Machine, machine: Machine, name: str) -> None:
    other = machine
    other.join(hub, name)
    for again in (hub, other):
        got, err = _join(again, hub.place(), LANLINE_CODE=WRONG)
        assert got == 2
        assert "in a room already" in err
        assert "lanline leave" in err


def test_without_a_code_and_a_terminal_nothing_is_tried(machine: Machine) -> None:
    got, err = _join(machine, "127.0.0.1:1")
    assert got == 2
    assert "no terminal to ask at" in err
