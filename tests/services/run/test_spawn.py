"""A spawned process has what it was given, and nothing else of the node's."""

from __future__ import annotations

import errno
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lanline.services.run import mark, process, spawn
from lanline.services.run.outcome import Exited, Lost, Signaled
from lanline.services.run.spawn import Spawned

PLAIN = {"PATH": "/usr/bin:/bin"}


@contextmanager
def spawned(*argv: str | bytes, **more: object) -> Iterator[Spawned]:
    made = spawn.spawn(argv, **{"environment": PLAIN, "cwd": "/", **more})  # type: ignore[arg-type]
    try:
        yield made
    finally:
        if made.popen.returncode is None:
            if spawn.exit_of(made.pid) is None:
                os.kill(made.pid, 9)
            spawn.reap(made)
        for fd in (made.pidfd, made.out_fd, made.err_fd):
            os.close(fd)


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, True)
    return b"".join(iter(lambda: os.read(fd, 65536), b""))


def wait(made: Spawned) -> None:
    assert select.select([made.pidfd], [], [], 10)[0]


def test_a_process_gets_its_arguments_environment_and_folder(tmp_path: Path) -> None:
    code = 'pwd; printf "%s\\n" "$@"; env'
    with spawned("sh", "-c", code, "sh", "a b", b"\xc4\xe3", cwd=str(tmp_path)) as made:
        lines = read_all(made.out_fd).split(b"\n")
    assert lines[:3] == [os.fsencode(tmp_path), b"a b", b"\xc4\xe3"]
    assert sorted(line.partition(b"=")[0] for line in lines[3:] if line) == [b"PATH", b"PWD"]


def test_a_process_has_three_descriptors_and_reads_nothing() -> None:
    with spawned("sh", "-c", "ls /proc/$$/fd | tr '\\n' ' '; cat") as made:
        assert read_all(made.out_fd).split()[:3] == [b"0", b"1", b"2"]
        wait(made)
        assert spawn.exit_of(made.pid) == Exited(0)


def test_a_process_leads_a_session_of_its_own_and_carries_the_mark() -> None:
    marks = mark.Marks.choose()
    value = marks.take() if marks else None
    assert value is not None
    with spawned("sleep", "60", mark=value) as made:
        assert os.getsid(made.pid) == made.pid
        assert process.mark_of(made.pid) == value


def test_the_two_outputs_are_apart() -> None:
    with spawned("sh", "-c", "echo out; echo err >&2") as made:
        assert (read_all(made.out_fd), read_all(made.err_fd)) == (b"out\n", b"err\n")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("exit 0", Exited(0)), ("exit 300", Exited(44)), ("kill -9 $$", Signaled("SIGKILL"))],
)
def test_an_exit_is_known_before_the_process_is_reaped(text: str, outcome: object) -> None:
    with spawned("sh", "-c", text) as made:
        wait(made)
        assert spawn.exit_of(made.pid) == outcome
        assert spawn.exit_of(made.pid) == outcome
        usage = spawn.reap(made)
        assert usage is not None
        assert usage.cpu_s >= 0
        assert usage.max_rss_bytes > 100_000
        assert isinstance(spawn.exit_of(made.pid), Lost)
        assert spawn.reap(made) is None


def test_a_running_process_has_no_exit_yet() -> None:
    with spawned("sleep", "60") as made:
        assert spawn.exit_of(made.pid) is None


def test_waiting_without_a_pidfd_ends_with_the_process() -> None:
    with spawned("true") as made:
        spawn.wait_exit(made.pid)
        assert spawn.exit_of(made.pid) == Exited(0)


def test_the_program_may_be_another_than_the_first_argument() -> None:
    with spawned("hello", "-c", "echo $0", program="/bin/sh") as made:
        assert read_all(made.out_fd) == b"hello\n"


def _failure(*argv: str | bytes, cwd: str = "/") -> tuple[int, str]:
    with pytest.raises((OSError, ValueError)) as caught:
        spawn.spawn(argv, environment=PLAIN, cwd=cwd)
    assert isinstance(caught.value, OSError | ValueError)
    failed = spawn.spawn_failed(caught.value, argv, cwd)
    return failed.errno, failed.text


def test_a_program_that_is_not_there_is_named() -> None:
    assert _failure("no-such-thing") == (errno.ENOENT, "there is no program 'no-such-thing' on this machine")


def test_a_folder_that_is_not_there_is_told_from_a_program_that_is_not(tmp_path: Path) -> None:
    number, text = _failure("true", cwd=str(tmp_path / "gone"))
    assert number == errno.ENOENT
    assert "folder" in text and "gone" in text


def test_a_file_is_no_folder_to_start_in(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _failure("true", cwd=str(tmp_path / "file"))[0] == errno.ENOTDIR


def test_nothing_runs_when_the_folder_is_missing(tmp_path: Path) -> None:
    _failure("touch", str(tmp_path / "proof"), cwd="/nowhere/at/all")
    assert not (tmp_path / "proof").exists()


def test_a_missing_interpreter_is_told_from_a_missing_program(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    number, text = _failure(str(script))
    assert number == errno.ENOENT
    assert "interpreter" in text


def test_a_file_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("echo no\n")
    number, text = _failure(str(tmp_path / "file"))
    assert number == errno.EACCES
    assert "may not be executed" in text


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00\x01\x02")
    (tmp_path / "file").chmod(0o755)
    number, text = _failure(str(tmp_path / "file"))
    assert number == errno.ENOEXEC
    assert "not a program" in text


def test_no_arguments_at_all_start_nothing() -> None:
    assert _failure()[0] == errno.EINVAL


def test_an_argument_with_a_nul_starts_nothing() -> None:
    number, text = _failure("echo", "a\0b")
    assert number == errno.EINVAL
    assert "null byte" in text


def test_too_long_arguments_start_nothing() -> None:
    assert _failure("echo", "x" * 3_000_000)[0] == errno.E2BIG


@pytest.mark.parametrize("argv", [("no-such-thing",), ("echo", "a\0b"), ()])
def test_a_failed_spawn_leaves_no_descriptor_and_no_mark(argv: tuple[str, ...]) -> None:
    before = (len(os.listdir("/proc/self/fd")), process.mark_of(os.getpid()))
    marks = mark.Marks.choose()
    assert marks is not None
    with pytest.raises((OSError, ValueError)):
        spawn.spawn(argv, environment=PLAIN, cwd="/", mark=marks.base + 1)
    assert (len(os.listdir("/proc/self/fd")), process.mark_of(os.getpid())) == before


def test_spawning_never_copies_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one of these words CPython forks in place of vfork (subprocess.py, `_USE_VFORK` and its uses)."""
    words: set[str] = set()

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, argv: Sequence[str], **more: Any) -> None:
            words.update(more)
            super().__init__(argv, **more)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    with spawned("true"):
        assert "start_new_session" in words
        assert not {"preexec_fn", "user", "group", "extra_groups", "umask"} & words
