"""Zips of real folders, read back by the library's zipfile."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.services.share.archives.packing import contents_of, tree

from lanline.errors import FileChanged
from lanline.services.share.archives.gathered import BLOCK_BYTES
from lanline.services.share.archives.zips import zip_blocks


def zip_of(path: Path) -> zipfile.ZipFile:
    with contents_of(path) as contents:
        return zipfile.ZipFile(io.BytesIO(b"".join(zip_blocks(contents))))


def sparse(blocks: Iterable[bytes], path: Path) -> None:
    """Writes an archive that is mostly zeros as a file that is mostly holes."""
    hole = bytes(BLOCK_BYTES)
    with path.open("wb") as file:
        for block in blocks:
            if block == hole:
                file.seek(len(block), os.SEEK_CUR)
            else:
                file.write(block)


def test_files_of_every_size_come_back_as_they_were(tmp_path: Path) -> None:
    sizes = (0, 1, 4096, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 5 * BLOCK_BYTES + 77)
    files = {f"sub__f{size}": os.urandom(size) for size in sizes}
    root = tree(tmp_path / "s", **files, **{"grüße": b"hello"})
    with zip_of(root) as read:
        assert read.testzip() is None
        assert {name for name in read.namelist() if name.endswith("/")} == {"s/", "s/sub/"}
        assert read.read("s/grüße") == b"hello"
        for name, data in files.items():
            assert read.read(f"s/{name.replace('__', '/')}") == data


def test_modes_and_times_come_back(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", run=b"#!/bin/sh")
    (root / "run").chmod(0o750)
    os.utime(root / "run", (0, 1_700_000_001))
    with zip_of(root) as read:
        info = read.getinfo("s/run")
    assert info.external_attr >> 16 == 0o100750
    assert int.from_bytes(info.extra[5:9], "little") == 1_700_000_001


def test_blocks_are_bounded_and_come_before_the_end_is_known(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", **{f"f{number}": bytes(10_000) for number in range(100)}, big=bytes(10 * BLOCK_BYTES))
    with contents_of(root) as contents:
        sizes = [len(block) for block in zip_blocks(contents)]
    assert max(sizes) < 2 * BLOCK_BYTES
    assert len(sizes) > 15


def test_what_was_left_out_is_told_in_the_last_entry(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"hello")
    os.mkfifo(root / "pipe")
    with zip_of(root) as read:
        assert read.namelist() == ["s/", "s/a", "s/LEFT-OUT.txt"]
        assert b"s/pipe: " in read.read("s/LEFT-OUT.txt")
        assert read.testzip() is None


def test_a_large_file_that_becomes_shorter_ends_the_archive_without_its_table(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=bytes(10 * BLOCK_BYTES), b=b"later")
    came = []
    with contents_of(root) as contents, pytest.raises(FileChanged, match="s/a became shorter"):
        for block in zip_blocks(contents):
            came.append(block)  # what came until then is looked at
            os.truncate(root / "a", BLOCK_BYTES)
    assert not zipfile.is_zipfile(io.BytesIO(b"".join(came)))


def test_a_file_that_grows_is_packed_as_it_began_and_the_archive_is_whole(tmp_path: Path) -> None:
    data = os.urandom(4 * BLOCK_BYTES)
    root = tree(tmp_path / "s", log=data)
    came = []
    with contents_of(root) as contents:
        for block in zip_blocks(contents):
            came.append(block)
            with (root / "log").open("ab") as log:
                log.write(b"one more line\n")
    with zipfile.ZipFile(io.BytesIO(b"".join(came))) as read:
        assert read.testzip() is None
        assert read.read("s/log").startswith(data)
        assert b"s/log: changed while it was packed" in read.read("s/LEFT-OUT.txt")


@pytest.mark.slow
@pytest.mark.timeout(120)  # 4 GiB of zeros are read and summed up
def test_a_file_over_4_gib_and_what_comes_behind_it_are_found(tmp_path: Path) -> None:
    root, size = tree(tmp_path / "s", b=b"behind 4 GiB"), 2**32 + 5
    with (root / "a").open("wb") as file:
        file.truncate(size)
    with contents_of(root) as contents:
        sparse(zip_blocks(contents), tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as read:
        assert read.getinfo("s/a").file_size == size
        assert read.getinfo("s/b").header_offset > 2**32
        assert read.read("s/b") == b"behind 4 GiB"
        with read.open("s/a") as entry:
            assert entry.read(1000) == bytes(1000)


@pytest.mark.slow
@pytest.mark.timeout(120)  # makes 70,000 files
def test_70000_files_are_all_in_it(tmp_path: Path) -> None:
    root = tmp_path / "s"
    root.mkdir()
    at = os.open(root, os.O_RDONLY)
    for number in range(70_000):
        os.mknod(f"f{number:05}", 0o100644, dir_fd=at)
    os.close(at)
    with zip_of(root) as read:
        names = read.namelist()
    assert names == ["s/", *(f"s/f{number:05}" for number in range(70_000))]
