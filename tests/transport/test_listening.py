"""Listening TCP sockets without an event loop: every interface, names with several addresses, ports in use."""

from __future__ import annotations

import errno
import socket

import pytest

from lanline.address import Address
from lanline.transport.listening import listen_at, listen_everywhere, real_address
from lanline.transport.sockets import lookup


def test_every_interface_takes_both_versions_of_the_protocol() -> None:
    with listen_everywhere(0, 8) as sock:
        address = real_address(Address.parse("tcp://*:0"), sock)
        assert address == Address("tcp", "*", sock.getsockname()[1])
        hosts = ["127.0.0.1"] if sock.family == socket.AF_INET else ["127.0.0.1", "::1"]
        for host in hosts:
            with socket.create_connection((host, address.port), timeout=15):
                sock.accept()[0].close()


def test_all_addresses_of_a_name_share_one_port() -> None:
    found = [*lookup("127.0.0.1", 0), *lookup("127.0.0.2", 0)]
    socks = listen_at(found, 0, 8)
    try:
        assert [sock.getsockname()[0] for sock in socks] == ["127.0.0.1", "127.0.0.2"]
        assert len({sock.getsockname()[1] for sock in socks}) == 1
        assert real_address(Address.parse("tcp://pc7:0"), socks[1]).host == "127.0.0.2"
    finally:
        for sock in socks:
            sock.close()


def test_an_address_that_this_machine_lacks_is_passed_over_beside_one_that_it_has() -> None:
    (sock,) = listen_at([*lookup("192.0.2.1", 0), *lookup("127.0.0.1", 0)], 0, 8)
    with sock:
        assert sock.getsockname()[0] == "127.0.0.1"
    with pytest.raises(OSError) as caught:
        listen_at(lookup("192.0.2.1", 0), 0, 8)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_port_in_use_leaves_none_of_the_sockets_open() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        found = [*lookup("127.0.0.1", port), *lookup("127.0.0.2", port)]
        with pytest.raises(OSError) as caught:
            listen_at(found, port, 8)
        assert caught.value.errno == errno.EADDRINUSE
        with socket.create_server(("127.0.0.1", port)):
            assert taken.fileno() >= 0
