"""Claims about the words for who can reach a listening address."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.transport.interfaces import own_addresses
from lanline.transport.reach import reach_of


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:9000", "udp://[::1]:9000", "tcp://localhost:9000"])
def test_loopback_is_said_to_be_this_machine_only(text: str) -> None:
    assert reach_of(Address.parse(text)) == "this machine only; * in place of the host opens it to others"


@pytest.mark.parametrize("text", ["tcp://*:9000", "tcp://0.0.0.0:9000", "tcp://[::]:9000"])
def test_every_interface_comes_with_addresses_that_others_can_use(text: str) -> None:
    phrase = reach_of(Address.parse(text))
    assert phrase.startswith("every interface; others reach it at tcp://")
    assert str(Address("tcp", own_addresses()[0], 9000)) in phrase


def test_any_other_address_is_for_those_who_reach_it() -> None:
    assert reach_of(Address.parse("tcp://192.0.2.7:9000")) == "whoever reaches this machine there"


@pytest.mark.parametrize(
    ("mode", "phrase"),
    [
        (0o600, "mode 0600: this user and root may connect"),
        (0o660, "mode 0660: other users of this machine may connect"),
    ],
)
def test_a_unix_socket_states_its_permissions(home: Path, mode: int, phrase: str) -> None:
    path = str(home / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        os.chmod(path, mode)
        assert reach_of(Address("unix", path=path)) == phrase


def test_an_abstract_name_has_no_permissions() -> None:
    assert reach_of(Address.parse("unix://@x")) == "any user of this machine may connect"
