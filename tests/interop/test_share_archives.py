"""Archives of a share, unpacked by the programs people have: unzip, 7z, bsdtar and tar; and by bsdtar from a pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services.share.sharing import sharing

PACKAGES = {"unzip": "unzip", "7z": "p7zip-full", "bsdtar": "libarchive-tools", "tar": "tar", "curl": "curl"}

CHECKS = {
    "unzip": ("zip", ["unzip", "-tq"]),
    "7z": ("zip", ["7z", "t"]),
    "bsdtar zip": ("zip", ["bsdtar", "-tf"]),
    "bsdtar": ("tar", ["bsdtar", "-tf"]),
    "tar": ("tar", ["tar", "-tf"]),
}
UNPACKS = {
    "unzip": ("zip", ["unzip", "-q", "{archive}", "-d", "{out}"]),
    "7z": ("zip", ["7z", "x", "-o{out}", "{archive}"]),
    "bsdtar zip": ("zip", ["bsdtar", "-xf", "{archive}", "-C", "{out}"]),
    "tar": ("tar", ["tar", "-xf", "{archive}", "-C", "{out}"]),
}


def needed(program: str) -> None:
    """Skips, and names what to install, where a program is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {PACKAGES[program]}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of several sizes, an empty folder, names of other languages, a program."""
    root = tmp_path / "photos"
    for name, size in (("a.txt", 5), ("sub/käse 家.bin", 4096), ("sub/" + "n" * 200, 0), ("large.bin", 1_000_003)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.urandom(size))
        os.utime(root / name, (0, 1_700_000_001))
    (root / "empty").mkdir()
    (root / "a.txt").chmod(0o755)
    return root


def fetched(folder: Path, kind: str, where: Path) -> Path:
    """An archive of the folder, downloaded by curl."""
    needed("curl")
    with sharing(folder) as share:
        address = f"http://127.0.0.1:{share.port}/?{kind}"
        subprocess.run(["curl", "-sSf", "-OJ", address], cwd=where, check=True)
    return where / f"photos.{kind}"


def seen(root: Path) -> dict[str, tuple[bytes | None, int, int]]:
    """What is in a folder: bytes, mode and time of change of each file."""
    return {
        str(path.relative_to(root)): (None, 0, 0)
        if path.is_dir()
        else (path.read_bytes(), path.stat().st_mode, int(path.stat().st_mtime))
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("program", CHECKS)
def test_it_finds_no_fault_with_an_archive(program: str, folder: Path, tmp_path: Path) -> None:
    needed(program.split()[0])
    kind, words = CHECKS[program]
    done = subprocess.run([*words, str(fetched(folder, kind, tmp_path))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr.lower()


@pytest.mark.parametrize("program", UNPACKS)
def test_it_unpacks_bytes_modes_times_and_empty_folders(program: str, folder: Path, tmp_path: Path) -> None:
    needed(program.split()[0])
    kind, words = UNPACKS[program]
    out = tmp_path / "out"
    out.mkdir()
    archive = fetched(folder, kind, tmp_path)
    filled = [word.format(archive=archive, out=out) for word in words]
    subprocess.run(filled, capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert [path.name for path in out.iterdir()] == ["photos"]
    assert seen(out / "photos") == seen(folder)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bsdtar_unpacks_it_from_a_pipe_while_it_comes(kind: str, folder: Path, tmp_path: Path) -> None:
    needed("bsdtar")
    archive = fetched(folder, kind, tmp_path).read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["bsdtar", "-xf", "-"], input=archive, cwd=out, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert {name: data for name, (data, _, _) in seen(out / "photos").items()} == {
        name: data for name, (data, _, _) in seen(folder).items()
    }
