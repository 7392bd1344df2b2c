"""What is shown of a fan-out: lines under names, raw bytes, JSON; and the last words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ui.recording import Recording

from lanline.errors import UsageError
from lanline.services.run import display
from lanline.services.run.display import JsonDisplay, LineDisplay, RawDisplay, say_verdict
from lanline.services.run.outcome import Ended, Exited, Refused
from lanline.services.run.report import Plan, Reason, Verdict
from lanline.services.run.spec import ERR, OUT, Started

TWO = Plan(("pc2", "pc10"), "pc[2,10]", False)
ONE = Plan(("pc2",), "pc2", False)
STARTED = Started(7, "UTF-8", 1)
WELL = Verdict(0, "2 ok")


def _lines(console: Recording, plan: Plan = TWO, **more: Any) -> LineDisplay:
    shown = LineDisplay(console, **more)
    shown.planned(plan)
    for index in range(len(plan.names)):
        shown.started(index, STARTED)
    return shown


def test_names_are_aligned_and_two_machines_never_share_a_line() -> None:
    console = Recording()
    shown = _lines(console)
    shown.wrote(0, OUT, b"first ha")
    shown.wrote(1, OUT, b"other\nnext")
    shown.wrote(0, OUT, b"lf\n")
    shown.ended(1, Ended(Exited(0)))
    assert console.out == "pc10: other\n pc2: first half\npc10: next\n"


def test_the_encoding_is_the_machines_own() -> None:
    console = Recording()
    shown = LineDisplay(console)
    shown.planned(TWO)
    shown.started(0, Started(7, "GBK", 1))
    shown.started(1, STARTED)
    shown.wrote(0, OUT, "你好\n".encode("gbk"))
    shown.wrote(1, OUT, "你好\n".encode())
    assert console.out == " pc2: 你好\npc10: 你好\n"


class _Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_unfinished_line_is_shown_when_its_time_has_come() -> None:
    console, clock = Recording(is_terminal=True), _Clock()
    shown = _lines(console, clock=clock)
    assert shown.tick() is None
    shown.wrote(0, OUT, b"password: ")
    assert shown.tick() == display.IDLE and console.out == ""
    clock.now = display.IDLE
    assert shown.tick() is None and console.out == " pc2: password: \n"


def test_in_a_pipe_a_line_never_falls_into_two() -> None:
    console, clock = Recording(), _Clock()
    shown = _lines(console, clock=clock)
    shown.wrote(0, OUT, b"slow ")
    clock.now = 60.0
    assert shown.tick() is None and console.out == ""
    shown.wrote(0, OUT, b"line\n")
    assert console.out == " pc2: slow line\n"


def test_what_never_ended_is_shown_with_the_verdict() -> None:
    console = Recording()
    shown = _lines(console)
    shown.wrote(1, ERR, b"cut off")
    shown.decided(WELL)
    assert (console.out, console.err) == ("pc10: cut off\n", "2 ok\n")


def test_without_names_output_goes_where_the_command_wrote_it() -> None:
    console = Recording()
    shown = _lines(console, ONE, has_names=False)
    shown.wrote(0, OUT, b"out\n")
    shown.wrote(0, ERR, b"err")
    shown.ended(0, Ended(Exited(0)))
    assert (console.out, console.err) == ("out\n", "err\n")


@pytest.mark.parametrize("make", [lambda console: LineDisplay(console, has_names=False), RawDisplay])
def test_what_cannot_tell_machines_apart_takes_one(make: Callable[[Recording], Any]) -> None:
    with pytest.raises(UsageError, match=r"pc\[2,10\] are 2 machines"):
        make(Recording()).planned(TWO)


def test_raw_gives_bytes_as_they_are() -> None:
    console = Recording()
    shown = RawDisplay(console)
    shown.planned(ONE)
    shown.started(0, STARTED)
    shown.wrote(0, OUT, b"\x1b\xff\r\n")
    assert console.out.encode("latin-1") == b"\x1b\xff\r\n"


def _json(*pieces: bytes, encoding: str = "UTF-8") -> tuple[list[Any], str, bytes]:
    """The events, all text, and all bytes of a stream that came in these pieces."""
    console = Recording(wants_json=True)
    shown = JsonDisplay(console)
    shown.planned(ONE)
    shown.started(0, Started(7, encoding, 1))
    for piece in pieces:
        shown.wrote(0, OUT, piece)
    shown.ended(0, Ended(Exited(0)))
    outputs: list[Any] = [event for event in console.values if isinstance(event, dict) and event["event"] == "output"]
    exact = (base64.b64decode(event["base64"]) if "base64" in event else event["text"].encode() for event in outputs)
    return outputs, "".join(event["text"] for event in outputs), b"".join(exact)


def test_json_gives_text_alone_where_text_says_it_all() -> None:
    outputs, text, _ = _json("é你\n".encode())
    assert text == "é你\n" and "base64" not in outputs[0] and outputs[0]["stream"] == "stdout"


def test_json_holds_back_a_character_until_it_is_whole() -> None:
    data = "你好😀".encode()
    for at in range(len(data)):
        outputs, text, exact = _json(data[:at], data[at:])
        assert text == "你好😀" and exact == data and not any("base64" in event for event in outputs)


def test_json_gives_the_bytes_of_other_encodings_beside_the_text() -> None:
    data = "你好".encode("gbk")
    outputs, text, exact = _json(data[:1], data[1:], encoding="GBK")
    assert text == "你好" and exact == data and "base64" in outputs[0]


@given(st.lists(st.binary(max_size=12), max_size=6), st.sampled_from(["UTF-8", "GBK", "Shift_JIS", "latin-1"]))
def test_json_loses_no_byte_whatever_comes(pieces: list[bytes], encoding: str) -> None:
    assert _json(*pieces, encoding=encoding)[2] == b"".join(pieces)


def test_json_tells_how_a_machine_ended() -> None:
    console = Recording(wants_json=True)
    shown = JsonDisplay(console)
    shown.planned(ONE)
    shown.ended(0, Ended(Refused("policy", "no", "ask.")))
    shown.decided(Verdict(125, "1 refused: pc2", (Reason("pc2", "refused", "no", "ask."),)))
    ended, decided = console.values[1:]
    assert isinstance(ended, dict) and isinstance(decided, dict)
    assert (ended["outcome"], ended["ok"], ended["rule"], ended["advice"]) == ("refused", False, "policy", "ask.")
    assert decided == {"event": "verdict", "exit_code": 125, "text": "1 refused: pc2"}


def test_reasons_come_before_the_last_line() -> None:
    console = Recording()
    say_verdict(console, Verdict(125, "2 refused: pc[2,10]", (Reason("pc[2,10]", "refused", "no", "ask."),)))
    assert console.err == "pc[2,10] refused: no\ntry: ask.\n2 refused: pc[2,10]\n"


def test_too_many_reasons_are_cut() -> None:
    console = Recording()
    say_verdict(console, Verdict(125, "last", tuple(Reason(f"m{n}", "lost", "gone") for n in range(30))))
    assert console.err.count("\n") == 22 and "and 10 reasons more" in console.err


def test_quiet_says_nothing_when_all_is_well_and_all_when_it_is_not() -> None:
    console = Recording()
    say_verdict(console, WELL, is_quiet=True)
    assert console.err == ""
    say_verdict(console, Verdict(3, "1 exit 3: pc2"), is_quiet=True)
    assert console.err == "1 exit 3: pc2\n"
