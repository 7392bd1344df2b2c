"""What is wrong with the scope of an IPv6 address, in words."""

from __future__ import annotations

import errno
import socket

import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed, ListenFailed
from lanline.transport.binding import bind
from lanline.transport.scopes import wrong_scope
from lanline.transport.sockets import connect
from lanline.transport.udp.datagrams import open_connected


def test_a_link_local_address_without_an_interface_is_told_which_there_are() -> None:
    found = wrong_scope("fe80::1", errno.EINVAL)
    assert found is not None
    assert "by which interface" in found.reason
    assert all(name in found.advice for _, name in socket.if_nameindex()[1:3] if name != "lo")


def test_an_interface_that_is_not_there_is_named() -> None:
    found = wrong_scope("fe80::1%nosuch9", socket.EAI_NONAME)
    assert found is not None
    assert found.reason == "this machine has no interface 'nosuch9'"


@pytest.mark.parametrize(
    ("host", "number"),
    [
        ("fe80::1", errno.ECONNREFUSED),
        ("fe80::1%lo", errno.EINVAL),
        ("fd00::1", errno.EINVAL),
        ("10.0.0.7", errno.EINVAL),
        ("no.such.host", socket.EAI_NONAME),
        ("a:b%c", socket.EAI_NONAME),
    ],
)
def test_other_failures_are_not_the_scope_s(host: str, number: int) -> None:
    assert wrong_scope(host, number) is None


@pytest.mark.parametrize("host", ["fe80::1", "fe80::1%nosuch9"])
def test_whoever_connects_or_listens_is_told(host: str) -> None:
    with pytest.raises(ConnectFailed, match="interface"):
        connect(Address("tcp", host, 9), timeout=1.0)
    with pytest.raises(ConnectFailed, match="interface"):
        open_connected(Address("udp", host, 9))
    for scheme in ("tcp", "udp"):
        with pytest.raises(ListenFailed, match="interface"):
            bind(Address(scheme, host, 0))
