"""The word `run`, as a person types it: real clients, real nodes in processes of their own, real commands."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import randrange
from typing import Any

import pytest
from tests.services.run.house import Done, House, alive, finish, house, read_line, wait_until
from tests.ui.recording import Recording
from tests.ui.terminal import AtTerminal, environment

from lanline.errors import UsageError
from lanline.roles import Role
from lanline.room.paths import StateFolder
from lanline.services.run import words

GRANDCHILD = """(setsid sh -c 'env -i sh -c "sleep {n} & sleep {n} & echo up; wait"' &) ; sleep {n}"""
"""Leaves processes behind in several sessions, without an environment, unless somebody ends them."""


@pytest.fixture(scope="module")
def room() -> Iterator[House]:
    """Six machines in one process: pc4 runs nothing for others, pc5 is a member only."""
    roles = {f"pc{number}": Role.OPERATOR for number in (2, 3, 4, 6)} | {"pc5": Role.MEMBER}
    with house(roles, closed=["pc4"]) as made:
        made.start("hub-1", *roles)
        for name in ("hub-1", "pc2", "pc5"):
            made.wait_online(name, *roles)
        yield made


def _lines(text: str) -> list[str]:
    return sorted(text.splitlines())


# -- what is shown ---------------------------------------------------------------------------------------------


def test_every_line_bears_the_name_of_its_machine_and_the_last_one_sums_up(room: House) -> None:
    done = room.run("hub-1", "run", "pc[2-3]", "hub-1", "--", "sh", "-c", "echo one; echo two >&2")
    assert done.code == 0
    assert _lines(done.out) == ["  pc2: one", "  pc3: one", "hub-1: one"]
    assert _lines(done.err) == ["  pc2: two", "  pc3: two", "3 ok", "hub-1: two"]


def test_without_two_dashes_the_command_begins_at_the_second_word(room: House) -> None:
    assert room.run("pc2", "run", "pc3", "echo", "-n", "--timeout").out == "pc3: --timeout\n"
    assert room.run("pc2", "run", "--timeout", "5s", "pc3", "echo", "hi") == Done(0, "pc3: hi\n", "1 ok\n")


def test_shell_text_variables_and_folder_reach_the_command(room: House) -> None:
    done = room.run(
        "pc2", "run", "pc3", "--shell", 'echo "$A $B" $(pwd)', "--env", "A=1", "--env", "B=x=y", "--cwd", "/"
    )
    assert done.out == "pc3: 1 x=y /\n"


def test_an_argument_is_one_argument_whatever_is_in_it(room: House) -> None:
    done = room.run("pc2", "run", "pc3", "--", "printf", "<%s>", "a b", "$HOME", "*", "")
    assert done.out == "pc3: <a b><$HOME><*><>\n"


def test_groups_and_exclusion_choose_machines(room: House) -> None:
    done = room.run("pc2", "run", "@others", "-x", "pc4,pc5", "--exclude", "hub-1", "--", "true")
    assert (done.code, done.err) == (0, "2 ok\n")


def test_one_machine_can_be_shown_without_its_name(room: House) -> None:
    done = room.run("pc2", "run", "pc3", "--no-prefix", "-q", "--", "sh", "-c", "echo out; echo err >&2")
    assert done == Done(0, "out\n", "err\n")
    several = room.run("pc2", "run", "pc[2-3]", "--no-prefix", "--", "true")
    assert several.code == 2 and "2 machines" in several.err


def test_hostile_output_reaches_nobody_raw(room: House) -> None:
    done = room.run("pc2", "run", "pc3", "--", "printf", r"\033[2J\007\xe2\x80\xae\r\nend\n")
    assert done.out == "pc3: \\x1b[2J\\x07\\u202e\npc3: end\n"


def test_random_bytes_are_shown_and_exact_where_that_is_asked(room: House) -> None:
    command = ("sh", "-c", "printf '\\377\\000a\\303'; printf '\\251\\n'")
    assert room.run("pc2", "run", "pc3", "--", *command).out == "pc3: \\xff\\x00aé\n"
    with room.client("pc2", "run", "pc3", "--raw", "-q", "--", *command) as client:
        assert client.communicate() == (b"\xff\x00a\xc3\xa9\n", b"")


def test_raw_bytes_of_several_machines_are_refused_before_anything_runs(room: House) -> None:
    done = room.run("pc2", "run", "pc[2-3]", "--raw", "--", "true")
    assert done.code == 2 and "run into each other" in done.err


def test_json_has_a_document_per_line_and_bytes_where_text_will_not_do(room: House) -> None:
    done = room.run("pc2", "--json", "run", "pc3", "--", "sh", "-c", "printf 'a\\377b'; echo é >&2; exit 3")
    events: list[dict[str, Any]] = [json.loads(line) for line in done.out.splitlines()]
    by_event = {event["event"]: event for event in events}
    assert [event["event"] for event in events if event["event"] != "output"] == ["plan", "started", "ended", "verdict"]
    assert by_event["plan"]["machines"] == ["pc3"]
    assert by_event["started"]["machine"] == "pc3" and by_event["started"]["pid"] > 1
    assert (by_event["ended"]["outcome"], by_event["ended"]["code"], by_event["ended"]["ok"]) == ("exited", 3, False)
    assert by_event["verdict"] == {"event": "verdict", "exit_code": 3, "text": "1 exit 3: pc3"}
    outputs = {event["stream"]: event for event in events if event["event"] == "output"}
    assert base64.b64decode(outputs["stdout"]["base64"]) == b"a\xffb" and outputs["stdout"]["text"] == "a\\xffb"
    assert outputs["stderr"]["text"] == "é\n" and "base64" not in outputs["stderr"]
    assert (done.code, done.err) == (3, "")


# -- exit codes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "command", "code", "last"),
    [
        ("pc[2-3]", "exit 0", 0, "2 ok"),
        ("pc[2-3]", "test $LANLINE_NODE = pc2 || exit 7", 7, "1 ok, 1 exit 7: pc3"),
        ("pc2", "kill -SEGV $$", 123, "1 signal SIGSEGV: pc2"),
        ("pc[2-4]", "exit 1", 125, "2 exit 1: pc[2-3], 1 refused: pc4"),
        ("pc4", "exit 0", 125, "1 refused: pc4"),
    ],
)
def test_the_exit_code_tells_the_truth(room: House, target: str, command: str, code: int, last: str) -> None:
    done = room.run("pc2", "run", target, "--shell", command)
    assert (done.code, done.err.splitlines()[-1]) == (code, last)


def test_a_timeout_is_124_and_leaves_nothing(room: House) -> None:
    number = _unique()
    done = room.run("pc2", "run", "pc3", "--timeout", "300ms", "--shell", GRANDCHILD.format(n=number))
    assert (done.code, done.err.splitlines()[-1]) == (124, "1 timeout: pc3")
    assert not alive(f"sleep {number}")


def test_a_program_that_is_not_there_was_not_started(room: House) -> None:
    done = room.run("pc2", "run", "pc3", "--", "no-such-program")
    assert done.code == 123
    assert done.err == "pc3 not started: there is no program 'no-such-program' here\n1 not started (ENOENT): pc3\n"


def test_a_folder_that_is_not_there_is_said(room: House) -> None:
    done = room.run("pc2", "run", "pc3", "--cwd", "/no/such", "--", "true")
    assert done.code == 123 and "'/no/such'" in done.err


def test_a_refusal_says_what_the_owner_of_the_machine_can_do(room: House) -> None:
    done = room.run("pc2", "run", "pc4", "--", "true")
    assert done.code == 125 and "lanline up --allow-run" in done.err


def test_a_member_who_is_no_operator_is_told_early_what_to_do(room: House) -> None:
    done = room.run("pc5", "run", "@all", "--", "true")
    assert done.code == 125
    assert "pc5 is member" in done.err and "lanline members role pc5 operator" in done.err and done.out == ""


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("pc[1-10000000]", "limit"),
        ("pc33", "did you mean pc3"),
        ("@opperators", "@operators"),
        ("@guests", "selects no member"),
        ("pc[2", "cannot be read"),
    ],
)
def test_a_target_that_selects_nobody_is_a_mistake_of_usage(room: House, target: str, words: str) -> None:
    done = room.run("pc2", "run", target, "--", "true")
    assert done.code == 2 and words in done.err and done.out == ""


def test_where_no_node_runs_nothing_is_asked(room: House, tmp_path: Any) -> None:
    room.room.folders["nobody"] = StateFolder(tmp_path)
    try:
        done = room.run("nobody", "run", "@all", "--", "true")
    finally:
        del room.room.folders["nobody"]
    assert done.code == 2 and "lanline init" in done.err


def test_a_closed_standard_input_is_no_terminal(room: House) -> None:
    program = f"import os, sys\nos.close(0)\nos.execv({sys.executable!r}, {room.words('pc2', 'run', 'pc3', 'true')!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), timeout=15)
    assert (done.returncode, done.stderr) == (0, b"1 ok\n")


# -- words that make no sense ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words_of_it"),
    [
        ([], "no machine is named"),
        (["pc2"], "no command"),
        (["pc2", "--"], "no command"),
        (["pc2", "--", ""], "is empty"),
        (["", "--", "true"], "is empty"),
        (["--", "true"], "no machine is named"),
        (["pc2", "@all", "true"], "second target"),
        (["pc2", "pc[3-4]"], "second target"),
        (["pc2", "--shell", "ls", "--", "ls"], "in place|takes the place"),
        (["pc2", "--timeout", "5", "--", "ls"], "no length of time"),
        (["pc2", "--timeout", "-5s", "--", "ls"], "timeout"),
        (["pc2", "--env", "A", "--", "ls"], "NAME=VALUE"),
        (["pc2", "--env", "=secret", "--", "ls"], "NAME=VALUE"),
        (["pc2", "--fanout", "0", "--", "ls"], "from 1"),
        (["pc2", "--nonsense", "--", "ls"], "nonsense"),
    ],
)
def test_words_that_make_no_sense_ask_nobody(arguments: list[str], words_of_it: str, tmp_path: Any) -> None:
    with pytest.raises(UsageError, match=words_of_it) as caught:
        words.run(arguments, Recording(), StateFolder(tmp_path))
    assert "secret" not in str(caught.value)


def test_raw_and_json_exclude_each_other(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="base64"):
        words.run(["pc2", "--raw", "--", "ls"], Recording(wants_json=True), StateFolder(tmp_path))


def test_help_shows_an_example(room: House) -> None:
    done = room.run("pc2", "run", "--help")
    assert done.code == 0 and "lanline run @all -- uname -a" in done.out


# -- at a terminal -----------------------------------------------------------------------------------------------


def _typed(room: House, *words: str) -> AtTerminal:
    arguments = ["--home", str(room.room.folders["pc2"].path), "run", *words]
    return AtTerminal(f"import sys\nfrom lanline.ui.cli import main\nsys.exit(main({arguments!r}))\n")


def test_many_machines_are_asked_about_at_a_terminal(room: House) -> None:
    with _typed(room, "@all", "--", "echo", "ran") as terminal:
        assert b"on 6 machines: hub-1,pc[2-6]? [y/N]" in terminal.until(b"[y/N]")
        terminal.type(b"n\n")
        assert b"nothing was run" in terminal.until(b"nothing was run")
        assert terminal.process.wait(10) == 2
        assert b"ran\r\n" not in terminal.seen
    with _typed(room, "@all", "-x", "pc4", "--yes", "--", "echo", "ran") as terminal:
        assert b"[y/N]" not in terminal.whole()


def test_yes_at_the_terminal_runs_it(room: House) -> None:
    with _typed(room, "@all", "--", "echo", "ran") as terminal:
        terminal.until(b"[y/N]")
        terminal.type(b"y\n")
        seen = terminal.until(b"1 refused")
        assert seen.count(b"ran\r\n") == 5
        assert terminal.process.wait(10) == 125


def test_ctrl_c_at_the_question_runs_nothing(room: House) -> None:
    with _typed(room, "@all", "--", "echo", "ran") as terminal:
        terminal.until(b"[y/N]")
        terminal.type(b"\x03")
        assert terminal.process.wait(10) == 130
        assert b"ran\r\n" not in terminal.seen
    _wait_no_jobs(room, "pc3")


def test_escape_codes_of_a_machine_do_not_reach_the_terminal(room: House) -> None:
    with _typed(room, "pc3", "--", "printf", r"\033[2J\033]0;title\007\xe2\x80\xaeend\r\n") as terminal:
        seen = terminal.until(b"1 ok")
        assert b"\\x1b[2J\\x1b]0;title\\x07\\u202eend" in seen
        assert b"\x1b[2J" not in seen and b"\x07" not in seen
        assert terminal.process.wait(10) == 0


def test_a_prompt_without_a_newline_appears_at_a_terminal(room: House) -> None:
    with _typed(room, "pc3", "--", "sh", "-c", "printf 'password: '; sleep 5") as terminal:
        assert b"password: " in terminal.until(b"password: ")
        terminal.type(b"\x03")
        assert b"1 cancelled: pc3" in terminal.until(b"1 cancelled: pc3")
        assert terminal.process.wait(10) == 130


def test_raw_bytes_are_refused_onto_a_terminal(room: House) -> None:
    with _typed(room, "pc3", "--raw", "--", "echo", "ran") as terminal:
        assert b"does not go to a terminal" in terminal.until(b"does not go to")
        assert terminal.process.wait(10) == 2


def test_raw_output_into_a_file_shows_errors_cleaned_at_the_terminal(room: House) -> None:
    arguments = ["--home", str(room.room.folders["pc2"].path), "run", "pc3", "--raw", "--"]
    arguments += ["sh", "-c", "printf '\\377'; printf '\\033[2Jerr\\n' >&2"]
    program = f"import sys\nfrom lanline.ui.cli import main\nsys.exit(main({arguments!r}))\n"
    with AtTerminal(program, redirected=True) as terminal:
        assert terminal.process.stdout is not None
        assert terminal.process.stdout.read() == b"\xff"
        assert b"\\x1b[2Jerr" in terminal.whole()


# -- leaving ---------------------------------------------------------------------------------------------------


def _unique() -> str:
    return f"{randrange(100_000, 999_999)}.{os.getpid()}"


@contextmanager
def _running(room: House, target: str, number: str) -> Iterator[subprocess.Popen[bytes]]:
    """A client whose command has left processes everywhere, and runs."""
    with room.client("pc2", "run", target, "--shell", GRANDCHILD.format(n=number)) as client:
        assert client.stdout is not None
        for _ in target.split(","):
            assert read_line(client.stdout.fileno()).endswith(": up")
        count = 3 * len(target.split(","))
        wait_until(lambda: len(alive(f"sleep {number}", only_first=True)) == count, "three sleepers on each machine")
        yield client


def test_ctrl_c_ends_every_command_and_says_how_it_went(room: House) -> None:
    number = _unique()
    with _running(room, "pc2,pc3", number) as client:
        client.send_signal(signal.SIGINT)
        done = finish(client)
    assert done.code == 130
    said = [line for line in done.err.splitlines() if not line.endswith("Terminated")]  # which is the shell's own
    assert said == [
        "cancelling on 2 machines; Ctrl-C again leaves without waiting for how it ends",
        "pc[2-3] cancelled: Ctrl-C was pressed",
        "2 cancelled: pc[2-3]",
    ]
    assert not alive(f"sleep {number}")


def test_a_second_ctrl_c_leaves_at_once_and_the_node_ends_the_command(room: House) -> None:
    with room.client("pc2", "run", "pc3", "--shell", "trap '' TERM; echo up; sleep 600 & wait; wait") as client:
        assert client.stdout is not None and client.stderr is not None
        assert read_line(client.stdout.fileno()).endswith(": up")
        client.send_signal(signal.SIGINT)
        assert read_line(client.stderr.fileno()).startswith("cancelling")
        client.send_signal(signal.SIGINT)
        assert finish(client).code == 130
    _wait_no_jobs(room, "pc3")


def test_a_killed_client_leaves_nothing_behind(room: House) -> None:
    number = _unique()
    with _running(room, "pc2,pc3", number) as client:
        client.kill()
        finish(client)
    wait_until(lambda: not alive(f"sleep {number}"), "the processes to be gone")
    assert room.run("pc2", "run", "pc3", "--", "true").code == 0


def test_a_reader_that_goes_away_ends_the_command(room: House) -> None:
    with room.client("pc2", "run", "pc3", "--shell", "while :; do echo line; done") as client:
        assert client.stdout is not None and client.stderr is not None
        read_line(client.stdout.fileno())
        client.stdout.close()
        client.stderr.close()
        assert client.wait(10) == 141
    _wait_no_jobs(room, "pc3")


def test_the_client_loads_neither_event_loop_nor_cryptography(room: House) -> None:
    unwanted = ("asyncio", "ssl", "cryptography", "rich", "ClusterShell", "uvloop")
    arguments = ["--home", str(room.room.folders["pc2"].path), "run", "pc[2-3]", "--", "true"]
    program = f"import sys; from lanline.ui.cli import main; code = main({arguments!r})\n"
    program += f"print([name for name in {unwanted!r} if name in sys.modules], code)"
    argv = [sys.executable, "-P", "-c", program]
    done = subprocess.run(argv, capture_output=True, env=environment(), timeout=15, check=True)
    assert done.stdout == b"[] 0\n", done.stderr


# -- nodes that are killed -------------------------------------------------------------------------------------


@pytest.fixture
def breakable() -> Iterator[House]:
    """The hub with pc2 in one process, pc3 and pc4 in one each."""
    with house(dict.fromkeys(("pc2", "pc3", "pc4"), Role.OPERATOR)) as made:
        made.start("hub-1", "pc2")
        made.start("pc3")
        made.start("pc4")
        made.wait_online("pc2", "pc3", "pc4")
        yield made


def test_a_killed_node_is_lost_and_leaves_nothing_behind(breakable: House) -> None:
    number = _unique()
    with _running(breakable, "pc3,pc4", number) as client:
        breakable.processes["pc3"].kill()
        wait_until(lambda: len(alive(f"sleep {number}", only_first=True)) == 3, "the guardian of pc3 to end its job")
        client.send_signal(signal.SIGINT)
        done = finish(client)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "1 cancelled: pc4, 1 lost: pc3"
    assert not alive(f"sleep {number}")
    after = breakable.run("pc2", "run", "pc3", "--", "true")
    assert after.code == 125 and "1 unreachable: pc3" in after.err


def test_a_killed_node_of_the_client_ends_the_command_everywhere(breakable: House) -> None:
    number = _unique()
    with _running(breakable, "pc3,pc2", number) as client:
        breakable.processes["pc2"].kill()
        done = finish(client)
    assert done.code == 125
    assert done.err.splitlines()[-1] == "2 lost: pc2,pc3" and "own node has gone" in done.err
    wait_until(lambda: not alive(f"sleep {number}"), "every process to be gone")


def _wait_no_jobs(room: House, name: str) -> None:
    def is_idle() -> bool:
        with room.person(name) as node:
            return bool(node.ask("node.status")["services"]["run"]["jobs"] == 0)

    wait_until(is_idle, f"{name} to have no job")
