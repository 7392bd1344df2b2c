"""The addresses of this machine that others are told: usable ones, best first, never none."""

from __future__ import annotations

import ipaddress

import ifaddr
import pytest

from lanline.room.interfaces import own_addresses


def _adapters(*ips: str) -> list[ifaddr.Adapter]:
    made = [ifaddr.IP(ip if ":" not in ip else (ip, 0, 0), 24, "eth0") for ip in ips]
    return [ifaddr.Adapter("eth0", "eth0", made)]


def test_every_address_is_one() -> None:
    assert own_addresses()
    for address in own_addresses():
        ipaddress.ip_address(address)


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (["127.0.0.1", "::1"], ["127.0.0.1"]),
        (["127.0.0.1", "10.0.0.7", "fe80::1"], ["10.0.0.7"]),
        (["2001:db8::7", "8.8.8.8", "192.168.1.7"], ["192.168.1.7", "8.8.8.8", "2001:db8::7"]),
        ([], ["127.0.0.1"]),
    ],
)
def test_private_ipv4_comes_first_and_loopback_only_when_there_is_nothing_else(
    there: list[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: _adapters(*there))
    assert own_addresses() == told
