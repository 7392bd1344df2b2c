"""Claims about which addresses are of private networks."""

from __future__ import annotations

import ipaddress

import pytest

from lanline.transport.private import is_private


@pytest.mark.parametrize(
    "ip",
    [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.1.5",
        "169.254.3.4",
        "127.0.0.1",
        "fd00::2",
        "fe80::1",
        "::1",
    ],
)
def test_a_private_address_is_private(ip: str) -> None:
    assert is_private(ipaddress.ip_address(ip))


@pytest.mark.parametrize(
    "ip",
    ["172.32.0.1", "100.64.0.1", "100.127.255.254", "192.0.2.2", "203.0.113.7", "8.8.8.8", "2001:db8::1", "2a00::1"],
)
def test_what_strangers_may_reach_is_not(ip: str) -> None:
    assert not is_private(ipaddress.ip_address(ip))
