"""Values of TZ that mean something, and those that silently mean UTC."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lanline.services.clock.zone import is_zone, meaningless_zone


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """A zone database with one zone, and a file that is none."""
    (tmp_path / "Asia").mkdir()
    (tmp_path / "Asia" / "Shanghai").write_bytes(b"TZif2" + bytes(40))
    (tmp_path / "zone.tab").write_text("# a table\n")
    return [str(tmp_path / "nowhere"), str(tmp_path)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UTC",
        "UTC0",
        "CST-8",
        "<+0330>-3:30",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT",
        "NZST-12NZDT-13:00:00,J300/2,60/3",
        "Asia/Shanghai",
        ":Asia/Shanghai",
    ],
)
def test_a_zone_is_one(text: str, folders: list[str]) -> None:
    assert is_zone(text, folders)


@pytest.mark.parametrize(
    "text", ["Foo/Bar", "CET", "Asia", "zone.tab", "CST", "8", "CST-8x", "Asia/Shanghai ", "a\0b", "北京-8"]
)
def test_what_means_nothing_is_none(text: str, folders: list[str]) -> None:
    assert not is_zone(text, folders)


def test_a_zone_file_may_be_named_by_its_whole_path(folders: list[str]) -> None:
    assert is_zone(f"{folders[1]}/Asia/Shanghai", folders)
    assert not is_zone(f"{folders[1]}/zone.tab", folders)


@pytest.mark.parametrize("text", ["Foo/Bar", "CST", "CST-8", "EST5EDT", "<+0330>-3:30"])
def test_the_c_library_agrees_on_what_is_utc(text: str) -> None:
    code = "import time; print(time.localtime(0).tm_gmtoff)"
    done = subprocess.run([sys.executable, "-c", code], env={"TZ": text}, capture_output=True, text=True, timeout=15)
    assert (done.stdout.strip() == "0") is not is_zone(text)


def test_the_variable_of_this_process_is_judged(monkeypatch: pytest.MonkeyPatch, folders: list[str]) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert meaningless_zone() is None
    monkeypatch.setenv("TZ", "Foo/Bar")
    assert meaningless_zone() == "Foo/Bar"
    monkeypatch.setenv("TZDIR", folders[1])
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    assert meaningless_zone() is None
