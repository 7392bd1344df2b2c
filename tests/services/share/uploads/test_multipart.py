"""The cutter of forms: any cut of the body tells the same, and what is no form is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.uploads.multipart import (
    MAX_HEADER_BYTES,
    MAX_PREAMBLE_BYTES,
    MalformedForm,
    MultipartParser,
    PartBegins,
    PartData,
    PartEnds,
    boundary_of,
)

_Part = tuple[str, str | None, bytes]


def _part(disposition: str, data: bytes = b"") -> bytes:
    return b"--XX\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + data + b"\r\n"


def _read(pieces: list[bytes], *, max_parts: int = 10, boundary: bytes = b"XX") -> tuple[list[_Part], bool]:
    """The parts of a body that comes in these pieces, and whether its last boundary came."""
    parser = MultipartParser(boundary, max_parts=max_parts)
    parts: list[_Part] = []
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, PartBegins):
                parts.append((event.field, event.filename, b""))
            if isinstance(event, PartData):
                assert event.data
                parts[-1] = (*parts[-1][:2], parts[-1][2] + event.data)
    return parts, parser.is_over


_BODY = (
    _part('form-data; name="note"', b"hello")
    + _part('form-data; name="files"; filename="a/b.txt"', b"\r\n--X\r\n--XX?no\r\r\n-")
    + _part('form-data; name="files"; filename=""')
    + b"--XX--\r\nand an epilogue --XX"
)
_PARTS = [("note", None, b"hello"), ("files", "a/b.txt", b"\r\n--X\r\n--XX?no\r\r\n-"), ("files", "", b"")]


def _is_valid_inside(data: bytes) -> bool:
    return b"\r\n--XX" not in b"\r\n" + data


def test_byte_by_byte_tells_the_same_as_all_at_once() -> None:
    body = _BODY.replace(b"--XX?no", b"--XY?no")
    parts = [(field, name, data.replace(b"--XX?", b"--XY?")) for field, name, data in _PARTS]
    assert _read([body]) == (parts, True)
    assert _read([bytes([byte]) for byte in body]) == (parts, True)


def test_a_boundary_that_is_followed_by_text_is_refused() -> None:
    with pytest.raises(MalformedForm, match="other text"):
        _read([_BODY])


@given(st.lists(st.binary(max_size=60).filter(_is_valid_inside), max_size=4), st.integers(0, 2**32))
def test_any_data_in_any_pieces_is_read_back(contents: list[bytes], seed: int) -> None:
    body = b"".join(_part(f'form-data; name="f"; filename="{number}"', data) for number, data in enumerate(contents))
    body += b"--XX--"
    cuts = sorted(random.Random(seed).choices(range(len(body) + 1), k=8))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert _read(pieces) == ([("f", str(number), data) for number, data in enumerate(contents)], True)


@given(st.binary(max_size=300))
def test_garbage_is_malformed_or_unfinished_and_nothing_else(data: bytes) -> None:
    try:
        parts, is_over = _read([b"--XX", data])
    except MalformedForm:
        return
    assert not parts or all(isinstance(field, str) for field, _, _ in parts)
    assert is_over == data.startswith(b"--") or parts


def test_a_body_that_was_cut_off_is_not_over() -> None:
    whole = _part('form-data; name="f"; filename="a"', b"12345") + b"--XX--"
    for length in range(len(whole)):
        assert not _read([whole[:length]])[1]


def test_data_is_told_before_its_part_ends() -> None:
    parser = MultipartParser(b"XX", max_parts=1)
    events = list(parser.feed(_part('form-data; name="f"; filename="a"', b"x" * 1000)[:-2]))
    assert events == [PartBegins("f", "a"), PartData(b"x" * 1000)]
    assert list(parser.feed(b"\r\n--XX--")) == [PartEnds()]


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="f"; filename="日本.txt"', "日本.txt"),
        ('form-data; name="f"; filename="a%22b%0D%0A.txt"', 'a"b\r\n.txt'),
        ('form-data; name="f"; filename="100%.txt"', "100%.txt"),
        (r'form-data; name="f"; filename="a\"b\\c.txt"', 'a"b\\c.txt'),
        (r'form-data; name="f"; filename="C:\new\x.txt"', r"C:\new\x.txt"),
        ("form-data; name=f; filename=plain.txt", "plain.txt"),
        ("form-data; name=f; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("form-data; name=f; filename=\"x\"; filename*=latin1''na%EFve.txt", "x"),
        ('FORM-DATA; NAME="f"; FileName="x;y=z"', "x;y=z"),
        ('form-data; name="f"', None),
    ],
)
def test_the_name_of_a_file_is_what_browsers_curl_and_scripts_mean(disposition: str, filename: str | None) -> None:
    assert _read([_part(disposition) + b"--XX--"]) == ([("f", filename, b"")], True)


def test_bytes_that_are_no_utf_8_become_surrogates() -> None:
    body = b'--XX\r\nContent-Disposition: form-data; name="f"; filename="\xff"\r\n\r\n\r\n--XX--'
    assert _read([body]) == ([("f", "\udcff", b"")], True)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b'Content-Disposition: attachment; name="f"\r\n',
        b"Content-Disposition: form-data\r\n",
        b"Content-Disposition\r\n",
    ],
)
def test_a_part_without_a_field_name_is_malformed(head: bytes) -> None:
    with pytest.raises(MalformedForm, match="Content-Disposition"):
        _read([b"--XX\r\n" + head + b"\r\n\r\n--XX--"])


def test_limits_hold_also_where_the_end_never_comes() -> None:
    endless = b"--XX\r\nX: " + b"x" * MAX_HEADER_BYTES
    with pytest.raises(MalformedForm, match="headers"):
        _read([endless[:4000], endless[4000:], b"x" * 10])
    with pytest.raises(MalformedForm, match="begin"):
        _read([b"x"] * (MAX_PREAMBLE_BYTES + 10))
    with pytest.raises(MalformedForm, match="other text"):
        _read([b"--XX" + b" " * 65])
    with pytest.raises(MalformedForm, match="more parts"):
        _read([_part('form-data; name="f"') * 3], max_parts=2)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=----WebKitFormBoundaryabc123", b"----WebKitFormBoundaryabc123"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b(c)"', b"a b(c)"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ('multipart/form-data; boundary="a "', None),
        ("multipart/form-data; boundary=" + "a" * 71, None),
        ('multipart/form-data; boundary="ä"', None),
        ("multipart/mixed; boundary=a", None),
        ("text/plain; boundary=a", None),
        ("", None),
    ],
)
def test_a_boundary_is_up_to_seventy_characters_of_the_standard(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary
