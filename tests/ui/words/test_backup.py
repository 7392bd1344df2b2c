"""Claims about `lanline backup` and the way back: a lost hub is replaced, and its members come back to the new one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from tests.ui.conftest import SESAME, Room
from tests.ui.machines import AS_ROOT, Machine, machines, wait_until
from tests.ui.terminal import AtTerminal


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with the backup's passphrase."""
    path = tmp_path / "secret"
    path.write_text("carry me\n")
    path.chmod(0o600)
    return str(path)


def test_a_member_comes_back_to_the_hub_that_took_over(tmp_path: Path, secret: str) -> None:
    file = str(tmp_path / "room.backup")
    with machines(3) as (desk, pc2, spare):
        desk.found("--allow-run", *AS_ROOT)
        pc2.join(desk, "pc2", "--allow-run", *AS_ROOT)
        assert "The room lab, roster 2 of " in desk.good("backup", file, "--passphrase-file", secret)
        desk.kill()
        took = spare.run(
            "init", "--from-backup", file, "--passphrase-file", secret, "--bind", spare.host, "--port", "0", "--detach"
        )
        assert took.code == 0, took
        assert "the hub of the room lab now, with the 2 members of roster 2" in took.err
        assert "lanline up --hub ADDRESS" in took.err
        assert "desk is up as the hub" in took.out
        assert not spare.status()["is_locked"]
        pc2.good("down")
        pc2.good("up", "--detach", "--hub", spare.place())
        spare.wait_online("pc2")
        wait_until(lambda: pc2.status()["waiting_for"] == "")
        assert "backed up" in spare.good("run", "pc2", "--", "echo", "backed up")
        spare.good("members", "role", "pc2", "operator")
        wait_until(lambda: pc2.status()["role"] == "operator")
        desk.good("up", "--detach")  # the lost hub, found again: nobody of the room listens to it
        wait_until(lambda: pc2.status()["waiting_for"] == "")
        assert pc2.who()["desk"].key == spare.who()["desk"].key != desk.who()["desk"].key


def test_the_file_is_new_and_for_its_owner_alone(stopped: Machine, tmp_path: Path, secret: str) -> None:
    file = tmp_path / "room.backup"
    made = json.loads(stopped.good("backup", str(file), "--passphrase-file", secret, "--json"))
    assert made == {"file": str(file), "room": "lab", "roster": 1}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    done = stopped.run("backup", str(file), "--passphrase-file", secret)
    assert done.code == 2
    assert "is never overwritten" in done.err
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["secret", "room.backup"] or len(list(tmp_path.iterdir())) == 2
    done = stopped.run("backup", str(tmp_path / "none" / "x"), "--passphrase-file", secret)
    assert "there is no folder" in done.err


def test_the_passphrases_of_the_room_and_of_the_backup_are_asked_for(locked: Machine, tmp_path: Path) -> None:
    file = tmp_path / "room.backup"
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(locked.home)!r}\nfrom lanline.ui.cli import main\n"
        f"console.line(f\"ended with {{main(['backup', {str(file)!r}])}}\")"
    )
    with AtTerminal(program) as terminal:
        terminal.until(b"Passphrase of the room: ")
        terminal.type(SESAME.encode())
        terminal.until(b"New passphrase: ")
        terminal.type(b"carry me\n")
        terminal.until(b"The same again: ")
        terminal.type(b"carry me\n")
        assert b"ended with 0" in terminal.whole()
    assert file.exists()


def test_a_wrong_passphrase_of_the_room_writes_nothing(locked: Machine, tmp_path: Path, secret: str) -> None:
    file = tmp_path / "room.backup"
    done = locked.run("backup", str(file), "--passphrase-file", secret, "--room-passphrase-file", "-", stdin="wrong\n")
    assert done.code == 4
    assert "does not open the authority key" in done.err
    assert not file.exists()


def test_only_a_hub_is_backed_up(room: Room, tmp_path: Path) -> None:
    done = room.pc2.run("backup", str(tmp_path / "room.backup"))
    assert done.code == 2
    assert "only the hub of a room can be backed up: that is desk" in done.err


@pytest.mark.parametrize(
    ("stdin", "options", "code", "says"),
    [
        ("wrong\n", [], 4, "the passphrase does not open the room backup"),
        ("carry me\n", ["--name", "other"], 2, "the new hub takes the name of the old"),
    ],
)
def test_what_founds_no_hub_leaves_a_machine_in_no_room(
    stopped: Machine, tmp_path: Path, secret: str, stdin: str, options: list[str], code: int, says: str
) -> None:
    file = str(tmp_path / "room.backup")
    stopped.good("backup", file, "--passphrase-file", secret)
    with machines(1) as (fresh,):
        done = fresh.run("init", "--from-backup", file, "--passphrase-file", "-", "--port", "0", *options, stdin=stdin)
        assert done.code == code, done
        assert says in done.err
        assert not fresh.folder.is_in_room
