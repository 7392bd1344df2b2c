"""Running as another user: the words for setpriv, what is refused, and, as root, that it is so."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess

from lanline.services.run.command import Command
from lanline.services.run.outcome import Refused
from lanline.services.run.runas import as_user

NOBODY = "nobody"
HAS_SETPRIV = shutil.which("setpriv") is not None


def test_the_nodes_own_user_is_no_change() -> None:
    command = Command(("id",), program="/usr/bin/id")
    assert as_user(command, pwd.getpwuid(os.geteuid()).pw_name, own_uid=os.geteuid()) is command


def test_a_user_that_is_not_there_is_refused() -> None:
    refused = as_user(Command(("id",)), "no-such-user", own_uid=0)
    assert isinstance(refused, Refused) and "no such user" in refused.text


def test_a_node_that_is_not_root_cannot() -> None:
    refused = as_user(Command(("id",)), NOBODY, own_uid=54321)
    assert isinstance(refused, Refused) and "only a node that runs as root" in refused.text


def test_the_command_is_started_as_that_user_with_its_own_environment() -> None:
    account = pwd.getpwnam(NOBODY)
    command = as_user(Command(("id", "-un"), program=shutil.which("id")), NOBODY, own_uid=0)
    if not HAS_SETPRIV:
        assert isinstance(command, Refused) and "setpriv" in command.text
        return
    assert isinstance(command, Command) and command.program is not None
    assert f"--reuid={account.pw_uid}" in command.argv and "--init-groups" in command.argv
    assert command.variables["USER"] == NOBODY and command.variables["HOME"] == account.pw_dir
    assert "HOME" in command.allowed_variables and command.cwd in (account.pw_dir, "/")
    if os.geteuid() == 0:
        done = subprocess.run(command.argv, executable=command.program, capture_output=True, check=True)
        assert done.stdout == b"nobody\n"


def test_a_folder_that_was_chosen_stays() -> None:
    command = as_user(Command(("pwd",), cwd="/"), NOBODY, own_uid=0)
    assert isinstance(command, Refused) if not HAS_SETPRIV else command.cwd == "/"  # type: ignore[union-attr]


def test_the_caller_cannot_set_what_makes_it_that_user() -> None:
    refused = as_user(Command(("id",), variables={"HOME": "/elsewhere"}), NOBODY, own_uid=0)
    assert isinstance(refused, Refused) and ("HOME" in refused.text or not HAS_SETPRIV)
