"""Claims about what is given to be shared, and what cannot be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ui.terminal import environment

from lanline.errors import UsageError
from lanline.services.share.owner.given import Given, check_contents, is_wide, look_at


def test_a_folder_is_named_by_its_last_name_wherever_links_lead(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    for what in ("photos", "photos/", "photos/../link"):
        assert look_at(f"{tmp_path}/{what}") == Given("folder", f"{tmp_path}/photos", "photos")
    assert look_at("/").name == "files"


def test_the_folder_one_is_in_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert look_at(".").name == "photos"


def test_a_file_keeps_the_name_it_was_given_by(tmp_path: Path) -> None:
    (tmp_path / "build-7.tar").write_bytes(b"x")
    (tmp_path / "latest.tar").symlink_to("build-7.tar")
    assert look_at(f"{tmp_path}/latest.tar") == Given("file", f"{tmp_path}/latest.tar", "latest.tar")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for what, says in (
        (f"{tmp_path}/missing", "there is no"),
        ("", "name of the folder is empty"),
        (f"{tmp_path}/a\0b", "cannot be shared"),
        (f"{tmp_path}/{'x' * 300}", "cannot be shared"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            look_at(what)
        assert caught.value.advice or "cannot" in says


def test_a_slash_behind_a_file_is_said_to_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UsageError, match="is no folder") as caught:
        look_at(f"{tmp_path}/a/")
    assert "slash" in caught.value.advice


def test_a_named_pipe_leads_to_standard_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="named pipe") as caught:
        look_at(f"{tmp_path}/pipe")
    assert f"lanline share - --name NAME < {tmp_path}/pipe" in caught.value.advice


def test_a_socket_and_a_device_are_neither(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/s")
        for what in (f"{tmp_path}/s", "/dev/null"):
            with pytest.raises(UsageError, match="neither a folder nor a file"):
                look_at(what)


_AS_NOBODY = """
import os, sys
from lanline.errors import UsageError
from lanline.services.share.owner.given import Given, check_writable, look_at
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for call in (lambda: look_at(sys.argv[1]), lambda: check_writable(Given("folder", "/usr", "usr"))):
    try:
        call()
    except UsageError as error:
        print(error)
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_this_user_may_not_read_or_write_is_refused(kind: str, home: Path) -> None:
    home.chmod(0o755)
    place = home / "secret"
    place.mkdir() if kind == "folder" else place.write_bytes(b"x")
    place.chmod(0)
    command = [sys.executable, "-c", _AS_NOBODY, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    place.chmod(0o700)
    assert done.stdout.splitlines() == [
        f"this user may not read {place}",
        "nobody could add to /usr: this user may not write there",
    ], done.stderr


def test_the_folder_with_this_machines_keys_is_never_shared(tmp_path: Path) -> None:
    state = tmp_path / "data" / "lanline"
    state.mkdir(parents=True)
    hidden_state = tmp_path / ".local" / "lanline"
    hidden_state.mkdir(parents=True)

    def check(path: Path, kept: Path, *, hidden: bool = False) -> None:
        given = Given("folder", str(path), "x")
        check_contents(given, str(kept), hidden=hidden, is_lan=False, has_password=True)

    for path in (tmp_path, tmp_path / "data", state):
        with pytest.raises(UsageError, match="keeps its keys"):
            check(path, state)
    check(tmp_path, hidden_state)
    check(tmp_path / "data", hidden_state)
    check(tmp_path, tmp_path / "not" / "made")
    with pytest.raises(UsageError, match="keeps its keys"):
        check(tmp_path, hidden_state, hidden=True)
    with pytest.raises(UsageError, match="keeps its keys"):
        check(hidden_state, hidden_state)


def test_a_share_that_makes_a_key_does_not_put_it_before_its_visitors(tmp_path: Path) -> None:
    given = Given("folder", str(tmp_path), "x")

    def check(state: str, *, makes_key: bool) -> None:
        path = str(tmp_path / state)
        check_contents(given, path, hidden=False, is_lan=False, has_password=True, makes_key=makes_key)

    check("not/made", makes_key=False)
    check(".local/lanline", makes_key=True)
    with pytest.raises(UsageError, match="keeps its keys"):
        check("not/made", makes_key=True)


def test_a_share_that_reads_a_secret_file_does_not_show_it(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    given = Given("folder", str(tmp_path / "shared"), "x")

    def check(*secrets: str, hidden: bool = False) -> None:
        paths = [str(tmp_path / one) for one in secrets]
        check_contents(given, "/nonexistent", hidden=hidden, is_lan=False, has_password=True, secrets=paths)

    check("key.pem", "shared/.key.pem")
    for secrets, hidden in ((("shared/sub/key.pem",), False), (("key.pem", "shared/.key.pem"), True)):
        with pytest.raises(UsageError, match="visitors could read it"):
            check(*secrets, hidden=hidden)


def test_a_home_folder_goes_to_the_network_without_its_hidden_files_or_with_a_password(home: Path) -> None:
    given = Given("folder", os.path.realpath(home), "x")
    assert is_wide(given) and is_wide(Given("folder", "/", "files"))
    assert not is_wide(Given("folder", f"{given.path}/photos", "photos"))

    def check(*, hidden: bool, is_lan: bool, has_password: bool) -> None:
        check_contents(given, "/nonexistent", hidden=hidden, is_lan=is_lan, has_password=has_password)

    check(hidden=False, is_lan=True, has_password=False)
    check(hidden=True, is_lan=False, has_password=False)
    check(hidden=True, is_lan=True, has_password=True)
    with pytest.raises(UsageError, match=r"\.ssh"):
        check(hidden=True, is_lan=True, has_password=False)
