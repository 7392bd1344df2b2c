"""The word `shout` as it is typed: what it refuses, what it tells, and its exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.namespaces import Machine, machines
from tests.ui.recording import Recording

from lanline.address import Address
from lanline.console import Painted
from lanline.errors import AddressError, UsageError
from lanline.room.paths import StateFolder
from lanline.services.shout.words import shout
from lanline.transport.udp.hearing import Listener
from lanline.transport.udp.multicast import MAX_SHOUT_BYTES

SHOUT = (sys.executable, "-P", "-m", "lanline", "shout")


def _run(tmp_path: Path, *words: str, wants_json: bool = False) -> tuple[int, Recording]:
    console = Recording(wants_json=wants_json)
    return shout(list(words), console, StateFolder(tmp_path)), console


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("lunch",), "--plain sends it in the open"),
        (("--plain",), "nothing to say"),
        (("--plain", ""), "the text is empty"),
        (("--plain", "x" * 1201), "a shout of 1201 bytes, limit 1200 bytes"),
        (("--plain", "午" * 401), "a shout of 1203 bytes, limit 1200 bytes"),
        (("--listen", "lunch"), "sends nothing"),
        (("--listen", "--to", "udp://127.0.0.1:1"), "sends nothing"),
        (("--plain", "lunch", "--count", "3"), "are for --listen"),
        (("--plain", "lunch", "--for", "3s"), "are for --listen"),
        (("--plain", "lunch", "dinner"), "unrecognized arguments"),
        (("--plain", "lunch", "--port", "0"), "not a whole number from 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(words: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        _run(tmp_path, *words)


@pytest.mark.parametrize("to", ["tcp://127.0.0.1:9529", "udp://*:9529"])
def test_an_address_that_no_datagram_can_go_to_is_refused(to: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="write udp://"):
        _run(tmp_path, "--plain", "lunch", "--to", to)


@pytest.mark.parametrize("form", ["udp://127.0.0.1:{port}", "127.0.0.1:{port}", "127.0.0.1"])
def test_a_shout_to_one_address_is_heard_there_byte_for_byte(form: str, tmp_path: Path) -> None:
    longest = "午" * (MAX_SHOUT_BYTES // 3)
    with Listener(0) as listener:
        to = form.format(port=listener.port)
        code, console = _run(tmp_path, "--plain", longest, "--to", to, "--port", str(listener.port))
        assert listener.receive(5.0).message == longest.encode()
    assert (code, console.out, console.err) == (0, "", "")


def test_what_was_sent_is_data_for_programs(tmp_path: Path) -> None:
    with Listener(0) as listener:
        to = str(Address("udp", "127.255.255.255", listener.port))
        code, console = _run(tmp_path, "--plain", "lunch", "--to", to, wants_json=True)
    assert code == 0
    assert console.values == [{"interface": None, "kind": "direct", "to": to, "sent": True, "error": None}]


class Crowd(Recording):
    """A console that, once told that somebody listens, has a sender shout: two copies, something hostile, nothing."""

    def __init__(self, port: int, *, wants_json: bool = False) -> None:
        super().__init__(wants_json=wants_json)
        self._port = port

    def note(self, *parts: str | Painted) -> None:
        """Keeps it; the first one is that it listens."""
        if not self.err:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                for message in (b"lunch\n", b"lunch\n", b"\x1b[2J\xff\nx", b""):
                    sender.sendto(message, ("127.255.255.255", self._port))
        super().note(*parts)


def _listen(tmp_path: Path, *words: str, wants_json: bool = False) -> tuple[int, Crowd]:
    # This other listener has chosen a free port, and shares it.
    with Listener(0) as other:
        console = Crowd(other.port, wants_json=wants_json)
        code = shout(["--listen", "--port", str(other.port), *words], console, StateFolder(tmp_path))
    return code, console


def test_each_shout_is_shown_once_with_its_sender_and_cleaned(tmp_path: Path) -> None:
    code, console = _listen(tmp_path, "--for", "200ms")
    lines = [line.split("  ")[1:] for line in console.out.splitlines()]
    assert lines == [["127.0.0.1", "lunch"], ["127.0.0.1", "\\x1b[2J\\xff\\nx"], ["127.0.0.1", ""]]
    assert code == 0


def test_shouts_are_data_for_programs(tmp_path: Path) -> None:
    _, console = _listen(tmp_path, "--count", "1", wants_json=True)
    [heard] = console.values
    assert isinstance(heard, dict)
    assert heard["from"].startswith("udp://127.0.0.1:")
    assert heard["text"] == "lunch"
    assert heard["time"][10] == "T"


def test_the_count_that_was_not_reached_in_time_is_a_failure(tmp_path: Path) -> None:
    code, console = _listen(tmp_path, "--count", "4", "--for", "200ms")
    assert code == 1
    assert "heard 3 of 4 in time" in console.err
    assert _listen(tmp_path, "--count", "3", "--for", "1m")[0] == 0


def test_a_shout_that_leaves_by_no_way_is_a_failure_with_the_reasons() -> None:
    with machines(1) as (alone,):
        alone.ip("link set dev lo down")
        done = _typed(alone, "--plain", "lunch")
        assert done.returncode == 1
        assert "the shout left this machine by no way" in done.stderr
        assert "lo: it is switched off" in done.stderr


def test_told_of_each_way_an_interface_is_named_once() -> None:
    with machines(1) as (alone,):
        alone.ip("link set dev lo down")
        done = _typed(alone, "--plain", "lunch", "-v")
        assert "lo  -  it is switched off\n" in done.stdout


def _typed(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(machine.command(*SHOUT, *words), capture_output=True, text=True, timeout=15, check=False)


def test_a_shout_crosses_a_cable_beside_a_dead_one_and_is_heard_once_by_each_of_two_listeners() -> None:
    with machines(2) as (here, there):
        for name in ("eth0", "eth1"):
            here.cable(name, there, name)
        there.give("eth0", "10.9.0.2/24")
        here.give("eth0", "10.9.0.1/24")
        here.give("eth1", "10.9.1.1/24")
        here.wait_carrier("eth0")
        there.wait_carrier("eth0")
        words = there.command(*SHOUT, "--listen", "--count", "2", "--for", "12s", "--json")
        pipe = subprocess.PIPE
        ears = [subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=os.environ) for _ in range(2)]
        for ear in ears:
            assert ear.stderr is not None
            assert "port 9529 on eth0, lo" in ear.stderr.readline()
        first = _typed(here, "--plain", "lunch", "-v")
        second = _typed(here, "--plain", "lunch")
        heard = [ear.communicate(timeout=15)[0].splitlines() for ear in ears]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "eth1  -  it has no carrier" in first.stdout
    assert "eth0  udp://10.9.0.255:9529  sent" in first.stdout
    assert second.stderr == ""
    assert [ear.returncode for ear in ears] == [0, 0]
    for lines in heard:
        assert [json.loads(line)["text"] for line in lines] == ["lunch", "lunch"]
        assert json.loads(lines[0])["from"].startswith("udp://10.9.0.1:")


def test_a_machine_alone_is_told_that_only_it_has_heard() -> None:
    with machines(1) as (alone,):
        done = _typed(alone, "--plain", "lunch")
    assert done.returncode == 0
    assert "only listeners on this machine have heard it" in done.stderr
