"""One datagram in, one out: nothing is cut in silence, nothing of one peer ends what is said with another."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import (
    AddressError,
    ChannelClosed,
    ConnectFailed,
    DatagramRefused,
    DatagramTruncated,
    MessageTooLarge,
    TextNotBytes,
    TransportError,
)
from lanline.transport.udp import udpsocket
from lanline.transport.udp.datagrams import open_bound, open_connected
from lanline.transport.udp.udpsocket import UdpSocket, address_of_place

HOSTS = ["127.0.0.1", "[::1]"]


@pytest.fixture(params=HOSTS)
def port(request: pytest.FixtureRequest) -> Iterator[UdpSocket]:
    """A socket bound to loopback."""
    bound = open_bound(Address.parse(f"udp://{request.param}:0"))
    yield bound
    bound.close()


@pytest.fixture
def everywhere() -> Iterator[UdpSocket]:
    """A socket bound to every interface."""
    bound = open_bound(Address.parse("udp://*:0"))
    yield bound
    bound.close()


def _free(host: str) -> Address:
    """An address where nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host.strip("[]"), 0))
        return address_of_place(sock.getsockname())


def test_a_datagram_is_one_message_whatever_it_holds(port: UdpSocket) -> None:
    with open_connected(port.address) as peer:
        for message in (b"hello", b"", bytes(range(256)), b"x" * 65_507):
            peer.send(message)
            received = port.receive()
            assert received.message == message
            assert port.address_of(received.sender) == peer.address
            port.send(message, received.sender)
            assert peer.receive().message == message


def test_several_senders_are_told_apart(port: UdpSocket) -> None:
    with open_connected(port.address) as one, open_connected(port.address) as other:
        one.send(b"one")
        other.send(b"other")
        assert [(each.message, port.address_of(each.sender)) for each in (port.receive(), port.receive())] == [
            (b"one", one.address),
            (b"other", other.address),
        ]


def test_where_nothing_is_there_it_does_not_wait_unless_told(port: UdpSocket) -> None:
    with pytest.raises(BlockingIOError):
        port.receive()
    assert not port.wait(0.01)
    with open_connected(port.address) as peer:
        assert peer.wait(1.0, to_send=True)
        peer.send(b"x")
    assert port.wait(None)
    assert port.receive().message == b"x"


def test_a_datagram_over_the_limit_is_told_and_the_next_one_comes() -> None:
    with open_bound(Address.parse("udp://:0"), max_datagram_bytes=10) as port, open_connected(port.address) as peer:
        for message in (b"y" * 10, b"x" * 11, b"next"):
            peer.send(message)
        assert port.receive().message == b"y" * 10
        with pytest.raises(DatagramTruncated, match=f"from {peer.address} was longer than 10 bytes"):
            port.receive()
        assert port.receive().message == b"next"


def test_what_does_not_fit_into_a_datagram_is_refused_with_both_numbers(everywhere: UdpSocket) -> None:
    place = everywhere.place_of(Address.parse("udp://127.0.0.1:9"))
    with pytest.raises(MessageTooLarge, match="datagram of 65508 bytes, limit 65507 bytes"):
        everywhere.send(b"x" * 65_508, place)
    with pytest.raises(TextNotBytes):
        everywhere.send("text", place)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", HOSTS)
def test_a_refusal_names_who_refused_and_the_socket_goes_on(everywhere: UdpSocket, host: str) -> None:
    gone = _free(host)
    with open_bound(Address.parse(f"udp://{host}:0")) as there:
        for number in range(3):
            everywhere.send(b"to nobody", everywhere.place_of(gone))
            everywhere.send(b"%d" % number, everywhere.place_of(there.address))
        assert [there.receive().message for _ in range(3)] == [b"0", b"1", b"2"], "none was eaten by an earlier error"
        for _ in range(3):
            assert everywhere.wait(15.0)
            with pytest.raises(DatagramRefused, match=f"nobody listens at {gone}".replace("[", r"\[")):
                everywhere.receive()
        with pytest.raises(BlockingIOError):
            everywhere.receive()


