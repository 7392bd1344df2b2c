"""Claims about `--lan`, between machines with networks of their own: who reaches a share, and who does not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.namespaces import Machine, machines
from tests.services.share.test_sharing import sharing


@pytest.fixture
def desk_and_phone() -> Iterator[tuple[Machine, Machine]]:
    """Two machines at one cable; the desk has a private address, one of the internet, and one of a carrier."""
    with machines(2) as (desk, phone):
        desk.cable("eth0", phone, "eth0")
        desk.ip("link set dev lo up")
        for machine, number in ((desk, 1), (phone, 2)):
            for network in ("192.168.77", "203.0.113", "100.64.7"):
                machine.give("eth0", f"{network}.{number}/24")
            machine.ip(f"addr add fd77::{number}/64 dev eth0")
        desk.wait_carrier("eth0")
        yield desk, phone


def _gets(machine: Machine, url: str) -> str:
    """What curl prints there; empty where nothing came."""
    command = machine.command("curl", "-s", "-g", "--max-time", "20", url)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def test_with_lan_private_networks_reach_it_and_the_internet_does_not(
    desk_and_phone: tuple[Machine, Machine], tmp_path: Path
) -> None:
    desk, phone = desk_and_phone
    (tmp_path / "a.txt").write_text("beach")
    with sharing(str(tmp_path), "--lan", through=desk.command()) as share:
        urls = {one["url"] for one in share.event["addresses"] if one["scope"] == "network"}
        assert {f"http://192.168.77.1:{share.port}/", f"http://[fd77::1]:{share.port}/"} <= urls
        assert share.event["left_out"] == ["203.0.113.1", "100.64.7.1"]
        for host in ("192.168.77.1", "[fd77::1]"):
            assert _gets(phone, f"http://{host}:{share.port}/a.txt") == "beach"
        link = next(url for url in urls if "fe80" in url).replace("%25eth0", "%eth0")
        assert _gets(phone, f"{link}a.txt") == "beach"
        for host in ("203.0.113.1", "100.64.7.1"):
            assert _gets(phone, f"http://{host}:{share.port}/a.txt") == ""
        assert _gets(desk, f"http://127.0.0.1:{share.port}/a.txt") == "beach"


def test_without_lan_nobody_else_reaches_it(desk_and_phone: tuple[Machine, Machine], tmp_path: Path) -> None:
    desk, phone = desk_and_phone
    (tmp_path / "a.txt").write_text("beach")
    with sharing(str(tmp_path), through=desk.command()) as share:
        assert _gets(phone, f"http://192.168.77.1:{share.port}/a.txt") == ""
        assert _gets(desk, f"http://localhost:{share.port}/a.txt") == "beach"


def test_a_password_that_was_guessed_at_from_one_address_is_taken_from_another(
    desk_and_phone: tuple[Machine, Machine], tmp_path: Path
) -> None:
    desk, phone = desk_and_phone
    (tmp_path / "a.txt").write_text("beach")
    words = (str(tmp_path), "--lan", "--insecure", "--password")
    with sharing(*words, through=desk.command(), LANLINE_SHARE_PASSWORD="x") as share:
        place = f"192.168.77.1:{share.port}/a.txt"
        answers = [_gets(phone, f"http://me:{number}@{place}") for number in range(8)]
        assert "wrong" in answers[0] and "Too many" in answers[-1]
        assert "Too many" in _gets(phone, f"http://me:x@{place}")
        assert _gets(desk, f"http://me:x@{place}") == "beach"
