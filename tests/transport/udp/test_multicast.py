"""Ways out of a machine, and what is heard on others: with cables that are pulled and interfaces that are off."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed, MessageTooLarge, TextNotBytes, TransportError
from lanline.transport.interfaces import Interface
from lanline.transport.udp import multicast
from lanline.transport.udp.hearing import Listener
from lanline.transport.udp.multicast import GROUP_IPV4, GROUP_IPV6, MAX_SHOUT_BYTES, send_to, shout, ways_out
from tests.namespaces import Machine, machines


def _interface(name: str, number: int, *ips: str, loopback: bool = False, **flags: bool) -> Interface:
    made = [ipaddress.ip_interface(ip) for ip in ips]
    able = {"is_up": True, "is_running": True, "can_broadcast": not loopback, "can_multicast": not loopback, **flags}
    return Interface(
        name,
        number,
        is_loopback=loopback,
        ipv4=tuple(ip for ip in made if isinstance(ip, ipaddress.IPv4Interface)),
        ipv6=tuple(ip for ip in made if isinstance(ip, ipaddress.IPv6Interface)),
        **able,
    )


LO = _interface("lo", 1, "127.0.0.1/8", "::1/128", loopback=True)
ETH0 = _interface("eth0", 2, "192.168.1.7/24", "192.168.1.8/24", "10.0.0.7/8", "fe80::7/64")


def test_an_interface_has_a_way_for_each_network_and_each_group_and_loopback_comes_last() -> None:
    ways, idle = ways_out([LO, ETH0])
    assert [(way.interface, way.kind, way.host) for way in ways] == [
        ("eth0", "broadcast", "192.168.1.255"),
        ("eth0", "broadcast", "10.255.255.255"),
        ("eth0", "multicast", GROUP_IPV4),
        ("eth0", "multicast", GROUP_IPV6),
        ("lo", "broadcast", "127.255.255.255"),
    ]
    assert [way.stays_here for way in ways] == [False] * 4 + [True]
    assert idle == []


@pytest.mark.parametrize(
    ("interface", "reason"),
    [
        (_interface("eth1", 3, "10.0.0.7/8", is_up=False), "it is switched off"),
        (_interface("eth1", 3, "10.0.0.7/8", is_running=False), "it has no carrier"),
        (_interface("eth1", 3), "it has no address"),
        (_interface("eth1", 3, "fd00::7/64"), "it has no address"),
        (_interface("tun0", 3, "10.0.0.7/8", can_broadcast=False, can_multicast=False), "it can neither"),
    ],
)
def test_an_interface_that_carries_nothing_is_left_out_with_the_reason(interface: Interface, reason: str) -> None:
    ways, idle = ways_out([interface])
    assert ways == []
    [one] = idle
    assert not one.was_tried
    assert str(one.error).startswith(reason)


def test_a_cable_between_two_alone_has_no_broadcast_address() -> None:
    ways, _ = ways_out([_interface("ppp0", 3, "10.0.0.7/31", can_broadcast=True)])
    assert [way.kind for way in ways] == ["multicast"]


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:9", "udp://*:9", "udp://127.0.0.1:0"])
def test_what_no_datagram_can_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        send_to(b"x", Address.parse(text))


def test_a_shout_is_told_to_one_address_as_people_write_it() -> None:
    with Listener(0) as listener:
        for to in (f"127.0.0.1:{listener.port}", f"udp://127.0.0.1:{listener.port}", "127.0.0.1"):
            [delivery] = shout(b"hello", to, port=listener.port)
            assert str(delivery.to) == f"udp://127.0.0.1:{listener.port}"
            assert listener.receive(5.0).message == b"hello"


def test_what_is_no_shout_is_refused() -> None:
    with pytest.raises(MessageTooLarge, match="shout of 1201 bytes, limit 1200 bytes"):
        shout(b"x" * (MAX_SHOUT_BYTES + 1))
    with pytest.raises(TextNotBytes):
        shout("text")  # type: ignore[arg-type]


def test_a_shout_that_leaves_by_no_way_is_an_error_with_the_reason() -> None:
    with pytest.raises(TransportError, match=r"by no way: .*udp://"):
        shout(b"x", "udp://[ff02::1%65000]:9")


def test_a_name_that_is_none_is_said() -> None:
    with pytest.raises(ConnectFailed):
        send_to(b"x", Address("udp", "no-such-name.invalid", 9529))


def test_both_families_send_from_one_port() -> None:
    with multicast._Sockets() as sockets:
        sockets.open_pair()
        ports = {sock.getsockname()[1] for sock in sockets._open.values()}
        assert len(sockets._open) == 2
        assert len(ports) == 1


# -- several machines ------------------------------------------------------------------------------------------

SEND = """
import json, sys
from lanline.transport.udp.multicast import send_everywhere
for one in send_everywhere(sys.argv[1].encode()):
    print(json.dumps([one.way.interface, one.way.kind, one.way.host, str(one.error or "")]))
