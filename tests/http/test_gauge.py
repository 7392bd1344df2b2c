"""The size of headers, in pieces and whole."""

from __future__ import annotations

from aiohttp.http import HttpVersion11, RawRequestMessage
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from lanline.http.gauge import Gauge


def _message(path: str, fields: list[tuple[bytes, bytes]]) -> RawRequestMessage:
    none: CIMultiDict[str] = CIMultiDict()
    return RawRequestMessage(
        "GET", path, HttpVersion11, CIMultiDictProxy(none), tuple(fields), False, None, False, False, URL("/")
    )


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda piece: piece.strip(b"\r\n")), max_size=20))
def test_pieces_are_counted_together(pieces: list[bytes]) -> None:
    gauge = Gauge(100)
    for piece in pieces:
        gauge.add(piece)
    assert gauge.is_too_large == (sum(map(len, pieces)) > 100)
    assert gauge.first_bytes(b"") == b"".join(pieces)[:64]


def test_empty_lines_before_a_request_count_for_nothing() -> None:
    gauge = Gauge(3)
    for _ in range(10):
        gauge.add(b"\r\n")
    assert (gauge.has_begun, gauge.is_too_large) == (False, False)
    gauge.add(b"GET ")
    assert (gauge.has_begun, gauge.is_too_large) == (True, True)


def test_only_what_could_be_too_large_is_measured() -> None:
    gauge = Gauge(100)
    gauge.add(b"x" * 60)
    assert gauge.finish(41)
    assert not gauge.finish(100), "the count began anew"
    assert gauge.finish(0), "what the parser had kept back was not counted"


def test_a_header_is_as_large_as_it_was_on_the_wire() -> None:
    sent = b"GET /a HTTP/1.1\r\nHost: b\r\nXy: zz\r\n\r\n"
    message = _message("/a", [(b"Host", b"b"), (b"Xy", b"zz")])
    assert Gauge(len(sent)).too_large_of([message, message]) is None
    assert Gauge(len(sent) - 1).too_large_of([_message("/", []), message]) == 1
