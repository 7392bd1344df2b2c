"""The audit log: on disk before it happens, and a job id is started once."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lanline.errors import StateDamaged, StateNotSaved, StateUnsafe
from lanline.room import audit
from lanline.room.audit import AuditLog, Who
from lanline.room.chain import records, segment_paths, verify

ANNA = Who("anna", "operator", bytes(range(32)))
HOUR = 3600 * 1_000_000_000


def _clock(*hours: float) -> Callable[[], int]:
    """A clock that says each of these hours once, then the last one for ever."""
    left = list(hours)

    def now() -> int:
        return int((left.pop(0) if len(left) > 1 else left[0]) * HOUR) + 10**18

    return now


def test_a_record_says_what_who_when_and_the_rest(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit", now_ns=_clock(1)) as log:
        number = log.append("run.end", who=ANNA, job="j1", details={"code": 0, "argv": ["df", "\x1b[31m"]})
    record = list(records(tmp_path / "audit"))[-1]
    assert record["n"] == number == 1
    assert record["at"] == 10**18 + HOUR
    assert (record["what"], record["job"]) == ("run.end", "j1")
    assert record["who"] == {"name": "anna", "role": "operator", "key": "0001020304050607"}
    assert record["details"] == {"code": 0, "argv": ["df", "\x1b[31m"]}


def test_the_folder_and_its_files_are_private(tmp_path: Path) -> None:
    AuditLog(tmp_path / "audit").close()
    (path,) = segment_paths(tmp_path / "audit")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_job_is_started_once(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log:
        assert not log.seen_job("j1")
        assert log.start_job("j1", ANNA, {"argv": ["df"]})
        assert log.seen_job("j1")
        assert not log.start_job("j1", ANNA, {"argv": ["df"]})
        assert log.start_job("j2", ANNA, {"argv": ["df"]})
    assert [one["job"] for one in records(tmp_path / "audit") if one["what"] == "run.start"] == ["j1", "j2"]


def test_a_job_is_started_once_also_across_restarts_and_segments(tmp_path: Path) -> None:
    for number in range(20):
        with AuditLog(tmp_path / "audit", segment_bytes=1000) as log:
            assert log.start_job(f"j{number}", ANNA, {})
            assert all(log.seen_job(f"j{old}") for old in range(number + 1))
    assert len(segment_paths(tmp_path / "audit")) > 3


def test_only_a_start_marks_a_job(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log:
        log.append("run.refused", who=ANNA, job="j1", details={"why": '"run.start"'})
        assert not log.seen_job("j1")
    with AuditLog(tmp_path / "audit") as log:
        assert not log.seen_job("j1")


def test_many_threads_start_a_job_once(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log, ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda number: log.start_job(f"j{number % 10}", ANNA, {}), range(80)))
    assert sum(started) == 10
    assert verify(tmp_path / "audit").is_whole


def test_jobs_of_the_last_day_are_read_back_and_older_segments_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    for hour in (0, 30, 50, 60):
        with AuditLog(folder, segment_bytes=1, now_ns=_clock(hour)) as log:
            log.start_job(f"at-{hour}", ANNA, {})
    with AuditLog(folder, now_ns=_clock(70)) as log:
        assert log.seen_job("at-50")
        assert log.seen_job("at-60")
        assert not log.seen_job("at-0")


@pytest.mark.parametrize("hour", [-9000, 9000])
def test_a_clock_a_year_off_does_not_forget_the_newest_jobs(tmp_path: Path, hour: int) -> None:
    with AuditLog(tmp_path / "audit", now_ns=_clock(0)) as log:
        log.start_job("j1", ANNA, {})
    with AuditLog(tmp_path / "audit", now_ns=_clock(hour)) as log:
        assert not log.start_job("j1", ANNA, {})


def test_the_oldest_id_is_forgotten_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_JOB_IDS", 3)
    with AuditLog(tmp_path / "audit") as log:
        for number in range(4):
            log.start_job(f"j{number}", ANNA, {})
        assert [log.seen_job(f"j{number}") for number in range(4)] == [False, True, True, True]


def test_a_segment_is_closed_at_its_size_and_the_chain_goes_on(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit", segment_bytes=600) as log:
        for _ in range(12):
            log.append("x")
        head = log.head
    paths = segment_paths(tmp_path / "audit")
    assert [path.name for path in paths] == [f"{number:08d}.jsonl" for number in range(1, len(paths) + 1)]
    report = verify(tmp_path / "audit")
    assert report.is_whole
    assert report.notes == []
    assert head == (report.lines - 1, report.last_hash)
    assert [one["n"] for one in records(tmp_path / "audit")] == list(range(report.lines))


@pytest.mark.parametrize("tail", [b'{"n":2,"at":17', b"{", b"\0" * 4096])
def test_a_torn_end_begins_a_new_segment_that_says_so(tmp_path: Path, tail: bytes) -> None:
    folder = tmp_path / "audit"
    with AuditLog(folder) as log:
        log.start_job("j1", ANNA, {})
    path = segment_paths(folder)[0]
    path.write_bytes(path.read_bytes() + tail)
    with AuditLog(folder) as log:
        assert log.seen_job("j1")
        log.start_job("j2", ANNA, {})
    report = verify(folder)
    assert report.is_whole
    assert len(report.notes) == 1
    opening = [one for one in records(folder) if one["what"] == "audit.segment"][-1]["details"]
    assert (opening["reason"], opening["bad_bytes"]) == ("torn", len(tail))


def test_a_start_whose_newline_was_lost_still_counts(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    with AuditLog(folder) as log:
        log.start_job("j1", ANNA, {})
    path = segment_paths(folder)[0]
    path.write_bytes(path.read_bytes()[:-1])
    with AuditLog(folder) as log:
        assert not log.start_job("j1", ANNA, {})
        log.start_job("j2", ANNA, {})
    assert verify(folder).is_whole


@pytest.mark.parametrize("content", [b"", b'{"n":'])
def test_a_segment_that_was_only_begun_is_begun_again(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "audit"
    with AuditLog(folder) as log:
        log.start_job("j1", ANNA, {})
    (folder / "00000002.jsonl").write_bytes(content)
    with AuditLog(folder) as log:
        assert log.seen_job("j1")
        log.append("x")
    assert verify(folder).is_whole


def test_damage_refuses_to_open_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    with AuditLog(folder) as log:
        log.start_job("j1", ANNA, {})
        log.append("x")
    path = segment_paths(folder)[0]
    path.write_bytes(path.read_bytes().replace(b"anna", b"inna"))
    with pytest.raises(StateDamaged, match="segment 1, line 2") as refused:
        AuditLog(folder)
    assert "runs nothing" in refused.value.advice
    with AuditLog(folder, accept_damage=True) as log:
        log.start_job("j2", ANNA, {})
    assert "segment 1, line 2" in verify(folder).problem


def test_damage_in_an_earlier_segment_refuses_too(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    with AuditLog(folder, segment_bytes=300) as log:
        for number in range(6):
            log.start_job(f"j{number}", ANNA, {})
    path = segment_paths(folder)[-2]
    path.write_bytes(path.read_bytes().replace(b"anna", b"inna"))
    with pytest.raises(StateDamaged):
        AuditLog(folder)


def test_a_link_in_place_of_a_segment_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir(mode=0o700)
    (folder / "00000001.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateUnsafe):
        AuditLog(folder)
    assert not (tmp_path / "elsewhere").exists()


def test_long_text_is_cut_with_its_length_and_hash(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log:
        log.append("x", details={"argv": ["sh", "-c", "y" * 70_000], "deep": {"z": ("w" * 5000,)}})
    details = list(records(tmp_path / "audit"))[-1]["details"]
    assert details["argv"][2].startswith("y" * 4096 + "... (70000 characters, sha256 ")
    assert "5000 characters" in details["deep"]["z"][0]


def test_a_record_that_stays_too_long_is_refused_and_the_log_goes_on(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log:
        with pytest.raises(StateNotSaved, match="limit 524288 bytes"):
            log.start_job("j1", ANNA, {"argv": ["x" * 4000] * 200})
        assert not log.seen_job("j1")
        log.append("x")
    assert verify(tmp_path / "audit").is_whole


def test_a_full_disk_refuses_the_job_and_leaves_a_whole_log(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    log = AuditLog(folder)
    size = segment_paths(folder)[0].stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # A file size limit in the middle of the next line: the kernel writes a part, then refuses.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        for _ in range(2):
            with pytest.raises(StateNotSaved, match=os.strerror(errno.EFBIG)):
                log.start_job("j1", ANNA, {})
            assert not log.seen_job("j1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert log.start_job("j1", ANNA, {})
    log.close()
    report = verify(folder)
    assert report.is_whole
    assert report.notes == []
    assert report.lines == 2


def test_a_closed_log_opens_itself_at_the_next_record(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    log.close()
    log.close()
    assert log.append("x") == 1
    log.close()
    assert verify(tmp_path / "audit").lines == 2


def test_a_log_says_how_much_it_holds(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit") as log:
        log.start_job("j1", ANNA, {})
        assert log.statistics()["lines"] == 2
        assert log.statistics()["job_ids"] == 1
        assert "lines=2" in repr(log)


KILLED = """
import os, pathlib, sys
from lanline.room.audit import AuditLog, Who
log = AuditLog(pathlib.Path(sys.argv[1]), segment_bytes=2000)
for number in range(int(sys.argv[2]), 10**6):
    assert log.start_job(f"j{number}", Who("anna", "operator", bytes(32)), {"argv": ["x" * 50]})
    os.write(1, f"{number}\\n".encode())
"""


def test_a_killed_writer_loses_no_acknowledged_job(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    done = -1
    for round_ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, folder, str(done + 2)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(5 + 9 * round_):
                line = child.stdout.readline()
                done = int(line)
            child.kill()
            for line in child.stdout:
                done = int(line)
        with AuditLog(folder) as log:
            assert log.seen_job(f"j{done}")
    assert verify(folder).is_whole
    starts = [one["job"] for one in records(folder) if one["what"] == "run.start"]
    assert len(starts) == len(set(starts))