"""

HEAR = """
import sys
from lanline.transport.udp.hearing import Listener
with Listener() as listener:
    print(*listener.interfaces, flush=True)
    while True:
        one = listener.receive(15.0)
        print(one.message.decode(), one.sender.host, one.sender.port, flush=True)
"""


def _send(machine: Machine, text: str) -> list[list[str]]:
    return [json.loads(line) for line in machine.run(sys.executable, "-c", SEND, text).splitlines()]


@contextlib.contextmanager
def _ear(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    words = machine.command(sys.executable, "-c", HEAR)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


@pytest.fixture
def two() -> Iterator[tuple[Machine, Machine]]:
    """Two machines with one good cable, one whose other end is off, and one that is off on both sides."""
    with machines(2) as (here, there):
        for name in ("good", "dead", "off"):
            here.cable(name, there, name)
        there.give("good", "10.9.0.2/24")
        here.give("good", "10.9.0.1/24")
        here.give("dead", "10.9.1.1/24")
        here.wait_carrier("good")
        there.wait_carrier("good")
        yield here, there


def test_one_dead_interface_does_not_spoil_the_rest(two: tuple[Machine, Machine]) -> None:
    here, there = two
    with _ear(there) as ear:
        assert _line(ear) == ["good", "lo"]
        sent = _send(here, "lunch")
        heard = [_line(ear) for _ in range(3)]
    assert sorted(one[:3] for one in sent if not one[3]) == [
        ["good", "broadcast", "10.9.0.255"],
        ["good", "multicast", GROUP_IPV4],
        ["good", "multicast", GROUP_IPV6],
        ["lo", "broadcast", "127.255.255.255"],
    ]
    assert {one[0]: one[3] for one in sent if one[3]} == {
        "dead": "it has no carrier: no cable, or nobody at its other end",
        "off": "it is switched off",
    }
    assert [one[:2] for one in heard[:2]] == [["lunch", "10.9.0.1"]] * 2
    assert heard[2][1].startswith("fe80::")
    assert len({port for _, _, port in heard}) == 1


def test_a_way_that_the_system_forbids_is_told_and_the_others_are_taken(two: tuple[Machine, Machine]) -> None:
    here, there = two
    here.ip("route del broadcast 10.9.0.255 dev good table local")
    here.ip("route add prohibit 10.9.0.255 table local")
    with _ear(there) as ear:
        _line(ear)
        sent = _send(here, "lunch")
        assert _line(ear)[:2] == ["lunch", "10.9.0.1"]
    errors = {host: error for _, _, host, error in sent if host}
    assert errors["10.9.0.255"]
    assert not errors[GROUP_IPV4]
    # No network took a broadcast, so that of every network was tried too.
    assert "255.255.255.255" in errors


def test_a_machine_without_any_network_still_reaches_its_own_listeners() -> None:
    with machines(1) as (alone,), _ear(alone) as first, _ear(alone) as second:
        assert _line(first) == _line(second) == ["lo"]
        assert _send(alone, "hello") == [["lo", "broadcast", "127.255.255.255", ""]]
        for ear in (first, second):
            assert _line(ear)[:2] == ["hello", "127.0.0.1"]


def test_an_interface_that_comes_later_is_listened_to_within_five_seconds() -> None:
    with machines(2) as (here, there), _ear(there) as ear:
        assert _line(ear) == ["lo"]
        assert ear.stdout is not None
        here.cable("late", there, "late")
        # Without an IPv4 address there, the group of IPv6 is the only way to it.
        there.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/late/accept_dad && ip link set dev late up")
        here.give("late", "10.9.0.1/24")
        here.wait_carrier("late")
        deadline = time.monotonic() + 10.0
        while not select.select([ear.stdout], [], [], 0.1)[0]:
            assert time.monotonic() < deadline
            _send(here, "late")
        assert _line(ear)[0] == "late"
