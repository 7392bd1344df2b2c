"""Claims about a held folder, kept in every way of holding it: what is opened and listed, and what is gone."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from tests.beneath.holding import MARKER, Hold, content

from lanline.beneath.folder import Entry, Folder
from lanline.errors import FileMissing, FolderGone, NameRefused, NoAccess, NotAFile


def test_a_file_is_opened_for_reading_with_what_it_is(folder: Folder, shared: Path) -> None:
    (shared / "a").mkdir()
    (shared / "a" / "b.txt").write_bytes(b"hello")
    with folder.open(("a", "b.txt")) as opened:
        assert not opened.is_folder
        assert opened.status.st_size == 5
        assert os.read(opened.fd, 9) == b"hello"
        assert not os.get_inheritable(opened.fd)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(opened.fd, b"x")
    assert opened.fd == -1


def test_a_folder_is_opened_too_and_no_names_are_the_folder_itself(folder: Folder, shared: Path) -> None:
    (shared / "a").mkdir()
    for names, path in (((), shared), (("a",), shared / "a")):
        with folder.open(names) as opened:
            assert opened.is_folder
            assert os.path.samestat(opened.status, path.stat())


def test_what_is_not_there_is_missing(folder: Folder, shared: Path) -> None:
    (shared / "file").write_bytes(b"")
    for names in (("x",), ("x", "y"), ("file", "y")):
        with pytest.raises(FileMissing, match="there is no"):
            folder.open(names)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "..\\..", "a\0", "/etc/passwd", "x" * 300, "\udcc0\udcaf"])
def test_a_name_that_is_refused_is_refused_anywhere(folder: Folder, name: str) -> None:
    for names in ((name,), ("a", name), (name, "marker")):
        for act in (folder.open, folder.entries, folder.make_folder, folder.remove, folder.draft):
            with pytest.raises(NameRefused, match="is refused"):
                act(names)


def test_names_of_255_bytes_and_names_that_are_no_utf8_are_read(folder: Folder, shared: Path) -> None:
    names = ["x" * 255, "é" * 127, os.fsdecode(b"caf\xe9"), "a\nb", "照片 1.jpg"]
    for name in names:
        (shared / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    for name in names:
        assert content(folder, name) == os.fsencode(name)
    assert [entry.name for entry in folder.entries()] == sorted(names)


def test_a_path_longer_than_the_system_takes_is_opened_all_the_same(shared: Path) -> None:
    depth, name = 40, "d" * 200
    above = os.open(shared, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=above)
        below = os.open(name, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)
    with Folder(shared) as folder, folder.open((*[name] * depth, "leaf")) as opened:
        assert stat.S_ISREG(opened.status.st_mode)


def test_a_pipe_never_hangs_and_is_no_file(folder: Folder, shared: Path) -> None:
    os.mkfifo(shared / "pipe")
    with pytest.raises(NotAFile, match="neither a file nor a folder"):
        folder.open(("pipe",))


def test_a_socket_is_no_file(folder: Folder, home: Path) -> None:
    with Folder(home) as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(home / "s"))
        with pytest.raises(NotAFile, match="neither a file nor a folder"):
            short.open(("s",))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices, and only root can become nobody")
def test_a_device_is_no_file_and_what_may_not_be_read_is_not(folder: Folder, shared: Path) -> None:
    os.mknod(shared / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (shared / "secret").write_bytes(b"s")
    (shared / "secret").chmod(0)
    for above in (shared, shared.parent, shared.parent.parent, shared.parent.parent.parent):
        above.chmod(0o755)
    with pytest.raises(NotAFile, match="neither a file nor a folder"):
        folder.open(("null",))
    os.seteuid(65534)
    try:
        with pytest.raises(NoAccess, match="Permission denied"):
            folder.open(("secret",))
        with pytest.raises(NoAccess, match="Permission denied"):
            folder.draft()
    finally:
        os.seteuid(0)


def test_entries_are_sorted_with_sizes_and_times(folder: Folder, shared: Path) -> None:
    (shared / "b").mkdir()
    (shared / "a.txt").write_bytes(b"12345")
    os.utime(shared / "a.txt", ns=(1, 1_700_000_000_123_456_789))
    (shared / "link").symlink_to("a.txt")
    (shared / "sub").symlink_to("b")
    modified = (shared / "b").stat().st_mtime_ns
    found = folder.entries()
    assert found == [
        Entry("a.txt", False, 5, 1_700_000_000_123_456_789, False),
        Entry("b", True, 0, modified, False),
        Entry("link", False, 5, 1_700_000_000_123_456_789, True),
        Entry("sub", True, 0, modified, True),
    ]
    assert found.left_out == 0
    with pytest.raises(NotAFile, match=r"a\.txt is not a folder"):
        folder.entries(("a.txt",))


def test_what_nobody_could_ask_for_is_counted_and_not_listed(folder: Folder, shared: Path) -> None:
    (shared / "fine").write_bytes(b"")
    os.mkfifo(shared / "pipe")
    (shared / "back\\slash").write_bytes(b"")
    (shared / os.fsdecode(b"over\xc0\xaflong")).write_bytes(b"")
    (shared / "out").symlink_to("../marker")
    (shared / "dangling").symlink_to("nothing")
    (shared / "circle").symlink_to("circle")
    (shared / ".lanline-part-1").write_bytes(b"")
    found = folder.entries()
    assert [entry.name for entry in found] == ["fine"]
    assert found.left_out == 6


def test_a_folder_that_was_moved_is_gone_and_so_is_one_in_its_place(folder: Folder, shared: Path) -> None:
    (shared / "a").write_bytes(b"mine")
    shared.rename(shared.with_name("moved"))
    _every_method_says_gone(folder)
    shared.mkdir()
    (shared / "a").write_bytes(MARKER)
    _every_method_says_gone(folder)
    (shared / "a").unlink()
    shared.rmdir()
    shared.symlink_to("outside")
    _every_method_says_gone(folder)
    shared.unlink()
    shared.with_name("moved").rename(shared)
    assert content(folder, "a") == b"mine"


def _every_method_says_gone(folder: Folder) -> None:
    calls = (
        lambda: folder.open(("a",)),
        lambda: folder.open(()),
        folder.entries,
        lambda: next(folder.walk()),
        folder.draft,
        lambda: folder.reopen_draft((), ".lanline-part-1"),
        lambda: folder.make_folder(("b",)),
        lambda: folder.remove(("a",)),
        folder.free_bytes,
        folder.sync,
        folder.check_held,
    )
    for call in calls:
        with pytest.raises(FolderGone, match="no longer the folder it was"):
            call()


def test_a_link_to_a_folder_is_held_for_as_long_as_it_leads_there(shared: Path, hold: Hold, tmp_path: Path) -> None:
    (shared / "a").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("shared")
    with Folder(tmp_path / "link", way=hold) as folder:
        assert content(folder, "a") == b"mine"
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("outside")
        with pytest.raises(FolderGone, match="no longer"):
            folder.open(("marker",))


def test_only_a_folder_is_held(tmp_path: Path, hold: Hold) -> None:
    with pytest.raises(FileMissing, match="nothing"):
        Folder(tmp_path / "nothing", way=hold)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotAFile, match="is not a folder"):
        Folder(tmp_path / "file", way=hold)


def test_a_relative_path_stays_the_folder_it_was(shared: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared / "a").write_bytes(b"mine")
    monkeypatch.chdir(shared.parent)
    with Folder("shared", way=hold) as folder:
        monkeypatch.chdir("/")
        assert content(folder, "a") == b"mine"
        assert folder.path == str(shared)


def test_free_bytes_are_those_of_the_disk(folder: Folder, shared: Path) -> None:
    found = os.statvfs(shared)
    assert 0 < folder.free_bytes() <= found.f_blocks * found.f_frsize


def test_a_folder_can_be_closed_twice_and_leaves_no_descriptor(shared: Path, hold: Hold) -> None:
    before = len(os.listdir("/dev/fd"))
    (shared / "a").write_bytes(b"")
    folder = Folder(shared, way=hold)
    folder.entries()
    [*folder.walk()]
    folder.make_folder(("x", "y"), makes_parents=True)
    folder.remove(("x", "y"))
    with folder.draft(("x",)) as draft:
        draft.commit("z")
    with folder.draft(("x",)):
        pass
    for wrong in (("n",), ("a", "b"), ("..",)):
        with pytest.raises((FileMissing, NameRefused)):
            folder.open(wrong)
    folder.close()
    folder.close()
    assert len(os.listdir("/dev/fd")) == before
