"""What the parser refuses, as statuses and sentences of our own."""

from __future__ import annotations

import pytest
from aiohttp.http_exceptions import BadHttpMessage, BadHttpMethod, BadStatusLine, InvalidURLError, LineTooLong
from hypothesis import given
from hypothesis import strategies as st

from lanline.http.badrequest import refusal_of_parser
from lanline.http.limits import WEB


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"FOO / HTTP/1.1\r\nHost", 501),
        (b"FOO /" + b"a" * 59, 501),
        (b"F", 501),
        (b"\r\nPROPPATCHES * HTTP/1.0\r\n", 501),
        (b"FOO / HT", 501),
        (b"FOO bar\r\n", 400),
        (b"FOO bar baz\r\n", 400),
        (b"FOO\r\n", 400),
        (b"F:O / HTTP/1.1\r\n", 400),
        (b"FOO / HTTP/2.0\r\n", 400),
        (b"", 400),
        (b"\x16\x03\x01\x00", 400),
        (b"A" * 64, 400),
    ],
)
def test_an_unknown_method_is_501_where_the_rest_is_a_request(begun: bytes, status: int) -> None:
    assert refusal_of_parser(BadHttpMethod("x"), begun, WEB).status == status


def test_tls_at_a_plain_port_is_told_so() -> None:
    assert "https" not in refusal_of_parser(BadHttpMethod("x"), b"FOO", WEB).sentence
    assert "TLS was spoken" in refusal_of_parser(BadHttpMethod("x"), b"\x16\x03\x01", WEB).sentence


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LineTooLong(b"x", WEB.max_target_bytes), 414),
        (LineTooLong(b"x", WEB.max_header_bytes + 1), 431),
        (BadHttpMessage("Too many headers received"), 431),
        (BadHttpMessage("Missing 'Host' header in request."), 400),
        (BadHttpMessage("Duplicate 'Host' header found."), 400),
        (InvalidURLError("http://[::"), 400),
        (BadStatusLine("x"), 400),
    ],
)
def test_each_fault_has_its_status(error: BadHttpMessage, status: int) -> None:
    assert refusal_of_parser(error, b"GET / HTTP/1.1\r\n", WEB).status == status


@given(st.binary(min_size=6, max_size=64))
def test_no_sentence_repeats_what_was_sent(sent: bytes) -> None:
    said = refusal_of_parser(BadHttpMessage(repr(sent)), sent, WEB)
    assert said.status in (400, 431)
    assert said.sentence in (
        "The request is malformed.",
        "A request of HTTP/1.1 needs a Host field.",
        "A field that may stand once stands twice.",
    )
