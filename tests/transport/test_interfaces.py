"""The interfaces of a machine as they are, and its addresses that others are told: usable ones, best first."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys

import ifaddr
import pytest

from lanline.errors import TransportError
from lanline.transport.interfaces import interfaces, own_addresses
from tests.namespaces import machines

LIST = """
import json
from lanline.transport.interfaces import interfaces
print(json.dumps([[*one[:7], [str(ip) for ip in one.ipv4], one.has_link_local] for one in interfaces()]))
"""


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


def test_loopback_is_there_and_known_for_what_it_is() -> None:
    found = {one.name: one for one in interfaces()}
    assert [one.number for one in found.values()] == sorted(index for index, _ in socket.if_nameindex())
    [lo] = [one for one in found.values() if one.is_loopback]
    assert lo.is_up
    assert ipaddress.IPv4Interface("127.0.0.1/8") in lo.ipv4


def test_what_is_up_down_or_without_a_carrier_is_told_apart() -> None:
    with machines(2) as (here, there):
        for name in ("good", "dead", "off"):
            here.cable(name, there, name)
        there.give("good", "10.9.0.2/24")
        there.give("off", "10.9.2.2/24")
        here.give("good", "10.9.0.1/24")
        here.give("dead", "10.9.1.1/24")
        here.ip("addr add 10.9.0.77/25 dev good label good:1")
        here.ip("addr add 10.9.2.1/24 dev off")
        found = {name: rest for name, *rest in json.loads(here.run(sys.executable, "-c", LIST))}
    # index, up, running, loopback, broadcast, multicast, IPv4, link-local
    assert found["lo"][1:] == [True, True, True, False, False, ["127.0.0.1/8"], False]
    assert found["good"][1:] == [True, True, False, True, True, ["10.9.0.1/24", "10.9.0.77/25"], True]
    assert found["dead"][1:6] == [True, False, False, True, True]
    assert found["off"][1:] == [False, False, False, True, True, ["10.9.2.1/24"], False]


def test_a_system_that_does_not_list_them_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*, include_unconfigured: bool) -> list[ifaddr.Adapter]:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(ifaddr, "get_adapters", refused)
    with pytest.raises(TransportError, match="Permission denied"):
        interfaces()
