"""Claims about drafts, kept in every way of holding a folder: whole or not there, and never in somebody's place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.beneath.holding import MARKER, Hold, content

from lanline.beneath.folder import Folder
from lanline.errors import (
    DiskFull,
    FileError,
    FileMissing,
    FolderGone,
    LeadsOutside,
    NameRefused,
    NotAFile,
    ParentMissing,
    TakenAlready,
)


@pytest.fixture
def umask() -> Iterator[int]:
    """A usual umask, whatever that of the run is."""
    before = os.umask(0o022)
    yield 0o022
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_draft_gets_its_name_when_it_is_whole(folder: Folder, shared: Path, umask: int) -> None:
    (shared / "a").mkdir()
    with folder.draft(("a",)) as draft:
        draft.write(b"world", 6)
        draft.write(bytearray(b"hello "), 0)
        assert draft.size_bytes == 11
        assert os.listdir(shared / "a") == [draft.name]
        assert os.pread(draft.fd, 20, 0) == b"hello world"
        assert draft.commit("new.txt") is False
        assert draft.fd == -1
    assert os.listdir(shared / "a") == ["new.txt"]
    assert content(folder, "a", "new.txt") == b"hello world"
    assert _mode(shared / "a" / "new.txt") == 0o666 & ~umask


def test_a_draft_that_is_left_is_gone(folder: Folder, shared: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder.draft() as draft:
        draft.write(b"x", 0)
        raise ZeroDivisionError
    assert os.listdir(shared) == []
    draft.discard()
    draft.close()


def test_a_name_that_is_taken_is_not_replaced_and_another_can_be_given(folder: Folder, shared: Path) -> None:
    (shared / "file").write_bytes(b"old")
    (shared / "folder").mkdir()
    (shared / "dangling").symlink_to("../outside/new")
    with folder.draft() as draft:
        draft.write(b"new", 0)
        for name in ("file", "folder", "dangling"):
            with pytest.raises(TakenAlready, match=f"there is {name} already"):
                draft.commit(name)
        assert draft.commit("file 2") is False
    assert (shared / "file").read_bytes() == b"old"
    assert (shared / "file 2").read_bytes() == b"new"
    assert os.listdir(shared.parent / "outside") == ["marker"]


def test_a_file_is_replaced_where_that_was_told_and_keeps_who_may_read_it(folder: Folder, shared: Path) -> None:
    (shared / "file").write_bytes(b"old")
    (shared / "file").chmod(0o4600)
    with folder.open(("file",)) as reader, folder.draft() as draft:
        draft.write(b"new", 0)
        assert draft.commit("file", replaces=True) is True
        assert os.read(reader.fd, 9) == b"old"
    assert (shared / "file").read_bytes() == b"new"
    assert _mode(shared / "file") == 0o600
    with folder.draft() as draft:
        assert draft.commit("fresh", replaces=True) is False
    assert sorted(os.listdir(shared)) == ["file", "fresh"]


def test_a_file_whose_name_nothing_new_would_get_is_replaced(folder: Folder, shared: Path) -> None:
    (shared / "a:b").write_bytes(b"old")
    with folder.draft() as draft:
        draft.write(b"new", 0)
        draft.commit("a:b", replaces=True)
    assert (shared / "a:b").read_bytes() == b"new"


def test_a_folder_or_a_pipe_is_never_replaced(folder: Folder, shared: Path) -> None:
    (shared / "folder").mkdir()
    os.mkfifo(shared / "pipe")
    with folder.draft() as draft:
        with pytest.raises(TakenAlready, match="no folder is replaced"):
            draft.commit("folder", replaces=True)
        with pytest.raises(NotAFile, match="pipe"):
            draft.commit("pipe", replaces=True)
    assert sorted(os.listdir(shared)) == ["folder", "pipe"]


def test_a_link_is_replaced_itself_and_never_written_through(folder: Folder, shared: Path) -> None:
    (shared / "link").symlink_to("../marker")
    with folder.draft() as draft:
        draft.write(b"new", 0)
        assert draft.commit("link", replaces=True) is True
    assert not (shared / "link").is_symlink()
    assert (shared / "link").read_bytes() == b"new"
    assert (shared.parent / "marker").read_bytes() == MARKER


@pytest.mark.parametrize("replaces", [False, True])
def test_a_draft_gets_no_name_that_is_refused(folder: Folder, shared: Path, replaces: bool) -> None:
    with folder.draft() as draft:
        for name in ("", "..", "../x", "a/b", "con.txt", "a\n", "x" * 256, ".lanline-part-1", "caf\udce9"):
            with pytest.raises(NameRefused, match="is refused"):
                draft.commit(name, replaces=replaces)
    assert os.listdir(shared) == []


def test_a_draft_belongs_into_a_folder_that_is_there(folder: Folder, shared: Path) -> None:
    (shared / "file").write_bytes(b"")
    for names in (("x",), ("x", "y"), ("file",)):
        with pytest.raises(ParentMissing, match="there is no folder"):
            folder.draft(names)


def test_a_draft_whose_folder_was_moved_away_gets_no_name(folder: Folder, shared: Path) -> None:
    (shared / "a").mkdir()
    with folder.draft(("a",)) as draft:
        (shared / "a").rename(shared.parent / "elsewhere")
        with pytest.raises(ParentMissing, match="there is no folder a"):
            draft.commit("new")
        (shared / "a").mkdir()
        with pytest.raises((ParentMissing, FileMissing), match=r"no longer|taken away"):
            draft.commit("new")
        (shared / "a").rmdir()
        (shared / "a").symlink_to("../elsewhere")
        with pytest.raises(LeadsOutside, match="link"):
            draft.commit("new")
    assert "new" not in os.listdir(shared.parent / "elsewhere")


def test_a_draft_of_a_folder_that_is_gone_gets_no_name(folder: Folder, shared: Path) -> None:
    with folder.draft() as draft:
        shared.rename(shared.with_name("moved"))
        with pytest.raises(FolderGone, match="no longer"):
            draft.commit("new")
        shared.with_name("moved").rename(shared)
        draft.commit("new")
    assert os.listdir(shared) == ["new"]


def test_a_draft_that_somebody_took_away_or_put_a_link_for_gets_no_name(folder: Folder, shared: Path) -> None:
    replacements: list[Callable[[Path], object]] = [
        lambda path: path.exists(),
        lambda path: path.symlink_to("../marker"),
        lambda path: path.write_bytes(b"x"),
    ]
    for replace in replacements:
        with folder.draft() as draft:
            os.unlink(shared / draft.name)
            replace(shared / draft.name)
            with pytest.raises(FileMissing, match="taken away"):
                draft.commit("new")
        assert not (shared / "new").exists()


def test_a_closed_draft_is_opened_again_by_its_name(shared: Path, hold: Hold) -> None:
    with Folder(shared, way=hold) as folder, folder.draft() as draft:
        draft.write(b"first ", 0)
        draft.close()
    with Folder(shared, way=hold) as folder, folder.reopen_draft((), draft.name) as again:
        assert again.size_bytes == 6
        again.write(b"second", 6)
        again.sync()
        again.commit("both")
        assert content(folder, "both") == b"first second"


def test_a_draft_that_is_opened_again_is_a_file_of_ours_and_nobodys_program(folder: Folder, shared: Path) -> None:
    name = ".lanline-part-0123456789abcdef"
    path = shared / name
    path.write_bytes(b"x")
    path.chmod(0o6755)
    with folder.reopen_draft((), name) as draft:
        assert _mode(path) == 0o644
        draft.commit("a")
    makes: list[Callable[[], object]] = [
        lambda: path.symlink_to("../marker"),
        lambda: os.mkfifo(path),
        lambda: path.hardlink_to(shared.parent / "marker"),
        lambda: path.mkdir(),
    ]
    for make in makes:
        make()
        with pytest.raises(FileError, match="unfinished"):
            folder.reopen_draft((), name)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    with pytest.raises(FileMissing, match="there is no"):
        folder.reopen_draft((), name)
    for wrong in ("a", "../marker", ".lanline-part-", ".lanline-part-../../marker", ".lanline-part-a/b"):
        with pytest.raises(NameRefused, match="not the name of an unfinished file"):
            folder.reopen_draft((), wrong)
    assert (shared.parent / "marker").read_bytes() == MARKER


def test_a_draft_is_cut_to_what_was_confirmed(folder: Folder) -> None:
    with folder.draft() as draft:
        draft.write(b"0123456789", 0)
        draft.cut(4)
        draft.write(b"x", 6)
        draft.commit("a")
    assert content(folder, "a") == b"0123\0\0x"


@pytest.mark.timeout(120)  # waits for all that this disk still has to write, whoever wrote it
def test_many_commits_can_be_synced_at_once(folder: Folder, shared: Path) -> None:
    for number in range(3):
        with folder.draft() as draft:
            draft.commit(str(number), syncs=False)
    folder.sync()
    assert sorted(os.listdir(shared)) == ["0", "1", "2"]


def test_a_full_disk_says_so_without_the_name_of_the_draft(folder: Folder) -> None:
    with folder.draft() as draft, open("/dev/full", "wb", buffering=0) as full:
        own = os.dup(draft.fd)
        os.dup2(full.fileno(), draft.fd)
        with pytest.raises(DiskFull, match=os.strerror(errno.ENOSPC)) as caught:
            draft.write(b"x", 0)
        assert draft.name not in str(caught.value)
        os.dup2(own, draft.fd)
        os.close(own)
        draft.write(b"room again", 0)
        assert draft.size_bytes == 10
