"""Claims about the addresses something is shared at."""

from __future__ import annotations

import ipaddress

import pytest

from lanline.services.share.owner.addresses import Spot, choose, url_of
from lanline.transport.interfaces import Interface


def _interface(name: str, *addresses: str, is_up: bool = True, is_running: bool = True) -> Interface:
    found = [ipaddress.ip_interface(address) for address in addresses]
    return Interface(
        name,
        1,
        is_up=is_up,
        is_running=is_running,
        is_loopback=name == "lo",
        can_broadcast=True,
        can_multicast=True,
        ipv4=tuple(one for one in found if isinstance(one, ipaddress.IPv4Interface)),
        ipv6=tuple(one for one in found if isinstance(one, ipaddress.IPv6Interface)),
    )


LO = _interface("lo", "127.0.0.1/8", "::1/128")
BRIDGE = _interface("br0", "172.17.0.1/16", is_running=False)
ETH = _interface("eth0", "192.168.1.5/24", "fd00::2/64", "fe80::1/64", "2001:db8::5/64")


def test_without_lan_this_machine_alone_is_served() -> None:
    choice = choose([LO, BRIDGE, ETH], is_lan=False)
    assert choice.spots == (Spot("127.0.0.1", "lo"), Spot("::1", "lo"))
    assert choice.left_out == ()


def test_with_lan_every_private_address_is_served_the_one_that_leads_out_first() -> None:
    choice = choose([LO, BRIDGE, ETH], is_lan=True, outward="eth0")
    hosts = [spot.host for spot in choice.spots]
    assert hosts == ["192.168.1.5", "fd00::2", "172.17.0.1", "fe80::1%eth0", "127.0.0.1", "::1"]


def test_where_none_leads_out_one_with_a_cable_comes_first() -> None:
    assert choose([LO, BRIDGE, ETH], is_lan=True).spots[0].host == "192.168.1.5"


@pytest.mark.parametrize("address", ["203.0.113.7/24", "100.64.3.4/10", "2001:db8::1/64", "192.0.2.2/24"])
def test_an_address_that_strangers_may_reach_is_left_out_and_named(address: str) -> None:
    choice = choose([LO, _interface("ppp0", address)], is_lan=True)
    assert choice.left_out == (Spot(address.partition("/")[0], "ppp0"),)
    assert all(spot.is_loopback for spot in choice.spots)


def test_an_interface_that_is_switched_off_is_passed_over() -> None:
    assert len(choose([LO, _interface("eth0", "192.168.1.5/24", is_up=False)], is_lan=True).spots) == 2


def test_an_address_of_one_link_has_its_interface_and_is_not_for_browsers() -> None:
    spot = choose([ETH], is_lan=True).spots[-1]
    assert spot == Spot("fe80::1%eth0", "eth0")
    assert not spot.is_for_browsers and not spot.is_loopback


def test_a_machine_that_names_no_interface_is_served_at_loopback() -> None:
    assert choose([], is_lan=True).spots == (Spot("127.0.0.1", ""),)


@pytest.mark.parametrize(
    ("host", "port", "is_tls", "path", "expected"),
    [
        ("192.168.1.5", 8080, False, "", "http://192.168.1.5:8080/"),
        ("192.168.1.5", 80, False, "", "http://192.168.1.5/"),
        ("192.168.1.5", 443, True, "", "https://192.168.1.5/"),
        ("192.168.1.5", 443, False, "a%20b", "http://192.168.1.5:443/a%20b"),
        ("fd00::2", 8080, True, "", "https://[fd00::2]:8080/"),
        ("fe80::1%eth0", 8080, False, "", "http://[fe80::1%25eth0]:8080/"),
    ],
)
def test_a_url_is_what_is_typed(host: str, port: int, is_tls: bool, path: str, expected: str) -> None:
    assert url_of(host, port, is_tls=is_tls, path=path) == expected
