"""First bytes and the entrance they lead to."""

from __future__ import annotations

import asyncio

import pytest

from lanline.transport.base import Arrival
from lanline.transport.entrance import BULK_PREFIX, DOOR_PREFIX, TLS_PREFIX, Choice, Entrance, choose


def _factory(_arrival: Arrival) -> asyncio.BaseProtocol:
    return asyncio.Protocol()


LINK = Entrance("link", TLS_PREFIX, _factory)
BULK = Entrance("bulk", BULK_PREFIX, _factory, is_open=lambda: False)
DOOR = Entrance("door", DOOR_PREFIX + b"\x01", _factory)
SHUT_DOOR = Entrance("door", DOOR_PREFIX + b"\x01", _factory, is_open=lambda: False)
ANYTHING = Entrance("plain", b"", _factory)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"\x16\x03\x01\x02\x00", Choice(LINK)),
        (b"\x16", Choice(LINK)),
        (b"LANLINE\x01rest", Choice(DOOR)),
        (b"LANLINE\x02rest", Choice()),
        (b"LANLINE", Choice(is_undecided=True)),
        (b"L", Choice(is_undecided=True)),
        (b"LANS", Choice()),
        (b"\x02" + bytes(16), Choice()),
        (b"GET / HTTP/1.1\r\n", Choice()),
    ],
)
def test_the_first_bytes_choose(first: bytes, expected: Choice) -> None:
    assert choose([LINK, BULK, DOOR], first) == expected


@pytest.mark.parametrize("first", [b"L", b"LANLINE", b"LANLINE\x01", b"LANLINE\x02", b"HELO"])
def test_a_shut_entrance_answers_as_if_it_did_not_exist(first: bytes) -> None:
    assert choose([LINK, SHUT_DOOR], first) == choose([LINK], first) == Choice()


def test_an_entrance_without_prefix_takes_what_nobody_else_claims() -> None:
    assert choose([ANYTHING, LINK, DOOR], b"\x16") == Choice(LINK)
    assert choose([ANYTHING, LINK, DOOR], b"hello") == Choice(ANYTHING)
    assert choose([ANYTHING, LINK, DOOR], b"LAN") == Choice(is_undecided=True)
    assert choose([ANYTHING, LINK, DOOR], b"LAND") == Choice(ANYTHING)


def test_an_entrance_is_asked_each_time_whether_it_is_open() -> None:
    answers = iter([False, True])
    door = Entrance("door", b"D", _factory, is_open=lambda: next(answers))
    assert choose([door], b"D") == Choice()
    assert choose([door], b"D") == Choice(door)
