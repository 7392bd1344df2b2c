"""Claims about addresses: what is read from text, what is written back, and which mistakes are named."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.address import Address
from lanline.errors import AddressError


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("tcp://192.168.1.7:9000", Address("tcp", "192.168.1.7", 9000), "tcp://192.168.1.7:9000"),
        ("pc7:9000", Address("tcp", "pc7", 9000), "tcp://pc7:9000"),
        (":9000", Address("tcp", "127.0.0.1", 9000), "tcp://127.0.0.1:9000"),
        ("tcp://:9000", Address("tcp", "127.0.0.1", 9000), "tcp://127.0.0.1:9000"),
        ("udp://*:9529", Address("udp", "*", 9529), "udp://*:9529"),
        ("TLS://PC7.lab.internal:0", Address("tls", "PC7.lab.internal", 0), "tls://PC7.lab.internal:0"),
        ("[::1]:9000", Address("tcp", "::1", 9000), "tcp://[::1]:9000"),
        (
            "[fe80::1%eth0.100]:65535",
            Address("tcp", "fe80::1%eth0.100", 65535),
            "tcp://[fe80::1%eth0.100]:65535",
        ),
        ("tcp://教室1:80", Address("tcp", "教室1", 80), "tcp://教室1:80"),
        ("tcp://host.:80", Address("tcp", "host.", 80), "tcp://host.:80"),
        ("unix:///tmp/x.sock", Address("unix", path="/tmp/x.sock"), "unix:///tmp/x.sock"),
        ("unix://x.sock", Address("unix", path="x.sock"), "unix://x.sock"),
        ("unix://@lanline", Address("unix", path="@lanline"), "unix://@lanline"),
        (
            "unix:///tmp/50%20 off://x",
            Address("unix", path="/tmp/50%20 off://x"),
            "unix:///tmp/50%20 off://x",
        ),
        ("mem://hub", Address("mem", path="hub"), "mem://hub"),
    ],
)
def test_each_form_is_read_and_written(text: str, expected: Address, written: str) -> None:
    address = Address.parse(text)
    assert address == expected
    assert str(address) == written
    assert Address.parse(written) == address


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "empty text"),
        ("pc7", "no port"),
        ("9702", "write tcp://:9702,"),
        ("tcp://pc7:", "tcp://pc7:9000"),
        ("tcp://pc7:http", "'http' is not a number"),
        ("tcp://pc7:٣", "is not a number"),
        ("tcp://pc7:-1", "is not a number"),
        ("tcp://pc7:65536", "65536 is out of range"),
        ("tcp://pc7:000080", "out of range"),
        ("ftp://pc7:21", "no scheme 'ftp'"),
        ("://pc7:21", "no scheme ''"),
        ("tcp://fe80::1:9000", "stands in brackets"),
        ("::1", "stands in brackets"),
        ("tcp://[::1", "closing bracket"),
        ("tcp://[::1]9000", "after the bracket"),
        ("tcp://[::1]", "no port"),
        ("tcp://[127.0.0.1]:80", "leave the brackets out"),
        ("tcp://[fe80::zz]:80", "no IPv6"),
        ("tcp://[fe80::1%]:80", "scope ''"),
        ("tcp://pc7:80/path", "a path has no meaning"),
        ("tcp://me@pc7:80", "a user name has no meaning"),
        ("tcp://pc 7:80", "no name"),
        ("tcp://pc..7:80", "no name"),
        ("tcp://.:80", "no name"),
        ("tcp://\x1b[31m:80", "no name"),
        ("tcp://300.1.1.1:80", "four numbers"),
        ("tcp://127.1:80", "four numbers"),
        ("tcp://010.0.0.1:80", "four numbers"),
        ("tcp://0x7f000001:80", "four numbers"),
        ("tcp://" + "a" * 254 + ":80", "254 characters"),
        ("unix://", "empty path"),
        ("unix://@", "empty path"),
        ("unix://a\0b", "NUL"),
        ("unix:/tmp/x", "unix://..."),
        ("/tmp/x.sock", "unix:///tmp/x.sock"),
        ("mem://", "no mem name"),
        ("mem://a b", "no mem name"),
    ],
)
def test_each_mistake_is_named(text: str, names: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert names in str(caught.value)
    assert str(caught.value).isprintable(), "an error never carries the control characters of a mistaken text"
    assert "tcp://" in caught.value.advice


def test_a_default_port_serves_where_none_is_named() -> None:
    assert Address.parse("pc7", default_port=9527) == Address("tcp", "pc7", 9527)
    assert Address.parse("[::1]", default_port=9527) == Address("tcp", "::1", 9527)
    assert Address.parse("pc7:1", default_port=9527) == Address("tcp", "pc7", 1)


def test_a_host_that_is_called_like_a_scheme_is_a_host() -> None:
    assert Address.parse("tcp:80") == Address("tcp", "tcp", 80)


def test_only_the_star_is_every_interface() -> None:
    assert Address.parse("tcp://*:1").is_every_interface
    assert not Address.parse("tcp://:1").is_every_interface


@pytest.mark.parametrize(
    "values",
    [
        {"scheme": "tcp"},
        {"scheme": "tcp", "host": "pc7", "port": 70000},
        {"scheme": "tcp", "host": "pc7", "port": -1},
        {"scheme": "tcp", "host": "pc7", "path": "x"},
        {"scheme": "unix", "path": "x", "port": 1},
        {"scheme": "mem", "path": "x", "host": "pc7"},
        {"scheme": "unix"},
    ],
)
def test_no_invalid_address_can_be_made_by_hand(values: dict[str, str | int]) -> None:
    with pytest.raises(AddressError):
        Address(**values)  # type: ignore[arg-type]


def test_a_long_mistake_makes_a_short_error() -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse("tcp://" + "?" * 1_000_000)
    assert len(str(caught.value)) < 400


_LABEL = st.text("abcXYZ019-_é教", min_size=1, max_size=8)
_HOST = st.one_of(
    st.just("*"),
    st.lists(_LABEL, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "x"])),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6, network="fe80::/10").map(lambda ip: f"{ip}%wlan0"),
)
_NETWORK = st.builds(Address, scheme=st.sampled_from(("tcp", "udp", "tls")), host=_HOST, port=st.integers(0, 65535))
_UNIX = st.text(st.characters(exclude_characters="\0"), min_size=1).filter(lambda path: path != "@")
_LOCAL = st.one_of(
    _UNIX.map(lambda path: Address("unix", path=path)), _LABEL.map(lambda name: Address("mem", path=name))
)


@given(st.one_of(_NETWORK, _LOCAL))
def test_every_address_survives_being_written_and_read(address: Address) -> None:
    assert Address.parse(str(address)) == address


_PIECES = ("://", ":", "/", "[", "]", "%", "*", "@", ".", "tcp", "unix", "mem", "9", "-1", "::1")


@given(st.one_of(st.text(), st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3))).map("".join)))
def test_garbage_is_an_address_error_or_an_address(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    assert Address.parse(str(address)) == address


def test_reading_an_address_loads_neither_sockets_nor_a_parser_of_urls() -> None:
    program = (
        "import sys; from lanline.address import Address; Address.parse('pc7:1')\n"
        "print([m for m in ('socket', 'urllib.parse', 'ipaddress', 'asyncio') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == "[]"
