"""Claims about taking one port at several addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from lanline.errors import ListenFailed
from lanline.services.share.owner import ports
from lanline.services.share.owner.ports import Taken, take

BOTH = ("127.0.0.1", "::1")
needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody listens at; `::1` is free there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _close(taken: Taken) -> None:
    for one in taken.bound:
        one.close()


@needs_ipv6
def test_all_addresses_have_the_same_free_port() -> None:
    taken = take(BOTH, 0)
    found = [address.port for one in taken.bound for address in one.addresses]
    assert found == [taken.port, taken.port] and taken.port > 0
    _close(taken)


def test_a_port_that_was_asked_for_and_is_in_use_is_an_error_that_says_by_whom(occupied: int) -> None:
    with pytest.raises(ListenFailed, match=rf"port {occupied} is in use by .*process {os.getpid()}"):
        take(BOTH[:1], occupied)


@needs_ipv6
def test_nothing_is_kept_where_one_address_cannot_be_had(occupied: int) -> None:
    with pytest.raises(ListenFailed):
        take(BOTH[::-1], occupied)
    _close(take(BOTH[1:], occupied))


def test_where_none_is_named_the_next_free_one_is_taken_and_the_first_is_told(
    occupied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "FIRST", occupied)
    monkeypatch.setattr(ports, "LAST", occupied + 40)
    taken = take(BOTH[:1], None)
    assert occupied < taken.port <= occupied + 40
    assert taken.in_place_of is not None and str(os.getpid()) in str(taken.in_place_of)
    _close(taken)


def test_where_the_whole_range_is_in_use_it_is_said(occupied: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "FIRST", occupied)
    monkeypatch.setattr(ports, "LAST", occupied)
    with pytest.raises(ListenFailed, match="all in use"):
        take(BOTH[:1], None)


def test_an_address_that_went_away_is_passed_over_unless_it_is_the_only_one() -> None:
    taken = take(("192.0.2.77", "127.0.0.1"), 0)
    assert taken.absent == ("192.0.2.77",) and len(taken.bound) == 1
    _close(taken)
    with pytest.raises(ListenFailed, match="no interface of this machine has that address"):
        take(("192.0.2.77",), 0)
