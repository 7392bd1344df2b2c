"""Claims about text from a peer: what becomes visible, what stays, and that a cut stream shows the same."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lanline.clean as clean_module
from lanline.clean import DisplayDecoder, clean, clean_bytes, clean_json, text_encoding

ANY_TEXT = st.text(st.one_of(st.characters(), st.characters(categories=("Cc", "Cf", "Cs", "Mn", "Zl", "Zp"))))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\x00b\x07c\x08d\x7fe", r"a\x00b\x07c\x08d\x7fe"),
        ("one\ntwo\rthree\r\n", r"one\ntwo\rthree\r\n"),
        ("\x0b\x0c\x1c\x85\u2028\u2029", r"\x0b\x0c\x1c\x85\u2028\u2029"),
        ("\x9b31m\x90\x9d", r"\x9b31m\x90\x9d"),
        ("\u202etxt.exe\u2066\u061c\u200f", r"\u202etxt.exe\u2066\u061c\u200f"),
        ("pc\u200b7\u2060\ufeff\xad", r"pc\u200b7\u2060\ufeff\xad"),
        ("pc7\u3164\u115f\uffa0", r"pc7\u3164\u115f\uffa0"),
        ("hi\U000e0041\U000e007f", r"hi\U000e0041\U000e007f"),
        ("\ud800x\udcff", r"\ud800x\udcff"),
        ("admin\ufe0f\ufe00\U000e0100", r"admin\ufe0f\ufe00\U000e0100"),
        ("\u2764\ufe0f\ufe0f", "\u2764\ufe0f" + r"\ufe0f"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + r"\u0301\u0301"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468" + r"\u200d" + "\U0001f469"),
        ("\u2067\U0001d173", r"\u2067\U0001d173"),
    ],
)
def test_what_could_deceive_becomes_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tabs\tand spaces",
        r"C:\new\x1b stays as typed",
        "十一月20日，教室里的机器都已经启动完毕。",
        "日本語 한국어 ไทย עברית العربية हिन्दी Ελληνικά",
        "naïve cafe\u0301 Việt Nam Vie\u0323\u0302t",
        "🙂 👍🏽 ❤️ ☎︎ 🇨🇳 é ½ … — “quoted”",
        "⠋⠙⠹ ████▌ 50 % \xa0\u3000",
        "\ue0b0 powerline",
    ],
)
def test_ordinary_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert clean_bytes(text.encode()) == text


def test_newlines_stay_where_several_lines_are_expected_and_returns_never() -> None:
    assert clean("one\ntwo\r\n", keep_newlines=True) == "one\ntwo" + r"\r" + "\n"
    assert clean("一\n二\r\n", keep_newlines=True) == "一\n二" + r"\r" + "\n"


@given(ANY_TEXT, st.booleans())
def test_nothing_left_controls_reorders_or_hides(text: str, keep_newlines: bool) -> None:
    shown = clean(text, keep_newlines=keep_newlines)
    allowed = "\t\n" if keep_newlines else "\t"
    visible_format_marks = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    hieroglyph_joiners = tuple(map(chr, range(0x13430, 0x13440)))
    for character in shown:
        if character in allowed or character in visible_format_marks or character in hieroglyph_joiners:
            continue
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), ascii(character)
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


@given(ANY_TEXT, st.booleans())
def test_what_was_taken_out_leaves_its_number_and_the_rest_its_place(text: str, keep_newlines: bool) -> None:
    position, shown = 0, clean(text, keep_newlines=keep_newlines)
    for character in text:
        if shown.startswith(character, position):
            position += 1
            continue
        width = 2 if ord(character) < 0x100 else 4 if ord(character) < 0x10000 else 8
        escape = {"\n": r"\n", "\r": r"\r"}.get(character) or f"\\{' xu'[width // 2] if width < 8 else 'U'}" + (
            f"{ord(character):0{width}x}"
        )
        assert shown.startswith(escape, position)
        position += len(escape)
    assert position == len(shown)


@given(ANY_TEXT)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.binary())
def test_bytes_that_are_no_text_are_shown_as_numbers(data: bytes) -> None:
    assert clean_bytes(b"ok \xff\xfe " + data).startswith(r"ok \xff\xfe ")
    assert clean(clean_bytes(data)) == clean_bytes(data)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_a_clean_json_document_has_the_same_value_and_is_harmless(value: object) -> None:
    document = clean_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(document) == value
    document.encode()  # no lone surrogate is left
    assert not set(document) & {
        "\n",
        "\r",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u202e",
        "\u2028",
        "\u200b",
        "\U000e0041",
    }


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("GBK", "gbk"),
        ("cp936", "gbk"),
        ("GB18030", "gb18030"),
        ("ISO-8859-1", "iso8859-1"),
        ("windows-1252", "cp1252"),
        ("ANSI_X3.4-1968", "utf-8"),
        ("ascii", "utf-8"),
    ],
)
def test_an_encoding_is_known_by_the_names_that_programs_give_it(name: str, known: str) -> None:
    assert text_encoding(name) == known


@pytest.mark.parametrize(
    "name",
    """rot13 zlib hex unicode_escape raw_unicode_escape punycode idna utf-7 undefined mbcs utf-16 utf-32
    no-such ../os os.path encodings.gbk aliases ｇｂｋ""".split(),
)
@pytest.mark.parametrize("after", ["", "\0", "\n", "u" * 10_000])
def test_any_other_name_from_a_peer_means_utf_8(name: str, after: str) -> None:
    assert text_encoding(name + after) == "utf-8"
    assert text_encoding(after) == "utf-8"


@given(st.text(max_size=50))
def test_no_name_of_an_encoding_is_an_error(name: str) -> None:
    assert DisplayDecoder(name).encoding == text_encoding(name)


def shown(encoding: str, chunks: list[bytes]) -> str:
    decoder = DisplayDecoder(encoding)
    return "".join(decoder.decode(chunk) for chunk in chunks) + decoder.finish()


PIECES = st.sampled_from(
    [
        "\r",
        "\n",
        "\r\n",
        "\x1b[K",
        "50%",
        "中文",
        "é",
        "e\u0301",
        "\u0301",
        "❤",
        "\ufe0f",
        "\u200d",
        "🙂",
        "\ud800",
        "a",
    ]
)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030", "big5", "shift_jis", "latin-1"])
@given(pieces=st.lists(st.one_of(PIECES, st.binary(max_size=3))), sizes=st.lists(st.integers(0, 5)))
@example(pieces=["\r", "\r\n", "\n", "x"], sizes=[1, 1, 1, 1])
def test_any_cut_of_a_stream_shows_the_same_text(encoding: str, pieces: list[str | bytes], sizes: list[int]) -> None:
    stream = b"".join(piece if isinstance(piece, bytes) else piece.encode(encoding, "ignore") for piece in pieces)
    chunks, offset = [], 0
    for size in sizes:
        chunks.append(stream[offset : offset + size])
        offset += size
    chunks.append(stream[offset:])
    at_once = shown(encoding, [stream])
    assert shown(encoding, chunks) == at_once
    assert shown(encoding, [stream[i : i + 1] for i in range(len(stream))]) == at_once
    assert clean(at_once, keep_newlines=True) == at_once


@pytest.mark.parametrize("encoding", sorted(clean_module._ENCODINGS))
def test_every_known_encoding_takes_any_bytes(encoding: str) -> None:
    data = random.randbytes(4096)  # after the seed of the run
    assert text_encoding(encoding) == encoding
    assert shown(encoding, [data[i : i + 7] for i in range(0, len(data), 7)]) == shown(encoding, [data])
    assert clean_bytes(data, encoding).isprintable() or "\t" in clean_bytes(data, encoding)


def test_a_character_split_over_chunks_is_shown_whole() -> None:
    decoder = DisplayDecoder("GBK")
    encoded = "机器".encode("gbk")
    assert [decoder.decode(encoded[i : i + 1]) for i in range(4)] == ["", "机", "", "器"]
    assert decoder.finish() == ""


def test_an_unfinished_character_at_the_end_leaves_its_bytes() -> None:
    decoder = DisplayDecoder()
    assert decoder.decode("ok机".encode()[:-1]) == "ok"
    assert decoder.finish() == r"\xe6\x9c"
    assert decoder.decode("机".encode()) == "机", "after the end a decoder is as new"


def test_bytes_in_another_encoding_are_shown_as_numbers_and_do_not_end_the_stream() -> None:
    assert shown("utf-8", ["机\n".encode("gbk"), b"ok\n"]) == "\\xbb\\xfa\nok\n"


def test_a_progress_bar_shows_as_one_line_per_update() -> None:
    assert shown("utf-8", [b" 10 %\r 50 %\r100 %\r\ndone\r\n"]) == " 10 %\n 50 %\n100 %\ndone\n"
    assert shown("utf-8", [b"a\r", b"\r", b"\nb\r\r\nc\n\nd"]) == "a\nb\nc\n\nd"


def test_an_update_is_shown_without_waiting_for_the_next_chunk() -> None:
    decoder = DisplayDecoder()
    assert decoder.decode(b"10 %\r") == "10 %\n"
    assert decoder.decode(b"\n") == ""
    assert decoder.decode(b"Continue? ") == "Continue? "


def test_escape_sequences_in_output_are_visible() -> None:
    assert shown("utf-8", [b"\x1b", b"]0;owned\x07\x1b[2J"]) == r"\x1b]0;owned\x07\x1b[2J"


def test_half_a_character_is_known_to_be_unfinished() -> None:
    decoder = DisplayDecoder()
    decoder.decode("a机".encode()[:-1])
    assert decoder.has_unfinished
    decoder.decode("机".encode()[-1:])
    assert not decoder.has_unfinished