@pytest.mark.parametrize("host", HOSTS)
def test_a_connected_socket_survives_refusals_too(host: str) -> None:
    gone = _free(host)
    with open_connected(gone) as peer:
        peer.send(b"one")
        peer.send(b"two")
        with pytest.raises(DatagramRefused):
            peer.receive()
        with open_bound(gone) as late:
            peer.send(b"three")
            assert late.receive().message == b"three"


def test_an_answer_leaves_from_the_address_that_was_asked(everywhere: UdpSocket) -> None:
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        with open_connected(Address("udp", host, everywhere.address.port)) as peer:
            peer.send(b"who are you?")
            received = everywhere.receive()
            assert everywhere.local_address(received.came_to) == Address("udp", host, everywhere.address.port)
            everywhere.send(b"me", received.sender, received.came_to)
            assert peer.receive().message == b"me"


def test_an_asked_address_that_nothing_can_leave_from_is_left_to_the_system(everywhere: UdpSocket) -> None:
    with open_bound(Address.parse("udp://:0")) as peer:
        broadcast = bytes(10) + b"\xff\xff" + bytes([127, 255, 255, 255]) + bytes(4)
        everywhere.send(b"hello", everywhere.place_of(peer.address), broadcast)
        assert peer.receive().message == b"hello"


def test_a_multicast_address_is_nobodys_own(everywhere: UdpSocket) -> None:
    group = socket.inet_pton(socket.AF_INET6, "ff02::1") + bytes(4)
    link = socket.inet_pton(socket.AF_INET6, "fe80::1") + b"\x01\0\0\0"
    level, kind = everywhere.pktinfo
    assert everywhere.way_back([(level, kind, group)]) == b""
    assert everywhere.way_back([(level, kind, link)]) == link, "a link-local address keeps its interface"
    assert everywhere.way_back([(0, 99, b"")]) == b""


def test_an_address_of_the_other_kind_is_refused_with_what_to_do() -> None:
    with open_bound(Address.parse("udp://127.0.0.1:0")) as port:
        with pytest.raises(AddressError, match="is not IPv4"):
            port.place_of(Address.parse("udp://[::1]:9"))
        for text in ("udp://*:9", "udp://127.0.0.1:0", "tcp://127.0.0.1:9"):
            with pytest.raises(AddressError, match="can be sent to"):
                port.place_of(Address.parse(text))
        with pytest.raises(socket.gaierror):
            port.place_of(Address.parse("udp://localhost:9"), is_numeric=True)
        with pytest.raises(ConnectFailed, match="resolve"):
            port.place_of(Address.parse("udp://nowhere.invalid:9"))
        assert port.place_of(Address.parse("udp://localhost:9")) == ("127.0.0.1", 9)


def test_an_address_of_many_machines_is_not_sent_to_by_accident(everywhere: UdpSocket) -> None:
    with pytest.raises(TransportError, match="permission denied"):
        everywhere.send(b"x", everywhere.place_of(Address.parse("udp://255.255.255.255:9")))


def test_the_tables_of_peers_stay_small(everywhere: UdpSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udpsocket, "_KNOWN_ADDRESSES", 4)
    for number in range(1, 20):
        everywhere.address_of(("127.0.0.1", number))
        everywhere.place_of(Address("udp", "127.0.0.1", number))
    assert len(everywhere.addresses) <= 4
    assert len(everywhere._places) <= 4


def test_after_closing_every_call_says_so(port: UdpSocket) -> None:
    port.close()
    port.close()
    with pytest.raises(ChannelClosed):
        port.receive()
    with pytest.raises(ChannelClosed):
        port.send(b"x", ("127.0.0.1", 9))
    assert "closed" in repr(port)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("10.0.0.7", 9), "udp://10.0.0.7:9"),
        (("::ffff:10.0.0.7", 9, 0, 0), "udp://10.0.0.7:9"),
        (("::1", 9, 0, 0), "udp://[::1]:9"),
        (("fe80::7", 9, 0, 1), f"udp://[fe80::7%{socket.if_indextoname(1)}]:9"),
        (("fe80::7", 9, 0, 4_000_000), "udp://[fe80::7%4000000]:9"),
    ],
)
def test_a_place_is_shown_as_people_write_it(place: tuple[Any, ...], text: str) -> None:
    assert str(address_of_place(place)) == text
