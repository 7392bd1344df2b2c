"""Claims about the command line itself: how words are found, what stands anywhere, and what each end looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.ui.conftest import Room
from tests.ui.machines import Machine
from tests.ui.terminal import AtTerminal, environment

from lanline import __version__
from lanline.console import Console
from lanline.errors import (
    AuthorityLocked,
    CallFailed,
    CallRefused,
    LanlineError,
    NodeNotRunning,
    StateDamaged,
    Status,
    UsageError,
)
from lanline.room.paths import StateFolder
from lanline.ui import words
from lanline.ui.cli import all_words, exit_code_of, find_word, main

FORBIDDEN = ("asyncio", "ssl", "cryptography", "rich", "uvloop", "dataclasses", "inspect")
"""What the quick words never load: the four of the rule, and what else would cost them milliseconds."""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A word `planted` whose function tests set."""
    module = ModuleType("lanline.ui.words.planted")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(words.WORDS, "planted", "a word for a test")
    return module


def _set(module: ModuleType, function: object) -> None:
    module.planted = function  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["--no-colour"]], ids=str)
def test_help_lists_every_word_and_the_two_to_begin_with(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    shown = capfd.readouterr().out
    assert shown.index("lanline init --allow-run") < shown.index("lanline invite")
    for word, summary in all_words().items():
        assert f"  {word} " in shown
        assert summary in shown
    assert "run" in all_words()


@pytest.mark.parametrize("word", all_words())
def test_every_word_explains_itself_with_an_example_that_begins_with_it(
    word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "--help"]) == 0
    shown = capfd.readouterr().out
    assert "examples:\n  lanline " in shown
    assert f"\n  lanline {word}" in shown
    assert "--json" in shown
    assert main(["help", word]) == 0
    assert capfd.readouterr().out == shown


def test_the_list_of_words_is_that_of_their_files_and_help_shows_each_once() -> None:
    folder = Path(words.__path__[0])
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {word.replace("-", "_") for word in words.WORDS} == files
    shown = [word for group in words.GROUPS.values() for word in group]
    assert len(shown) == len(set(shown))
    assert set(words.WORDS) <= set(shown) <= set(all_words())


@pytest.mark.parametrize("word", all_words())
def test_every_word_is_a_function_of_its_name(word: str) -> None:
    assert callable(getattr(find_word(word), word.replace("-", "_")))


def test_an_unknown_word_names_the_nearest(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["statsu"]) == 2
    assert capfd.readouterr().err == "lanline: there is no word 'statsu'\ntry: did you mean status?\n"
    assert main(["zzzzzz"]) == 2
    assert "try: lanline --help" in capfd.readouterr().err


def test_hostile_words_are_shown_harmless(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b[2Jwho"]) == 2
    assert "\x1b" not in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["--json", "--version"], ["--home", "x", "-V"]], ids=str)
def test_the_version_is_said(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capfd.readouterr().out == f"lanline {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--home", "H", "--json", "planted", "a", "--", "--json", "b"],
        ["planted", "a", "--json", "--home", "H", "--", "--json", "b"],
        ["--json", "planted", "--home=H", "a", "--", "--json", "b"],
        ["--no-color", "planted", "--json", "a", "--home", "H", "--no-colour", "--", "--json", "b"],
    ],
    ids=str,
)
def test_options_for_every_word_stand_anywhere_before_a_foreign_command(
    planted: ModuleType, arguments: list[str], home: Path
) -> None:
    seen: list[object] = []

    def sees(rest: list[str], console: Console, folder: StateFolder) -> int:
        seen.append((rest, console.wants_json, folder.home))
        return 0

    _set(planted, sees)
    arguments = [one.replace("H", str(home)) for one in arguments]
    assert main(arguments) == 0
    assert seen == [(["a", "--", "--json", "b"], True, str(home))]


def test_a_word_with_a_command_in_it_says_where_that_begins(planted: ModuleType) -> None:
    seen: list[object] = []

    def sees(rest: list[str], console: Console, folder: StateFolder) -> int:
        seen.append((rest, console.wants_json))
        return 0

    _set(planted, sees)
    planted.split_arguments = lambda rest: (rest[:2], rest[2:])  # type: ignore[attr-defined]
    assert main(["planted", "pc7", "--json", "df", "--json"]) == 0
    assert seen == [(["pc7", "--", "df", "--json"], True)]


