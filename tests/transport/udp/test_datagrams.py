"""Opening UDP sockets: where they are bound, who has the port, and what they never share."""

from __future__ import annotations

import os
import socket

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed, ListenFailed, UsageError
from lanline.transport.udp.datagrams import find, is_absent, open_bound, open_connected

parse = Address.parse


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "", "localhost"])
def test_a_bound_socket_says_where_it_is_bound_with_its_real_port(host: str) -> None:
    port = open_bound(parse(f"udp://{host}:0"))
    assert port.address.port > 0
    assert port.address.host in ("127.0.0.1", "::1")
    assert not port.is_everywhere
    port.close()
    assert port.fileno() == -1


def test_the_star_is_every_interface_of_both_kinds() -> None:
    port = open_bound(parse("udp://*:0"))
    assert str(port.address) == f"udp://*:{port.address.port}"
    assert port.is_everywhere
    for host in ("127.0.0.1", "[::1]"):
        peer = open_connected(parse(f"udp://{host}:{port.address.port}"))
        peer.send(host.encode())
        assert port.receive().message == host.encode()
        peer.close()
    port.close()


@pytest.mark.parametrize("text", ["udp://0.0.0.0:0", "udp://[::]:0"])
def test_one_kind_alone_is_every_interface_too_and_shown_as_written(text: str) -> None:
    port = open_bound(parse(text))
    assert port.is_everywhere
    assert str(port.address) == f"{text.removesuffix('0')}{port.address.port}"
    port.close()


@pytest.mark.parametrize(("first", "second"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "*"), ("*", "127.0.0.1")])
def test_a_second_server_at_the_port_is_refused_and_the_first_is_named(first: str, second: str) -> None:
    port = open_bound(parse(f"udp://{first}:0"))
    with pytest.raises(ListenFailed, match=rf"in use by .*\(process {os.getpid()}\)"):
        open_bound(parse(f"udp://{second}:{port.address.port}"))
    port.close()


def test_no_address_is_shared_not_even_with_a_socket_that_would() -> None:
    port = open_bound(parse("udp://127.0.0.1:0"))
    assert port.sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    if hasattr(socket, "SO_REUSEPORT"):
        assert port.sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(port.sock.getsockname())
    port.close()


def test_an_address_of_another_machine_cannot_be_served() -> None:
    with pytest.raises(ListenFailed, match="no interface of this machine") as caught:
        open_bound(parse("udp://192.0.2.77:0"))
    assert is_absent(caught.value.__cause__)
    with pytest.raises(ListenFailed, match="does not resolve"):
        open_bound(parse("udp://nowhere.invalid:9"))


@pytest.mark.parametrize("limit", [0, -1, 65_508])
def test_a_limit_that_no_datagram_can_have_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match="1 to 65507"):
        open_bound(parse("udp://:0"), max_datagram_bytes=limit)
    with pytest.raises(UsageError, match="1 to 65507"):
        open_connected(parse("udp://:9"), max_datagram_bytes=limit)


@pytest.mark.parametrize("text", ["udp://*:9", "udp://127.0.0.1:0"])
def test_it_connects_to_one_peer_only(text: str) -> None:
    with pytest.raises(AddressError, match="can be sent to"):
        open_connected(parse(text))


def test_a_connected_socket_knows_its_peer_and_leaves_from_where_it_is_told() -> None:
    port = open_bound(parse("udp://*:0"))
    peer = open_connected(parse(f"udp://127.0.0.1:{port.address.port}"), local_host="127.0.0.9")
    assert str(peer.peer) == f"udp://127.0.0.1:{port.address.port}"
    assert peer.address.host == "127.0.0.9"
    peer.close()
    port.close()


def test_a_name_that_stands_for_nothing_is_said_and_other_schemes_are_refused() -> None:
    with pytest.raises(ConnectFailed, match="does not resolve"):
        open_connected(parse("udp://nowhere.invalid:9"))
    with pytest.raises(AddressError, match="does not carry datagrams"):
        find(parse("tcp://127.0.0.1:9"))
