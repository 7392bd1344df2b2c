"""Output in whole lines, whatever pieces it comes in and whatever bytes it is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanline.services.run.shownlines import MAX_LINE, ShownLines


def _in_pieces(data: bytes, sizes: list[int], encoding: str = "UTF-8") -> str:
    lines, shown = ShownLines(encoding), ""
    for size in sizes:
        shown += lines.add(data[:size])
        data = data[size:]
    return shown + lines.add(data) + lines.finish()


def test_a_line_is_shown_when_it_has_ended() -> None:
    lines = ShownLines("UTF-8")
    assert lines.add(b"one\ntw") == "one\n"
    assert lines.has_unfinished
    assert lines.add(b"o") == ""
    assert lines.add(b"\nthree\n") == "two\nthree\n"
    assert not lines.has_unfinished


def test_a_prompt_can_be_taken_before_it_ends_and_what_follows_is_a_line_of_its_own() -> None:
    lines = ShownLines("UTF-8")
    assert lines.add(b"password: ") == ""
    assert lines.take_unfinished() == "password: "
    assert not lines.has_unfinished
    assert lines.add(b"ok\n") == "ok\n"


def test_the_end_shows_a_line_that_never_ended() -> None:
    lines = ShownLines("UTF-8")
    lines.add(b"no newline")
    assert lines.finish() == "no newline"
    assert lines.finish() == ""


def test_chinese_in_gbk_is_shown_however_it_is_cut() -> None:
    data = "你好, 服务端\n".encode("gbk")
    for at in range(len(data)):
        assert _in_pieces(data, [at], "GBK") == "你好, 服务端\n"


def test_a_character_split_over_reads_survives() -> None:
    data = "é你😀\n".encode()
    assert _in_pieces(data, [1] * len(data)) == "é你😀\n"


def test_bytes_that_are_no_text_are_shown_and_not_fatal() -> None:
    assert _in_pieces(b"\xff\xfe ok\n", [1]) == "\\xff\\xfe ok\n"


def test_escape_codes_become_visible() -> None:
    assert _in_pieces(b"\x1b[2Jgone\x07\n", [2, 1]) == "\\x1b[2Jgone\\x07\n"


def test_a_progress_bar_is_a_line_for_each_update() -> None:
    assert _in_pieces(b"10%\r20%\r30%\r\n", [4]) == "10%\n20%\n30%\n"


def test_an_endless_line_is_shown_in_bounded_pieces() -> None:
    lines, shown, kept = ShownLines("UTF-8"), 0, 0
    for _ in range(300):
        shown += len(lines.add(b"x" * 1000))
        kept = max(kept, 300_000 - shown if lines.has_unfinished else 0)
    assert shown + len(lines.finish()) == 300_000
    assert shown >= 300_000 - MAX_LINE - 1000


@given(
    st.binary(max_size=200), st.lists(st.integers(0, 20), max_size=20), st.sampled_from(["UTF-8", "GBK", "nonsense"])
)
def test_any_cut_shows_the_same_text(data: bytes, sizes: list[int], encoding: str) -> None:
    assert _in_pieces(data, sizes, encoding) == _in_pieces(data, [], encoding)
