"""Addresses that are taken before anybody serves them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ListenFailed
from lanline.transport.binding import bind


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:0", "tls://127.0.0.1:0", "tcp://*:0", "udp://127.0.0.1:0"])
def test_a_bound_address_has_its_real_port_and_is_free_again_when_closed(text: str) -> None:
    bound = bind(Address.parse(text))
    (address,) = bound.addresses
    assert address.port > 0
    assert (address.scheme, address.host) == (bound.asked.scheme, bound.asked.host)
    assert bound.sockets[0].getsockname()[1] == address.port
    bound.close()
    bind(address).close()


def test_a_name_of_two_addresses_is_bound_to_one_port() -> None:
    bound = bind(Address.parse("tcp://localhost:0"))
    assert len({address.port for address in bound.addresses}) == 1
    bound.close()


def test_a_unix_socket_listens_at_once_for_this_user_alone_and_its_file_goes_with_it(home: Path) -> None:
    path = home / "s"
    bound = bind(Address("unix", path=str(path)))
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    bound.close()
    bound.close()
    assert not path.exists()


def test_a_stale_file_is_cleared_and_one_in_use_is_not(home: Path) -> None:
    path = home / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    bound = bind(Address("unix", path=str(path)))
    with pytest.raises(ListenFailed, match="another server listens there"):
        bind(Address("unix", path=str(path)))
    bound.close()


def test_the_file_of_a_unix_socket_stays_when_a_child_closes_its_share(home: Path) -> None:
    path = home / "s"
    bound = bind(Address("unix", path=str(path)))
    child = os.fork()
    if child == 0:
        bound.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.exists()
    bound.close()


def test_a_port_in_use_names_who_has_it() -> None:
    bound = bind(Address.parse("tcp://127.0.0.1:0"))
    with pytest.raises(ListenFailed, match=rf"in use by .*process {os.getpid()}"):
        bind(bound.addresses[0])
    bound.close()


def test_what_has_no_socket_is_refused() -> None:
    with pytest.raises(AddressError, match="within one process"):
        bind(Address.parse("mem://x"))
