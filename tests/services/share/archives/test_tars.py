"""Tars of real folders, read back by the library's tarfile."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from tests.services.share.archives.packing import contents_of, tree

from lanline.errors import FileChanged
from lanline.services.share.archives.gathered import BLOCK_BYTES
from lanline.services.share.archives.tars import tar_blocks


def tar_of(path: Path) -> tarfile.TarFile:
    with contents_of(path) as contents:
        data = b"".join(tar_blocks(contents))
    assert len(data) % tarfile.RECORDSIZE == 0
    return tarfile.open(fileobj=io.BytesIO(data))


def held_by(read: tarfile.TarFile, name: str) -> bytes:
    file = read.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()


def test_files_of_every_size_come_back_as_they_were(tmp_path: Path) -> None:
    sizes = (0, 1, 511, 512, 513, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77)
    files = {f"sub__f{size}": os.urandom(size) for size in sizes}
    root = tree(tmp_path / "s", **files, **{"grüße": b"hello"})
    (root / "empty").mkdir()
    with tar_of(root) as read:
        assert [each.name for each in read if each.isdir()] == ["s", "s/empty", "s/sub"]
        assert held_by(read, "s/grüße") == b"hello"
        for name, data in files.items():
            assert held_by(read, f"s/{name.replace('__', '/')}") == data


def test_long_names_modes_and_times_come_back_and_owners_do_not(tmp_path: Path) -> None:
    long = "/".join(["n" * 200] * 3)
    root = tmp_path / "s"
    (root / long).parent.mkdir(parents=True)
    (root / long).write_bytes(b"deep")
    (root / long).chmod(0o6755)
    os.utime(root / long, (0, 1_700_000_001))
    with tar_of(root) as read:
        info = read.getmember(f"s/{long}")
        assert held_by(read, info.name) == b"deep"
    assert (info.mode, info.mtime) == (0o755, 1_700_000_001)
    assert (info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "")


def test_a_file_over_8_gib_is_told_beyond_what_octal_digits_hold(tmp_path: Path) -> None:
    root, size = tree(tmp_path / "s"), 2**33 + 1
    with (root / "a").open("wb") as file:
        file.truncate(size)
    with contents_of(root) as contents:
        blocks = tar_blocks(contents)
        header = next(blocks)
        blocks.close()
    first = tarfile.TarInfo.frombuf(header[:512], "utf-8", "strict")
    assert first.isdir()
    assert f" size={size}\n".encode() in header


def test_what_was_left_out_is_told_in_the_last_entry(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"hello")
    os.mkfifo(root / "pipe")
    with tar_of(root) as read:
        assert read.getnames() == ["s", "s/a", "s/LEFT-OUT.txt"]
        assert b"s/pipe: " in held_by(read, "s/LEFT-OUT.txt")


def test_a_large_file_that_becomes_shorter_ends_the_archive_in_the_middle(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=bytes(10 * BLOCK_BYTES), b=b"later")
    came = []
    with contents_of(root) as contents, pytest.raises(FileChanged, match="s/a became shorter"):
        for block in tar_blocks(contents):
            came.append(block)  # what came until then is looked at
            os.truncate(root / "a", BLOCK_BYTES)
    with tarfile.open(fileobj=io.BytesIO(b"".join(came))) as read, pytest.raises(tarfile.ReadError):
        file = read.extractfile("s/a")
        assert file is not None
        file.read()
