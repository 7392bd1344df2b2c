"""Where the state lies, and who may be able to read it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.errors import StateNotSaved, StateUnsafe
from lanline.room.paths import StateFolder, ensure_folder


def test_the_option_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANLINE_HOME", str(tmp_path / "variable"))
    assert StateFolder.find(tmp_path / "option").path == tmp_path / "option"
    assert StateFolder.find().path == tmp_path / "variable"


def test_without_either_it_is_the_users_state_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANLINE_HOME")
    assert StateFolder.find().path == home / ".local" / "state" / "lanline"


def test_the_users_state_folder_is_where_the_desktop_rules_put_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANLINE_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert StateFolder.find().path == tmp_path / "lanline"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert StateFolder.find().path == home / ".local" / "state" / "lanline"


def test_a_tilde_and_a_relative_folder_become_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert StateFolder.find("~/here").path == home / "here"
    monkeypatch.chdir(home)
    assert StateFolder.find("here").path == home / "here"


def test_finding_the_folder_loads_nothing_slow() -> None:
    code = (
        "import sys\nfrom lanline.room.paths import StateFolder\nStateFolder.find('/tmp/x').control_socket_name\n"
        "slow = {'platformdirs', 'pathlib', 'dataclasses', 'cryptography', 'asyncio', 'ssl', 'msgspec'}\n"
        "print(*slow & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == []


def test_the_folder_is_made_private_with_its_parents(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / "b")
    folder.ensure()
    folder.ensure()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.audit.stat().st_mode) == 0o700


def test_every_file_lies_in_the_folder_under_a_name_of_its_own(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    names = [
        value
        for value in (getattr(folder, name) for name in dir(folder) if not name.startswith("_"))
        if isinstance(value, Path) and value != tmp_path
    ]
    assert len(names) == len(set(names)) > 12
    assert all(one.parent == tmp_path for one in names)
    assert folder.service("chat") == tmp_path / "chat"


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_folder_that_others_can_enter_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    folder.path.chmod(mode)
    with pytest.raises(StateUnsafe, match="others can read") as refused:
        folder.check()
    assert refused.value.advice == f"chmod 700 {folder.path}"


@pytest.mark.parametrize("name", ["authority_key", "node_key", "datagram_key"])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    key = getattr(folder, name)
    key.write_bytes(b"secret")
    key.chmod(0o640)
    with pytest.raises(StateUnsafe, match="others can read"):
        folder.check()
    key.chmod(0o600)
    folder.check()


def test_a_policy_that_others_can_write_is_refused_and_one_they_can_read_is_not(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    folder.policy.write_text("")
    folder.policy.chmod(0o644)
    folder.check()
    folder.policy.chmod(0o646)
    with pytest.raises(StateUnsafe, match="others can change"):
        folder.check()


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    folder.roster.symlink_to("/etc/hostname")
    with pytest.raises(StateUnsafe, match="symbolic link"):
        folder.check()


def test_a_service_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    ensure_folder(folder.service("chat"))
    folder.check()
    folder.service("chat").chmod(0o755)
    with pytest.raises(StateUnsafe, match="chat"):
        folder.check()


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(StateUnsafe, match="not a folder"):
        StateFolder(tmp_path / "state").ensure()
    with pytest.raises(StateNotSaved, match="cannot be made"):
        StateFolder(tmp_path / "state" / "below").ensure()


def test_a_folder_that_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(StateUnsafe, match="cannot be looked at"):
        StateFolder(tmp_path / "none").check()


def test_a_machine_is_in_a_room_once_it_has_a_certificate(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.ensure()
    assert not folder.is_in_room
    folder.node_certificate.write_bytes(b"x")
    assert folder.is_in_room