def test_options_behind_the_command_of_run_are_not_lanlines() -> None:
    split = find_word("run").split_arguments
    assert split(["--home", "x", "pc7", "df", "--json"]) == (["--home", "x", "pc7"], ["df", "--json"])
    assert split(["--json", "pc7", "-x", "pc3", "df", "--home", "y"])[1] == ["df", "--home", "y"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["--jsn", "who"], "--jsn"), (["--homely", "who"], "--homely"), (["who", "--home"], "folder")],
)
def test_a_wrong_option_is_named(arguments: list[str], names: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert names in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LanlineError("a"), 1),
        (UsageError("a"), 2),
        (NodeNotRunning("a"), 2),
        (StateDamaged("a"), 3),
        (AuthorityLocked("a"), 4),
        (CallFailed(Status.UNAVAILABLE, "a"), 1),
        (CallFailed(Status.UNAVAILABLE, "a", details={"error": "AuthorityLocked"}), 4),
        (CallFailed(Status.BAD_MESSAGE, "a", details={"error": "TargetError"}), 2),
        (CallRefused(Status.REFUSED, "a"), 4),
        (CallFailed(Status.UNAVAILABLE, "a", details={"error": "Status"}), 1),
        (CallFailed(Status.UNAVAILABLE, "a", details={"error": "__doc__"}), 1),
    ],
)
def test_each_error_has_its_exit_code_wherever_it_was_raised(error: LanlineError, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_error_is_its_sentence_and_what_to_try(planted: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object) -> int:
        raise CallFailed(Status.UNAVAILABLE, "the hub is \x1b[2Jlocked", details={"advice": "lanline unlock"})

    _set(planted, fails)
    assert main(["planted"]) == 1
    assert capfd.readouterr().err == "lanline: the hub is \\x1b[2Jlocked\ntry: lanline unlock\n"


def test_a_mistake_in_lanline_is_one_sentence_and_a_file(
    planted: ModuleType, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _set(planted, lambda *_: 1 // 0)
    assert main(["planted"]) == 70
    (file,) = tmp_path.iterdir()
    assert f"ZeroDivisionError: what led to it is in {file}" in capfd.readouterr().err
    assert "1 // 0" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("LANLINE_DEBUG", "1")
    assert main(["planted"]) == 70
    assert "ZeroDivisionError: integer division" in capfd.readouterr().err


def test_an_interrupt_ends_with_130(planted: ModuleType) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    _set(planted, interrupted)
    assert main(["planted"]) == 130


def test_ctrl_c_at_a_question_ends_the_word_quietly(machine: Machine) -> None:
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(machine.home)!r}\nfrom lanline.ui.cli import main\n"
        "console.line(f\"ended with {main(['init', '--port', '0'])}\")"
    )
    with AtTerminal(program) as terminal:
        terminal.until(b"New passphrase: ")
        terminal.type(b"\x03")
        assert b"ended with 130" in terminal.whole()
        assert b"Traceback" not in terminal.seen


def test_a_pipe_that_nobody_reads_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lanline", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=15,
        env=environment(),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_was_closed_is_nowhere_and_no_socket_gets_its_number(closed: str) -> None:
    program = (
        "import os, socket, sys\nfrom lanline.ui.cli import main\ncode = main(['--version'])\n"
        "sys.exit(code or not 3 <= socket.socket().fileno() or not all(map(os.fstat, range(3))))"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program],
        capture_output=True,
        timeout=15,
        env=environment(),
        check=False,
    )
    said = b"" if ">&-" in closed.split() else f"lanline {__version__}\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")


def test_the_exit_code_reaches_the_shell(machine: Machine) -> None:
    assert machine.run("who").code == 2
    assert machine.run("--version").code == 0


@pytest.mark.parametrize("arguments", [["who"], ["run", "pc2", "--", "true"]], ids=str)
def test_the_quick_words_load_nothing_slow(room: Room, arguments: list[str]) -> None:
    code = (
        f"import sys\nfrom lanline.ui.cli import main\ncode = main({arguments!r})\n"
        f"print('loaded', *[name for name in {FORBIDDEN!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=15,
        env=room.desk.settings(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.splitlines()[-1].split()[1:])
    assert not loaded - _loaded_by("import msgspec"), loaded


def _loaded_by(statement: str) -> set[str]:
    """What a library of others loads by itself, here: typing_extensions, where it is, brings inspect with it."""
    code = f"import sys\n{statement}\nprint(*[name for name in {FORBIDDEN!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    return set(done.stdout.split()) - set(FORBIDDEN[:4])
