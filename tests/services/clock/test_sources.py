"""Neighbours and strangers, and how often a stranger may ask."""

from __future__ import annotations

import ipaddress

import pytest

from lanline.services.clock.sources import BURST, MAX_STRANGERS, RATE, TOTAL_RATE, Neighbourhood, Strangers
from lanline.transport.interfaces import Interface

ETH0 = Interface(
    "eth0",
    2,
    is_up=True,
    is_running=True,
    is_loopback=False,
    can_broadcast=True,
    can_multicast=True,
    ipv4=(ipaddress.IPv4Interface("192.168.1.7/24"), ipaddress.IPv4Interface("10.1.2.3/32")),
    ipv6=(ipaddress.IPv6Interface("fd00:1::7/64"), ipaddress.IPv6Interface("fe80::7/64")),
)


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.1",
        "192.168.1.255",
        "10.1.2.3",
        "127.3.2.1",
        "::1",
        "fd00:1::1",
        "fe80::1%eth0",
        "fe80::1%3",
        "::ffff:192.168.1.1",
    ],
)
def test_who_is_on_a_network_of_this_machine_is_a_neighbour(host: str) -> None:
    assert Neighbourhood([ETH0]).holds(host)


@pytest.mark.parametrize("host", ["192.168.2.1", "10.1.2.4", "8.8.8.8", "fd00:2::1", "2001:db8::1", "::ffff:8.8.8.8"])
def test_everybody_else_is_a_stranger(host: str) -> None:
    assert not Neighbourhood([ETH0]).holds(host)


def test_without_any_network_only_this_machine_is_near() -> None:
    nowhere = Neighbourhood([])
    assert nowhere.holds("127.0.0.1")
    assert not nowhere.holds("192.168.1.1")


def test_a_stranger_has_a_burst_and_then_its_rate() -> None:
    strangers = Strangers()
    assert sum(strangers.may_ask("8.8.8.8", 100.0) for _ in range(1000)) == BURST
    assert sum(strangers.may_ask("8.8.8.8", 101.0) for _ in range(1000)) == RATE
    assert strangers.may_ask("8.8.4.4", 101.0)
    assert sum(strangers.may_ask("8.8.8.8", 9999.0) for _ in range(1000)) == BURST


def test_one_network_of_ipv6_is_one_stranger() -> None:
    strangers = Strangers()
    hosts = [f"2001:db8::{number:x}" for number in range(1, 101)]
    assert sum(strangers.may_ask(host, 1.0) for host in hosts) == BURST
    assert strangers.may_ask("2001:db8:0:1::1", 1.0)


def test_forged_senders_without_number_get_no_more_than_all_strangers_may() -> None:
    strangers = Strangers()
    hosts = [f"8.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(MAX_STRANGERS * 4)]
    assert sum(strangers.may_ask(host, 1.0) for host in hosts) == TOTAL_RATE
    assert len(strangers._known) == MAX_STRANGERS
