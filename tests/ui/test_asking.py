"""Claims about questions, asked at a pseudo-terminal."""

from __future__ import annotations

import pytest
from tests.ui.terminal import AtTerminal, piped

CONFIRM = "console.line('yes' if console.confirm('Run on 40 machines?') else 'no')"
LINE = "console.line('got ' + repr(console.ask('Code')))"
SECRET = "console.line('got ' + repr(console.secret('Passphrase')))"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (b"y\n", b"yes"),
        (b"YES\n", b"yes"),
        (b" y \n", b"yes"),
        (b"n\n", b"no"),
        (b"\n", b"no"),
        (b"yep\n", b"no"),
        (b"\4", b"no"),
    ],
)
def test_only_y_and_yes_are_a_yes(typed: bytes, answer: bytes) -> None:
    with AtTerminal(CONFIRM) as terminal:
        terminal.until(b"Run on 40 machines? [y/N] ")
        terminal.type(typed)
        assert terminal.whole().endswith(answer + b"\r\n")


def test_what_was_typed_before_the_question_is_no_answer() -> None:
    with AtTerminal("console.line('ready'); input(); " + CONFIRM) as terminal:
        terminal.until(b"ready")
        # One write: the question comes when the answer has been typed already.
        terminal.type(b"go\ny\n")
        terminal.until(b"[y/N] ")
        terminal.type(b"n\n")
        assert terminal.whole().endswith(b"no\r\n")


def test_the_question_is_asked_at_the_terminal_when_input_and_output_are_redirected() -> None:
    with AtTerminal(CONFIRM, redirected=True) as terminal:
        terminal.until(b"[y/N] ")
        terminal.type(b"y\n")
        assert terminal.process.stdout is not None
        assert terminal.process.stdout.read() == b"yes\n"
        assert b"yes" not in terminal.whole()


def test_a_line_is_shown_while_it_is_typed_and_comes_without_blanks() -> None:
    with AtTerminal(LINE) as terminal:
        terminal.until(b"Code: ")
        assert terminal.echoes()
        terminal.type(b" K7-QM4T-9XWB \n")
        assert terminal.whole().replace(b"\r", b"") == b"Code:  K7-QM4T-9XWB \ngot 'K7-QM4T-9XWB'\n"


@pytest.mark.parametrize("redirected", [False, True])
def test_a_secret_is_not_shown_and_the_terminal_is_as_before(redirected: bool) -> None:
    with AtTerminal(SECRET, redirected=redirected) as terminal:
        terminal.until(b"Passphrase: ")
        assert not terminal.echoes()
        terminal.type("geheim 机\n".encode())
        if redirected:
            assert terminal.process.stdout is not None
            assert terminal.process.stdout.read() == "got 'geheim 机'\n".encode()
            assert b"geheim" not in terminal.whole()
        else:
            assert terminal.whole().replace(b"\r", b"") == "Passphrase: \ngot 'geheim 机'\n".encode()


def test_an_interrupted_secret_leaves_the_terminal_as_before() -> None:
    program = f"try:\n  {SECRET}\nexcept KeyboardInterrupt: console.line('stopped'); input()"
    with AtTerminal(program) as terminal:
        terminal.until(b"Passphrase: ")
        terminal.type(b"half\3")
        terminal.until(b"stopped")
        assert terminal.echoes()
        terminal.type(b"\n")
        assert b"half" not in terminal.whole()


@pytest.mark.parametrize(("question", "prompt"), [(SECRET, b"Passphrase"), (LINE, b"Code")])
def test_the_end_of_input_is_no_answer(question: str, prompt: bytes) -> None:
    with AtTerminal(f"try: {question}\nexcept UsageError as error: console.error(error)") as terminal:
        terminal.until(prompt + b": ")
        terminal.type(b"\4")
        assert b"no answer to '" + prompt + b"': the input ended" in terminal.whole()


@pytest.mark.parametrize("question", [CONFIRM, LINE, SECRET])
def test_without_a_terminal_asking_is_an_error_and_never_a_yes(question: str) -> None:
    done = piped(f"try: {question}\nexcept UsageError as error: console.error(error)", stdin=b"y\n")
    assert done.stdout == b""
    assert b"there is no terminal to ask at" in done.stderr
    assert b"--help" in done.stderr


def test_a_question_is_cleaned() -> None:
    with AtTerminal(r"console.confirm('run \x1b[2J?')") as terminal:
        assert rb"run \x1b[2J? [y/N] " in terminal.until(b"[y/N] ")
        terminal.type(b"n\n")
        assert b"\x1b[2J" not in terminal.whole()
