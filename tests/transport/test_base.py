"""Arrivals and the facts of a connection."""

from __future__ import annotations

import os
import socket

import pytest

from lanline.transport.base import (
    Arrival,
    internet_peer_text,
    peer_process,
    peer_uid,
    plain_host,
    unix_peer_text,
)


class _Keeper:
    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.calls: list[str | None] = []

    def welcome(self, member: str | None) -> bool:
        self.calls.append(member)
        return self.answer

    def forget(self) -> None:
        self.calls.append("forgotten")


def _arrival(keeper: _Keeper | None) -> Arrival:
    return Arrival(scheme="tcp", peer_address="tcp://10.0.0.7:5", host="10.0.0.7", keeper=keeper)


def test_a_welcome_is_reported_with_the_members_name() -> None:
    keeper = _Keeper(answer=True)
    arrival = _arrival(keeper)
    assert arrival.welcomed("pc7")
    assert keeper.calls == ["pc7"]
    assert repr(arrival) == "<Arrival tcp://10.0.0.7:5 member=pc7>"


def test_a_welcome_that_is_refused_leaves_it_without_a_name() -> None:
    arrival = _arrival(_Keeper(answer=False))
    assert not arrival.welcomed("pc7")
    assert arrival.member is None
    assert repr(arrival) == "<Arrival tcp://10.0.0.7:5>"


def test_its_end_is_reported_once() -> None:
    keeper = _Keeper(answer=True)
    arrival = _arrival(keeper)
    arrival.gone()
    arrival.gone()
    assert keeper.calls == ["forgotten"]


def test_one_that_nobody_counts_is_always_welcome() -> None:
    arrival = _arrival(None)
    assert arrival.welcomed("pc7")
    arrival.gone()
    assert arrival.member == "pc7"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("10.0.0.7", 5), "tls://10.0.0.7:5"),
        (("::ffff:10.0.0.7", 5, 0, 0), "tls://10.0.0.7:5"),
        (("fe80::1%eth0", 5, 0, 2), "tls://[fe80::1%eth0]:5"),
    ],
)
def test_an_internet_peer_is_an_address(name: tuple[str, int], text: str) -> None:
    assert internet_peer_text("tls", name) == text


def test_an_ipv6_host_that_only_looks_mapped_stays() -> None:
    assert plain_host("::ffff:0:1") == "::ffff:0:1"


@pytest.mark.parametrize(
    ("name", "uid", "text"),
    [
        ("/run/x", 7, "unix:///run/x (uid 7, process 8)"),
        (b"\0hub", 7, "unix://@hub (uid 7, process 8)"),
        ("", 7, "unix:// (uid 7, process 8)"),
        (None, None, "unix://"),
    ],
)
def test_a_unix_peer_is_a_path_and_a_process(name: str | bytes | None, uid: int | None, text: str) -> None:
    assert unix_peer_text(name, uid, 8 if uid is not None else None) == text


def test_the_kernel_names_the_process_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()
        assert peer_process(ours) == (os.getuid(), os.getpid())
    with socket.socket() as other:
        assert peer_process(other) == (None, None)
