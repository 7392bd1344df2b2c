"""wget before the real `lanline share`: a whole folder with links as it finds them, and downloads that go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop.shares import ODD_NAMES, noise, program, ran, shared

SIZE = 1_500_000


def _wget(cwd: Path, *words: str) -> str:
    """What wget says of its own."""
    return ran([program("wget"), "-nv", "--tries=1", *words], cwd).stderr.decode()


@pytest.fixture
def folder(tmp_path: Path, seed: int) -> Path:
    """A file to get, and a time that it has."""
    made = tmp_path / "stuff"
    made.mkdir()
    noise(made / "big.bin", SIZE, seed)
    os.utime(made / "big.bin", (1_600_000_000, 1_600_000_000))
    return made


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """Where wget runs."""
    made = tmp_path / "here"
    made.mkdir()
    return made


def test_a_download_that_was_cut_goes_on_where_it_ended(folder: Path, cwd: Path) -> None:
    data = (folder / "big.bin").read_bytes()
    (cwd / "big.bin").write_bytes(data[:1_000_000])
    with shared(folder) as share:
        _wget(cwd, "-c", f"{share.url}big.bin")
        assert (cwd / "big.bin").read_bytes() == data
        _wget(cwd, "-c", f"{share.url}big.bin")
        assert (cwd / "big.bin").read_bytes() == data
        assert [row["status"] for row in share.log()] == [206, 416]


def test_a_file_that_is_not_newer_is_not_got_again(folder: Path, cwd: Path) -> None:
    with shared(folder) as share:
        for _ in range(2):
            _wget(cwd, "-N", f"{share.url}big.bin")
            assert (cwd / "big.bin").stat().st_mtime == 1_600_000_000
        (folder / "big.bin").write_bytes(b"newer")
        _wget(cwd, "-N", f"{share.url}big.bin")
        assert (cwd / "big.bin").read_bytes() == b"newer"
        assert [row["status"] for row in share.log()] == [200, 304, 200]


def test_a_mirror_is_the_folder_whatever_its_names_are(tmp_path: Path, cwd: Path) -> None:
    root = tmp_path / "root"
    for place in (root, *(root / f"in {name}" for name in ODD_NAMES), root / "d" / "e" / "e" / "p"):
        place.mkdir(parents=True, exist_ok=True)
        for name in ODD_NAMES:
            (place / name).write_text(f"{place.relative_to(root)}/{name}")
    (root / ".hidden").write_text("not for others")
    with shared(root) as share:
        _wget(cwd, "-m", "-nH", "-X", "/.lanline", share.url)  # without what belongs to the page
        assert {row["target"] for row in share.log() if row["status"] != 200} <= {"/robots.txt"}
    wanted = {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.is_file()}
    del wanted[Path(".hidden")]
    listings = {path.parent.relative_to(cwd) for path in cwd.rglob("index.html")}
    assert listings == {path.relative_to(root) for path in (root, *root.rglob("*")) if path.is_dir()}
    files = (path for path in cwd.rglob("*") if path.is_file() and path.name != "index.html")
    got = {path.relative_to(cwd): path.read_text() for path in files}
    assert got == wanted and len(got) == (len(ODD_NAMES) + 2) * len(ODD_NAMES)
