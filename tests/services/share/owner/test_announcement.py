"""Claims about what a person, or a program, reads when a share begins."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from tests.ui.recording import Recording

from lanline.services.share.owner.addresses import Spot
from lanline.services.share.owner.announcement import Announcement, Served
from lanline.services.share.owner.given import Given
from lanline.services.share.owner.order import Order

FOLDER = Given("folder", "/srv/photos", "photos")
ETH = Spot("192.168.1.5", "eth0")
WLAN = Spot("fd00::2", "wlan0")
LINK = Spot("fe80::1%eth0", "eth0")
LOOPBACK = (Spot("127.0.0.1", "lo"), Spot("::1", "lo"))
SIZE = os.terminal_size((80, 24))


def _said(
    *spots: Spot, given: Given = FOLDER, left_out: tuple[Spot, ...] = (), console: Recording | None = None, **order: Any
) -> Recording:
    fingerprint = ":".join(["AB"] * 32) if order.get("tls") else ""
    served = Served(
        (*spots, *LOOPBACK), 8080, left_out, fingerprint, "PIN=" if fingerprint else "", bool(order.pop("password", 0))
    )
    console = console or Recording()
    Announcement(Order(given.name, is_lan=bool(spots), **order), given, served).show(console)
    return console


def test_a_share_for_this_machine_says_so_and_how_to_open_it() -> None:
    said = _said()
    assert said.out.splitlines() == [
        "sharing the folder photos; visitors may only read",
        "  http://127.0.0.1:8080/  this machine only; --lan opens it to others",
        "  curl -o photos.zip 'http://127.0.0.1:8080/?zip'",
    ]
    assert said.err == "Ctrl-C ends it; requests are shown below.\n"


def test_among_json_what_is_said_beside_the_requests_is_json_too() -> None:
    said = _said(ETH, log="json").err.splitlines()
    assert [json.loads(line)["note"] for line in said] == [
        "Take care: whoever reaches it can read: it asks for no password",
        "Ctrl-C ends it; requests are shown below.",
    ]


def test_every_network_comes_with_its_interface_and_what_anybody_there_can_do() -> None:
    said = _said(ETH, WLAN, LINK, upload=True, overwrite=True, delete=True)
    lines = said.out.splitlines()
    assert lines[0] == "sharing the folder photos; visitors may read, add, replace and remove"
    assert lines[1] == "  http://192.168.1.5:8080/  whoever is on the network of eth0"
    assert lines[2] == "  http://[fd00::2]:8080/    whoever is on the network of wlan0"
    assert lines[3] == "  http://127.0.0.1:8080/    this machine"
    assert "curl -T FILE http://192.168.1.5:8080/" in lines[5]
    assert "can read, add, replace and remove: it asks for no password" in said.err
    assert "fe80" not in said.out


def test_an_address_for_curl_alone_is_shown_where_there_is_no_other() -> None:
    assert "http://[fe80::1%25eth0]:8080/" in _said(LINK).out


def test_many_networks_are_counted() -> None:
    said = _said(*(Spot(f"10.0.{number}.1", f"eth{number}") for number in range(7)))
    assert "and at 3 more addresses" in said.out and "10.0.4.1" not in said.out


def test_addresses_that_were_left_out_are_named() -> None:
    assert "not served at 203.0.113.7: no private network" in _said(ETH, left_out=(Spot("203.0.113.7", "ppp0"),)).err
    nowhere = Recording()
    served = Served(LOOPBACK, 8080, (), "", "", False)
    Announcement(Order("x", is_lan=True), FOLDER, served).show(nowhere)
    assert "this machine alone reaches it" in nowhere.err


def test_a_fingerprint_is_shown_in_two_lines_and_curl_is_told_the_pin() -> None:
    said = _said(ETH, tls=True, password=True, user="anna")
    assert "  " + ":".join(["AB"] * 16) in said.out
    assert "curl -k --pinnedpubkey sha256//PIN= -u anna -o photos.zip 'https://192.168.1.5:8080/?zip'" in said.out
    assert "password" not in said.err


def test_a_password_in_the_open_is_warned_of() -> None:
    assert "the password travels in the open" in _said(ETH, password=True, insecure=True).err


def test_what_is_shared_for_one_download_says_so() -> None:
    file = Given("file", "/srv/a b.tar", "a b.tar")
    assert "the file a b.tar, for one complete download" in _said(ETH, given=file, once=True).out
    assert "curl -O http://192.168.1.5:8080/a%20b.tar" in _said(ETH, given=file).out
    assert "standard input as big.tar, for one download" in _said(ETH, given=Given("input", "", "big.tar")).out


def test_a_whole_home_folder_is_warned_of(home: object) -> None:
    whole = Given("folder", os.path.realpath(os.path.expanduser("~")), "me")
    assert "this is the whole of" in _said(ETH, given=whole).err
    assert "this is the whole of" not in _said(given=whole).err


@pytest.mark.parametrize("order", [{}, {"tls": True, "upload": True}, {"password": True, "insecure": True}])
def test_at_a_terminal_a_code_for_phones_and_all_the_rest_fit_80_by_24(
    order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: SIZE)
    said = _said(ETH, left_out=(WLAN,), console=Recording(is_terminal=True), **order)
    lines = [*said.out.splitlines(), *said.err.splitlines()]
    assert lines[0] == "█" * 29
    assert len(lines) < 24 and max(map(len, lines)) <= 80


def test_no_code_is_drawn_for_loopback_in_a_pipe_or_at_a_terminal_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "█" not in _said(ETH).out
    assert "█" not in _said(console=Recording(is_terminal=True)).out
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((80, 10)))
    assert "█" not in _said(ETH, console=Recording(is_terminal=True)).out
    assert "█" in _said(ETH, qr=True).out


def test_a_name_too_long_for_a_code_leads_to_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Given("file", "/x", "x" * 200)
    short = _said(ETH, qr=True).out.splitlines()[:15]
    assert _said(ETH, given=long, qr=True).out.splitlines()[:15] == short


def test_a_program_gets_one_document() -> None:
    said = _said(ETH, console=Recording(wants_json=True), upload=True, tls=True, left_out=(WLAN,))
    [document] = said.values
    assert isinstance(document, dict)
    assert document["addresses"][0] == {
        "url": "https://192.168.1.5:8080/",
        "scope": "network",
        "interface": "eth0",
    }
    assert [one["scope"] for one in document["addresses"]] == ["network", "machine", "machine"]
    assert document["may"] == {"upload": True, "overwrite": False, "delete": False}
    assert (document["fingerprint"][:5], document["pin"], document["left_out"]) == ("AB:AB", "PIN=", ["fd00::2"])
    assert said.out == said.err == ""
