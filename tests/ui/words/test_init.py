"""Claims about `lanline init`."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.ui.machines import AS_ROOT, Machine
from tests.ui.terminal import AtTerminal

from lanline.room.policyfile import load_policy

QUICK = ("--no-passphrase", "--bind", "127.0.0.1", "--port", "0", "--detach")


def test_it_founds_a_room_and_serves_in_the_background(machine: Machine) -> None:
    out = machine.good("init", "--room", "lab3", "--name", "desk", *QUICK)
    status = machine.status()
    assert (status["name"], status["room"], status["role"], status["is_hub"]) == ("desk", "lab3", "owner", True)
    assert f"process {status['pid']}" in out
    assert status["reachable_at"][0] in out
    assert "other machines cannot reach a loopback address" in out
    assert "runs nothing for others" in out
    assert machine.home.stat().st_mode & 0o777 == 0o700


def test_the_name_comes_from_the_host_name_and_every_interface_is_served(machine: Machine) -> None:
    machine.good("init", "--no-passphrase", "--port", "0", "--detach")
    status = machine.status()
    assert status["room"] == "lan"
    assert status["listens"][0].startswith("tcp://*:")
    assert status["name"]


def test_with_json_it_prints_the_status(machine: Machine) -> None:
    out = machine.good("init", *QUICK, "--json")
    assert out.startswith("{")
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "programs"), [(["--allow-run"], ()), (["--allow-run=df,uptime"], ("df", "uptime"))], ids=str
)
def test_the_rule_for_commands_is_written_and_printed(
    machine: Machine, options: list[str], programs: tuple[str, ...]
) -> None:
    done = machine.run("init", *QUICK, *options, *AS_ROOT)
    assert done.code == 0
    assert "Rule written: allow-run: every operator of the room may run" in done.err
    (rule,) = load_policy(machine.folder.policy).rules
    assert rule.programs == programs
    assert machine.status()["runs"]


@pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")
def test_root_is_told_that_it_runs_nothing_until_it_says_so(machine: Machine) -> None:
    done = machine.run("init", *QUICK, "--allow-run")
    assert "runs as root, so it runs nothing for others all the same" in done.err
    assert "--allow-root" in done.err
    assert not machine.status()["runs"]
    machine.good("down")
    assert "as root" in machine.run("up", "--allow-root", "--detach").err
    assert machine.status()["runs"]


def test_the_passphrase_is_typed_twice_and_never_shown(machine: Machine) -> None:
    with AtTerminal(_asking(machine)) as terminal:
        terminal.until(b"New passphrase: ")
        terminal.type(b"open sesame\n")
        terminal.until(b"The same again: ")
        terminal.type(b"open sesame\n")
        assert b"ended with 0" in terminal.whole()
        assert b"sesame" not in terminal.seen
    assert b"sesame" not in machine.folder.authority_key.read_bytes()
    assert not machine.status()["is_locked"]
    command_line = Path(f"/proc/{machine.pid}/cmdline").read_bytes() + Path(f"/proc/{machine.pid}/environ").read_bytes()
    assert b"sesame" not in command_line
    assert "sesame" not in machine.folder.log.read_text()


@pytest.mark.parametrize(
    ("typed", "says"),
    [([b"one\n", b"two\n"], b"the two passphrases differ"), ([b"\n"], b"an empty passphrase protects nothing")],
    ids=["different", "empty"],
)
def test_a_passphrase_that_is_empty_or_typed_differently_founds_nothing(
    machine: Machine, typed: list[bytes], says: bytes
) -> None:
    with AtTerminal(_asking(machine)) as terminal:
        for prompt, answer in zip((b"New passphrase: ", b"The same again: "), typed, strict=False):
            terminal.until(prompt)
            terminal.type(answer)
        assert says in terminal.whole()
        assert b"ended with 2" in terminal.seen
    assert not machine.folder.is_in_room


def test_without_a_terminal_the_ways_to_give_a_passphrase_are_named(machine: Machine) -> None:
    done = machine.run("init", "--port", "0", "--bind", "127.0.0.1", "--detach")
    assert done.code == 2
    assert "no terminal to ask at" in done.err
    assert not machine.folder.is_in_room


def test_the_passphrase_can_come_from_a_file_or_from_standard_input(machine: Machine, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("open sesame\nmore lines count for nothing\n")
    secret.chmod(0o600)
    options = ("--bind", "127.0.0.1", "--port", "0", "--detach", "--passphrase-file")
    machine.good("init", *options, str(secret))
    machine.good("down")
    machine.good("up", "--detach", "--passphrase-file", "-", stdin="open sesame\n")
    assert not machine.status()["is_locked"]


def test_a_passphrase_file_that_others_can_read_is_refused(machine: Machine, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("open sesame\n")
    secret.chmod(0o644)
    done = machine.run("init", "--port", "0", "--detach", "--passphrase-file", str(secret))
    assert done.code == 3
    assert f"chmod 600 {secret}" in done.err
    assert not machine.folder.is_in_room


def test_a_port_in_use_is_found_before_anything_is_founded(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = machine.run("init", "--no-passphrase", "--bind", "127.0.0.1", "--port", str(port), "--detach")
    assert done.code == 1
    assert f"port {port} is in use" in done.err
    assert "another port" in done.err
    assert not machine.folder.is_in_room


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--name", "PC 7"], "'PC 7' cannot be a node name"),
        (["--name", "\x1b[2J"], r"'\x1b[2J' cannot be a node name"),
        (["--name", "others"], "means something else there"),
        (["--room", ""], "'' cannot be a room name"),
        (["--port", "65536"], "whole number from 0 to 65535"),
        (["--bind", "desk"], "'desk' is no IP address"),
        (["--bind", "192.0.2.77"], "no interface of this machine has that address"),
        (["--allow-run="], "the list after = is empty"),
        (["--allow-run=df\x1b"], "cannot be a program"),
        (["--no-passphrase", "--passphrase-file", "x"], "not allowed with"),
        (["surplus"], "surplus"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_named_and_nothing_is_founded(machine: Machine, options: list[str], says: str) -> None:
    done = machine.run("init", *options, *([] if "--no-passphrase" in options else ["--no-passphrase"]), "--detach")
    assert done.code in (1, 2)
    assert says in done.err
    assert "\x1b" not in done.err
    assert not machine.folder.is_in_room


def test_a_machine_in_a_room_founds_no_other(pair: tuple[Machine, Machine]) -> None:
    hub, _ = pair
    done = hub.run("init", *QUICK)
    assert done.code == 2
    assert "in a room already" in done.err
    assert "lanline up" in done.err


def test_a_folder_that_others_can_look_into_is_refused(machine: Machine) -> None:
    machine.home.mkdir(mode=0o755)
    machine.home.chmod(0o755)
    done = machine.run("init", *QUICK)
    assert done.code == 3
    assert f"chmod 700 {machine.home}" in done.err


def _asking(machine: Machine) -> str:
    return (
        f"import os\nos.environ['LANLINE_HOME'] = {str(machine.home)!r}\nfrom lanline.ui.cli import main\n"
        "code = main(['init', '--bind', '127.0.0.1', '--port', '0', '--detach'])\nconsole.line(f'ended with {code}')"
    )
