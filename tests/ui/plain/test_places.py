"""Where something is served, and who can reach it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.transport.binding import bind
from lanline.ui.plain.places import Place, places_of


def _place(address: Address) -> Place:
    bound = bind(address)
    try:
        (place,) = places_of([bound])
        return place
    finally:
        bound.close()


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "tcp://[::1]:0"])
def test_loopback_is_this_machine_only(text: str) -> None:
    place = _place(Address.parse(text))
    assert (place.scope, place.reachable_at) == ("machine", ())
    assert "this machine only" in place.words


@pytest.mark.parametrize("host", ["*", "0.0.0.0"])
def test_every_interface_says_how_others_write_it(host: str) -> None:
    place = _place(Address("tcp", host, 0))
    assert place.scope == "network"
    assert place.reachable_at
    assert all(str(place.address.port) in one and "*" not in one for one in place.reachable_at)
    assert place.reachable_at[0] in place.words


def test_a_private_unix_socket_is_one_users_and_an_abstract_one_everybodys(home: Path) -> None:
    private = _place(Address("unix", path=f"{home}/s"))
    assert (private.scope, private.reachable_at) == ("user", ())
    assert "0600" in private.words
    assert _place(Address("unix", path=f"@ll-{os.getpid()}")).scope == "machine"
