"""Claims about the printer, made by child processes: into pipes, and into a pseudo-terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ui.terminal import PREFACE, AtTerminal, at_terminal, environment, piped

from lanline.ui.output import PIPE_CLOSED_EXIT_CODE, width_of


def test_results_and_notes_go_apart() -> None:
    done = piped("console.line('result'); console.note('note')")
    assert (done.stdout, done.stderr) == (b"result\n", b"note\n")


def test_an_error_shows_its_sentence_and_its_advice() -> None:
    done = piped("console.error(NodeNotRunning('no node answers'))")
    assert done.stdout == b""
    assert done.stderr == b"lanline: no node answers\ntry: lanline up --detach\n"


def test_a_pipe_gets_no_colours_and_no_progress() -> None:
    done = piped("console.progress('12 of 40'); console.line(Painted('down', 'red'), ' pc7')")
    assert (done.stdout, done.stderr) == (b"down pc7\n", b"")


def test_a_terminal_gets_colours() -> None:
    assert at_terminal("console.line(Painted('down', 'red'), ' pc7')") == b"\x1b[31mdown\x1b[0m pc7\r\n"


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colours_can_be_switched_off(setting: dict[str, str]) -> None:
    assert at_terminal("console.line(Painted('down', 'red'))", setting) == b"down\r\n"


def test_colours_can_be_asked_for_in_a_pipe() -> None:
    done = piped("console = TerminalConsole(colour=True)\nconsole.line(Painted('x', 'bold'))")
    assert done.stdout == b"\x1b[1mx\x1b[0m\n"


def test_nothing_a_peer_says_reaches_the_terminal_uncleaned() -> None:
    hostile = r"'a\x1b[2Jb\u202ec'"
    program = "\n".join(
        [
            f"hostile = {hostile}",
            "console.line(hostile); console.note(Painted(hostile, 'red'))",
            "console.error(LanlineError(hostile, advice=hostile))",
            "console.table([hostile], [[hostile], [Painted(hostile + '\\n', 'dim')]])",
            "console.prefixed(hostile, hostile + '\\r\\n' + hostile)",
            "console.json({hostile: hostile}); console.progress(hostile)",
        ]
    )
    seen = at_terminal(program)
    assert b"\x1b[2J" not in seen
    assert "\u202e".encode() not in seen
    assert seen.count(rb"a\x1b[2Jb\u202ec") == 12
    assert seen.count(rb"a\u001b[2Jb\u202ec") == 2


def test_a_table_is_aligned_whatever_script_it_is_in() -> None:
    rows = "[['pc1', '教室', '3'], ['pc10', 'naïve', '12'], ['机', 'x', '']]"
    done = piped(f"console.table(['name', 'where', 'jobs'], {rows}, right=['jobs'])")
    assert done.stdout.decode() == (
        "name  where  jobs\n"
        "pc1   教室      3\n"
        "pc10  naïve    12\n"
        "机    x\n"
    )  # fmt: skip


def test_colours_do_not_disturb_the_alignment() -> None:
    seen = at_terminal("console.table(['a', 'b'], [[Painted('xx', 'red'), 'y']])").decode()
    assert seen == "\x1b[1ma\x1b[0m   \x1b[1mb\x1b[0m\r\n\x1b[31mxx\x1b[0m  y\r\n"


def test_a_table_without_rows_is_its_heading() -> None:
    assert piped("console.table(['name', 'role'], [])").stdout == b"name  role\n"


def test_json_is_one_document_per_line_and_keeps_every_value() -> None:
    program = r"console.json({'name': '机\ud800\x1b\u2028\x7f', 'n': [1, None, True]}); console.json('next')"
    first, second = piped(program).stdout.splitlines()
    assert json.loads(first) == {"name": "机\ud800\x1b\u2028\x7f", "n": [1, None, True]}
    assert "机".encode() in first
    assert json.loads(second) == "next"


def test_json_takes_nothing_that_json_does_not_have() -> None:
    done = piped("try: console.json(float('nan'))\nexcept ValueError: console.line('refused')")
    assert done.stdout == b"refused\n"


def test_every_line_of_a_peer_has_its_name_before_it() -> None:
    done = piped(r"console.prefixed('pc7', 'one\ntwo\n\nthree'); console.prefixed('pc8', 'oops\n', 'stderr')")
    assert (done.stdout, done.stderr) == (b"pc7: one\npc7: two\npc7: \npc7: three\n", b"pc8: oops\n")
    assert piped("console.prefixed('pc7', '')").stdout == b""


def test_raw_bytes_pass_unchanged_and_in_their_place() -> None:
    done = piped(r"console.line('a'); console.raw(b'\x1b\xff\n'); console.line('b'); console.raw(b'e', 'stderr')")
    assert (done.stdout, done.stderr) == (b"a\n\x1b\xff\nb\n", b"e")


def test_raw_bytes_do_not_go_to_a_terminal() -> None:
    seen = at_terminal("try: console.raw(b'\\x1b[2J')\nexcept UsageError as error: console.error(error)")
    assert b"does not go to a terminal, and stdout is one" in seen
    assert b"\x1b[2J" not in seen


def test_an_encoding_without_the_character_shows_its_number() -> None:
    done = piped(r"console.line('机 \u00e9')", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.stdout == b"\\u673a \\xe9\n"
    assert done.returncode == 0


def test_what_was_printed_by_others_comes_before() -> None:
    assert piped("print('first')\nconsole = TerminalConsole()\nconsole.line('second')").stdout == b"first\nsecond\n"


def test_progress_is_replaced_cut_to_the_width_and_removed() -> None:
    erase = b"\r\x1b[K"
    seen = at_terminal("console.progress('1 of 2'); console.progress('机' * 40); console.line('done')")
    assert seen == erase + b"1 of 2" + erase + "机".encode() * 19 + erase + b"done\r\n"
    assert at_terminal("console.progress('x'); console.progress('')") == erase + b"x" + erase


def test_each_line_is_out_at_once_on_a_terminal() -> None:
    with AtTerminal("console.line('now')\nimport signal; signal.pause()") as terminal:
        assert terminal.until(b"now\r\n") == b"now\r\n"
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(timeout=10) == -signal.SIGTERM


@pytest.mark.parametrize("program", ["console.line('x')", "[console.line('x' * 1000) for _ in range(1000)]"])
def test_a_pipe_that_nobody_reads_ends_the_process_quietly(program: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    clean_up = f"import sys\ntry:\n  {program}\n  console.flush()\nfinally: sys.stderr.write('cleaned up')"
    done = subprocess.run(
        [sys.executable, "-c", PREFACE + clean_up],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=15,
        env=environment(),
        check=False,
    )
    os.close(writing)
    assert done.returncode == PIPE_CLOSED_EXIT_CODE == 141
    assert done.stderr == b"cleaned up"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_with_its_reason() -> None:
    program = "try:\n  console.line('x'); console.flush()\nexcept LanlineError as error: console.error(error)"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PREFACE + program],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=15,
            env=environment(),
            check=False,
        )
    assert done.stderr.startswith(b"lanline: the output cannot be written: No space left on device\n")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("text", "columns"),
    [("pc7", 3), ("机器", 4), ("e\u0301", 1), ("é", 1), ("ｆ", 2), ("🙂", 2), ("❤\ufe0f", 1), ("", 0)],
)
def test_widths_are_those_of_a_terminal(text: str, columns: int) -> None:
    assert width_of(text) == columns


@given(st.text(), st.text())
def test_widths_add_up(one: str, other: str) -> None:
    assert width_of(one + other) == width_of(one) + width_of(other)


def test_the_printer_loads_no_library() -> None:
    program = (
        "import sys; console.line(str([m for m in ('rich', 'asyncio', 'ssl', 'click', 'socket') if m in sys.modules]))"
    )
    assert piped(program).stdout == b"[]\n"
