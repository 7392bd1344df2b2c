"""Claims about `lanline up` and `lanline down`: a node starts where it was left, or says why it does not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess

import pytest
from tests.ui.conftest import SESAME
from tests.ui.machines import AS_ROOT, Machine, wait_readable
from tests.ui.terminal import AtTerminal


def test_a_machine_in_no_room_is_told_to_found_or_join_one(machine: Machine) -> None:
    done = machine.run("up", "--detach")
    assert done.code == 2
    assert f"this machine is in no room ({machine.home})" in done.err
    assert "lanline init" in done.err
    assert "lanline join" in done.err


def test_it_starts_again_as_it_was_and_keeps_what_is_changed(stopped: Machine) -> None:
    machine = stopped
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    machine.good("up", "--detach", "--port", str(port), "--allow-run=uptime")
    machine.good("down")
    machine.good("up", "--detach")
    assert machine.place() == f"127.0.0.1:{port}"
    assert [words.partition(" may ")[2] for words in machine.status()["policy"]][:2] == [
        "run df on this machine.",
        "run uptime on this machine.",
    ]


def test_a_second_node_names_the_process_of_the_first_and_changes_nothing(machine: Machine) -> None:
    machine.found()
    before = machine.folder.settings.read_bytes()
    for more in ([], ["--detach"], ["--port", "1", "--detach"]):
        done = machine.run("up", *more)
        assert done.code == 2
        assert f"process {machine.pid}" in done.err
        assert "lanline down" in done.err
    assert machine.folder.settings.read_bytes() == before


def test_a_rule_added_to_a_running_node_is_in_force_at_once(machine: Machine) -> None:
    machine.found()
    assert not machine.status()["runs"]
    done = machine.run("up", "--allow-run=df", *AS_ROOT)
    assert done.code == 0, done
    assert "Rule written: allow-run: every operator" in done.err
    assert "The node that runs here goes by it from now on" in done.err
    assert machine.status()["runs"]
    assert "Rule in force: " in machine.run("up", "--allow-run=df", *AS_ROOT).err
    (record,) = [json.loads(line) for line in machine.good("audit", "--what", "policy", "--json").splitlines()]
    assert record["details"]["change"][0].startswith("new: allow-run: every operator")
    done = machine.run("up", "--allow-run", "--port", "0")
    assert done.code == 2
    assert "lanline down first" in done.err
    assert len(machine.status()["policy"]) == 1


def test_only_a_member_can_be_told_where_the_hub_is(stopped: Machine) -> None:
    done = stopped.run("up", "--detach", "--hub", "127.0.0.9")
    assert done.code == 2
    assert "this machine is the hub" in done.err


def test_a_port_in_use_is_said_by_the_node_in_the_background(stopped: Machine) -> None:
    machine = stopped
    before = machine.folder.settings.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = machine.run("up", "--detach", "--port", str(port))
        front = machine.run("up", "--port", str(port))
    assert (done.code, front.code) == (1, 1)
    assert f"port {port} is in use" in done.err
    assert machine.folder.settings.read_bytes() == before, "what did not work is not kept"
    assert machine.run("status").code == 2


def test_a_control_socket_left_by_a_killed_node_is_no_obstacle(machine: Machine) -> None:
    machine.found()
    machine.kill()
    assert machine.folder.control_socket.exists()
    done = machine.run("who")
    assert done.code == 2
    assert "no node is running" in done.err
    assert "lanline up --detach" in done.err
    machine.good("up", "--detach")
    assert machine.who()


def test_a_long_state_folder_works(machine: Machine) -> None:
    deep = Machine(machine.home / ("d" * 60) / ("e" * 60) / "state")
    try:
        deep.found()
        assert len(str(deep.folder.control_socket)) > 107
        assert deep.who()
        deep.good("down")
    finally:
        deep.kill()


def test_in_front_it_says_where_it_serves_and_ends_at_a_signal(stopped: Machine) -> None:
    machine = stopped
    with subprocess.Popen(
        machine.words("up"), env=machine.settings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as node:
        assert node.stdout is not None
        assert node.stderr is not None
        wait_readable(node.stdout.fileno())
        assert b"desk is up as the hub of the room lab" in node.stdout.readline()
        assert machine.who()
        node.send_signal(signal.SIGINT)
        _, err = node.communicate(timeout=15)
    assert node.returncode == 0
    assert b"stopping: SIGINT" in err
    assert b"stopped" in err


def test_down_returns_when_the_node_has_gone(machine: Machine) -> None:
    machine.found()
    process = os.pidfd_open(machine.pid)
    assert f"process {machine.pid} has ended" in machine.good("down")
    wait_readable(process, patience=0)
    os.close(process)
    done = machine.run("down")
    assert done.code == 2
    assert "no node is running" in done.err


def test_down_answers_programs_with_json(machine: Machine) -> None:
    machine.found()
    assert json.loads(machine.good("down", "--json")) == {"stopped": machine.pid}


def test_a_hub_asks_for_its_passphrase_before_it_detaches(locked: Machine) -> None:
    with AtTerminal(_up(locked)) as terminal:
        terminal.until(b"start locked): ")
        terminal.type(b"wrong\n")
        assert b"does not open" in terminal.until(b"start locked): ", 2)
        terminal.type(SESAME.encode())
        assert b"ended with 0" in terminal.whole()
    assert not locked.status()["is_locked"]


def test_three_wrong_passphrases_start_nothing(locked: Machine) -> None:
    with AtTerminal(_up(locked)) as terminal:
        for count in range(1, 4):
            terminal.until(b"start locked): ", count)
            terminal.type(b"wrong\n")
        assert b"ended with 4" in terminal.whole()
    assert locked.run("status").code == 2


def test_an_empty_answer_starts_it_locked(locked: Machine) -> None:
    with AtTerminal(_up(locked)) as terminal:
        terminal.until(b"start locked): ")
        terminal.type(b"\n")
        assert b"ended with 0" in terminal.whole()
    assert locked.status()["is_locked"]


def test_without_a_terminal_it_starts_locked_and_says_so(locked: Machine) -> None:
    done = locked.run("up", "--detach")
    assert done.code == 0
    assert "no terminal to ask for the passphrase at: the hub starts locked" in done.err
    assert "lanline unlock" in done.out
    assert locked.status()["is_locked"]


def test_a_wrong_passphrase_in_a_file_starts_nothing(locked: Machine) -> None:
    done = locked.run("up", "--detach", "--passphrase-file", "-", stdin="wrong\n")
    assert done.code == 4
    assert "does not open" in done.err
    assert locked.run("status").code == 2


@pytest.mark.parametrize("name", ["node.key", "authority.key", "roster", "node.json", "policy.toml"])
def test_a_file_that_others_can_change_keeps_the_node_from_starting(stopped: Machine, name: str) -> None:
    path = stopped.home / name
    path.chmod(0o666)
    done = stopped.run("up", "--detach")
    assert done.code == 3, done
    assert f"chmod 600 {path}" in done.err


@pytest.mark.parametrize("name", ["node.key", "node.crt", "authority.crt", "authority.key", "roster", "node.json"])
def test_a_flipped_byte_is_refused_with_what_to_do(stopped: Machine, name: str) -> None:
    machine = stopped
    path = machine.home / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    done = machine.run("up", "--detach")
    assert done.code == 3, done
    assert "try: " in done.err
    assert "Traceback" not in done.err
    assert machine.run("status").code == 2


def test_a_policy_with_a_flipped_byte_starts_a_node_that_runs_nothing(stopped: Machine) -> None:
    machine = stopped
    text = machine.folder.policy.read_text()
    machine.folder.policy.write_text(text.replace('"df"', '"dd"'))
    done = machine.run("up", "--detach")
    assert done.code == 0
    assert "run nothing for others: policy.toml: the text is not what lanline wrote" in done.err
    assert not machine.status()["runs"]


def test_a_damaged_audit_is_refused_with_where(stopped: Machine) -> None:
    machine = stopped
    (segment,) = machine.folder.audit.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"first", b"forst"))
    done = machine.run("up", "--detach")
    assert done.code == 3
    assert "lanline audit verify" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused_with_whose_it_is(stopped: Machine) -> None:
    os.chown(stopped.home, 65534, 65534)
    done = stopped.run("up", "--detach")
    assert done.code == 3
    assert f"{stopped.home} belongs to user 65534, lanline runs as user 0" in done.err


def _up(machine: Machine) -> str:
    return (
        f"import os\nos.environ['LANLINE_HOME'] = {str(machine.home)!r}\nfrom lanline.ui.cli import main\n"
        "console.line(f\"ended with {main(['up', '--detach'])}\")"
    )
