"""Which Host and which Origin pass, and that a rebound name does not."""

from __future__ import annotations

import socket

import pytest
from multidict import CIMultiDict

from lanline.http.hosts import HostGuard, is_ip_literal, is_same_site, own_names
from lanline.http.refusal import Refusal


def status(host: str | None, method: str = "GET", *, guard: HostGuard | None = None, **headers: str) -> int:
    fields = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    if host is not None:
        fields["Host"] = host
    try:
        (guard or HostGuard()).check(method, fields)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "192.168.1.7:80",
        "[::1]",
        "[::1]:8080",
        "[fe80::1%25eth0]:1",
        "localhost",
        "LOCALHOST.:8",
    ],
)
def test_addresses_and_localhost_are_known(host: str) -> None:
    assert status(host) == 200


def test_the_names_of_this_machine_are_known() -> None:
    short = socket.gethostname().partition(".")[0]
    assert status(short + ":8080") == 200
    assert status(short.upper() + ".local") == 200
    assert "" not in own_names()


def test_a_rebound_name_is_refused_whatever_it_resolves_to() -> None:
    guard = HostGuard()
    for host in ("evil.example:8080", "127.0.0.1.nip.example", "localhost.evil.example", "1.2.3.4.", "0x7f000001", ""):
        expected = 200 if host == "1.2.3.4." else 421
        assert status(host, guard=guard) == expected, host
        assert status(host, guard=guard) == expected, "and the second time as well"


def test_a_name_that_was_given_is_known() -> None:
    guard = HostGuard(["Files.Example"])
    assert status("files.example:8080", guard=guard) == 200
    assert status("other.example", guard=guard) == 421


@pytest.mark.parametrize("host", ["a b", "user@127.0.0.1", "127.0.0.1:port", "127.0.0.1/x", "[::1", "a:1:2"])
def test_what_is_no_host_is_a_bad_request(host: str) -> None:
    assert status(host) == 400


def test_http_1_0_may_leave_the_host_out() -> None:
    assert status(None) == 200


def test_the_authority_of_an_absolute_target_counts_in_place_of_host() -> None:
    with pytest.raises(Refusal) as refused:
        HostGuard().check("GET", {"Host": "localhost"}, "evil.example")
    assert refused.value.status == 421


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_another_site_changes_nothing(method: str) -> None:
    assert status("127.0.0.1:8080", method, Origin="http://127.0.0.1:8080") == 200
    assert status("127.0.0.1:8080", method, Origin="http://evil.example") == 403
    assert status("127.0.0.1:8080", method, Origin="http://127.0.0.1:8081") == 403
    assert status("127.0.0.1:8080", method, Origin="null") == 403
    assert status("127.0.0.1:8080", method, Sec_Fetch_Site="cross-site") == 403
    assert status("127.0.0.1:8080", method, Sec_Fetch_Site="same-origin") == 200
    assert status("127.0.0.1:8080", method) == 200


def test_reading_is_open_to_links_from_other_sites() -> None:
    assert status("127.0.0.1", "GET", Origin="http://evil.example") == 200
    assert status("127.0.0.1", "HEAD", Sec_Fetch_Site="cross-site") == 200


def test_a_site_is_compared_with_the_port_its_scheme_stands_for() -> None:
    assert is_same_site("http://a.example", "a.example:80")
    assert is_same_site("https://a.example:443", "A.example.")
    assert is_same_site("https://[::1]:8443", "[::1]:8443")
    assert not is_same_site("http://a.example", "a.example:443")
    assert not is_same_site("a.example", "a.example")
    assert not is_same_site("http://a b", "a b")
    assert not is_same_site("http://a.example", None)


def test_numbers_that_only_look_like_addresses_are_none() -> None:
    assert is_ip_literal("10.0.0.1") and is_ip_literal("[2001:db8::1]")
    for text in ("10.1", "2130706433", "0x7f.0.0.1", "010.0.0.1", "::1", "[10.0.0.1]", "[]"):
        assert not is_ip_literal(text), text
