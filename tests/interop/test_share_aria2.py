"""aria2 before the real `lanline share`: a file over eight connections at once, and one that was cut."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.interop.shares import noise, program, ran, shared

MiB = 1024 * 1024
SIZE = 64 * MiB


def _aria2(cwd: Path, *words: str) -> None:
    ran([program("aria2c"), "-q", "--no-conf", "--max-tries=1", "--file-allocation=none", *words], cwd)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.slow  # 64 MiB are made, sent and hashed twice
def test_eight_connections_at_once_bring_one_file(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "stuff"
    folder.mkdir()
    noise(folder / "big.bin", SIZE, seed)
    with shared(folder) as share:
        _aria2(tmp_path, "-x", "8", "-s", "8", "-k", "1M", "-o", "got.bin", f"{share.url}big.bin")
        assert _hash(tmp_path / "got.bin") == _hash(folder / "big.bin")
        log = share.log()
    # The first connection asks for all, and is closed where the second one began: it counts what it was sent.
    assert {row["status"] for row in log} <= {200, 206, 499} and len(log) >= 8
    assert len({row["peer"] for row in log}) >= 8
    assert sum(row["sent_bytes"] for row in log) >= SIZE


def test_a_download_that_was_cut_goes_on_where_it_ended(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "stuff"
    folder.mkdir()
    data = noise(folder / "big.bin", 3 * MiB, seed)
    (tmp_path / "got.bin").write_bytes(data[: 2 * MiB])
    with shared(folder) as share:
        _aria2(tmp_path, "-c", "-o", "got.bin", f"{share.url}big.bin")
        assert (tmp_path / "got.bin").read_bytes() == data
        assert 206 in {row["status"] for row in share.log()}
