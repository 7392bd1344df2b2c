"""Jobs: every outcome, and nothing left running when one is ended."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from tests.services.run.watching import SCATTERED, child, open_table, python, read_until, run, start, watching

from lanline.services.run import job as jobs
from lanline.services.run import process, spawn
from lanline.services.run.command import KILL_AFTER
from lanline.services.run.job import Job, State
from lanline.services.run.mark import marked
from lanline.services.run.outcome import Cancelled, Exited, Signaled, SpawnFailed, TimedOut
from lanline.services.run.output import CHUNK_BYTES, Stream
from lanline.services.run.table import JobTable

DEAF = "trap '' TERM; echo up; while :; do sleep 60 & wait; done"


def check(body: Callable[[JobTable], Awaitable[None]], *, use_groups: bool = False, loop: str = "asyncio") -> None:
    """Runs a test with a table of jobs, which must be empty in the end."""

    async def main() -> None:
        async with open_table(use_groups=use_groups) as table:
            async with asyncio.timeout(15):
                await body(table)
            assert table.jobs() == ()

    (uvloop.run if loop == "uvloop" else asyncio.run)(main())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_command_hands_over_both_outputs_and_its_exit(loop: str) -> None:
    async def body(table: JobTable) -> None:
        out, err, ended = await run(table, "sh", "-c", "echo out; echo err >&2; exit 3")
        assert (out, err, ended.outcome) == (b"out\n", b"err\n", Exited(3))
        assert (ended.out_bytes, ended.err_bytes) == (4, 4)
        assert (ended.held_open, ended.left_running, ended.dropped_bytes) == (False, 0, 0)
        assert 0 < ended.wall_s < 15
        assert ended.cpu_s is not None and ended.max_rss_bytes is not None

    check(body, loop=loop)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("exit 0", Exited(0)),
        ("exit 255", Exited(255)),
        ("kill -SEGV $$", Signaled("SIGSEGV")),
        ("kill -KILL $$", Signaled("SIGKILL")),
    ],
)
def test_an_exit_and_a_signal_are_told_apart(text: str, outcome: object) -> None:
    async def body(table: JobTable) -> None:
        assert (await run(table, "sh", "-c", "ulimit -c 0; " + text))[2].outcome == outcome

    check(body)


def test_a_program_that_is_not_there_fails_to_start() -> None:
    async def body(table: JobTable) -> None:
        out, err, ended = await run(table, "no-such-thing")
        assert (out, err) == (b"", b"")
        assert isinstance(ended.outcome, SpawnFailed)
        assert ended.outcome.errno == errno.ENOENT
        assert ended.outcome.text == "there is no program 'no-such-thing' on this machine"

    check(body)


def test_a_folder_that_is_not_there_fails_before_anything_runs(tmp_path: Path) -> None:
    async def body(table: JobTable) -> None:
        proof = tmp_path / "proof"
        _, _, ended = await run(table, "touch", str(proof), cwd=str(tmp_path / "gone"))
        assert isinstance(ended.outcome, SpawnFailed)
        assert "folder" in ended.outcome.text
        assert not proof.exists()

    check(body)


def test_bytes_pass_as_they_are() -> None:
    every = bytes(range(256)) * 5 + "中文".encode("gbk") + b"\xff\xfe"

    async def body(table: JobTable) -> None:
        out, _, _ = await run(table, "printf", "%b", "".join(f"\\0{byte:03o}" for byte in every))
        assert out == every
        out, _, _ = await run(table, "printf", "%s", "中文".encode("gbk"))
        assert out.decode("gbk") == "中文"

    check(body)


def test_a_job_knows_its_own_id_and_its_node() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "echo $LANLINE_JOB $LANLINE_NODE") as job:
            heard = await read_until(job, b"\n")
            assert heard.decode().split() == [job.id.hex(), table.node]
            await job.discard()

    check(body)


@pytest.mark.parametrize("use_groups", [False, True])
def test_a_timeout_ends_everything_and_says_so(use_groups: bool) -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", SCATTERED, timeout=0.3) as job:
            await read_until(job, b"up\n")
            with watching(marked(job.mark)) as watch:
                assert len(watch.pids) >= 5
                ended = await job.discard()
                assert watch.wait_gone() == set()
        assert (ended.outcome, ended.left_running) == (TimedOut(0.3), 0)
        assert 0.3 <= ended.wall_s < 15

    check(body, use_groups=use_groups)


@pytest.mark.parametrize("use_groups", [False, True])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_cancel_returns_when_nothing_is_left(use_groups: bool, loop: str) -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", SCATTERED) as job:
            await read_until(job, b"up\n")
            pids = marked(job.mark)
            with watching(pids) as watch:
                await job.cancel("Ctrl-C")
                assert watch.wait_gone(0) == set()
            assert marked(job.mark) == []
            ended = await job.discard()
        assert (ended.outcome, ended.left_running) == (Cancelled("Ctrl-C"), 0)

    check(body, use_groups=use_groups, loop=loop)


def test_in_a_group_even_what_took_off_its_mark_and_forked_twice_is_ended() -> None:
    code = """
import os, resource, time
print("first", flush=True)
sys.stdin.read()
while "lanline-" not in open("/proc/self/cgroup").read():
    time.sleep(0.01)
hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]
resource.setrlimit(resource.RLIMIT_MSGQUEUE, (hard, hard))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""

    async def body(table: JobTable) -> None:
        if not table.containment.startswith("cgroup"):
            pytest.skip("no cgroup v2 folder that this user may write")
        async with await start(table, *python(code)) as job:
            await read_until(job, b"first\n")
            escaped = int(await read_until(job, b"\n"))
            with watching([escaped]) as watch:
                await job.cancel("enough")
                assert watch.wait_gone() == set()

    check(body, use_groups=True)


def test_what_does_not_hear_is_killed_after_the_commands_own_grace() -> None:
    async def body(table: JobTable) -> None:
        took = []
        for _ in range(2):  # one of the two may meet a machine that stands still for some seconds
            _, _, ended = await run(table, "sh", "-c", DEAF, timeout=0.1, kill_after=0.2)
            assert ended.outcome == TimedOut(0.1)
            took.append(ended.wall_s)
        assert 0.3 <= min(took) < KILL_AFTER

    check(body)


def test_the_last_words_after_sigterm_are_heard() -> None:
    async def body(table: JobTable) -> None:
        async with await start(
            table, "sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 60 & wait; done"
        ) as job:
            await read_until(job, b"up\n")
            await job.cancel("enough")
            assert await job.read() == (Stream.OUT, b"bye\n")
            assert await job.read() is None
            assert (await job.wait()).outcome == Cancelled("enough")

    check(body)


def test_a_second_cancel_without_grace_ends_the_first_at_once() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", DEAF, kill_after=3600) as job:
            await read_until(job, b"up\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(job.cancel("Ctrl-C"))
                await asyncio.sleep(0)
                group.create_task(job.cancel("Ctrl-C again", grace=0))
            assert (await job.discard()).outcome == Cancelled("Ctrl-C")

    check(body)


def test_a_second_cancel_that_comes_after_the_leader_has_gone_still_hurries() -> None:
    text = "sh -c \"trap '' TERM; echo up; while :; do sleep 60 & wait; done\" & wait"

    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", text, kill_after=3600) as job:
            await read_until(job, b"up\n")
            assert job.pid is not None
            with watching([job.pid]) as leader:
                job.stop(Cancelled("Ctrl-C"))
                assert leader.wait_gone() == set()
            await asyncio.sleep(0)
            await job.cancel("Ctrl-C again", grace=0)
            assert (await job.discard()).outcome == Cancelled("Ctrl-C")

    check(body)


def test_a_cancel_before_the_spawn_is_done_leaves_nothing() -> None:
    async def body(table: JobTable) -> None:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(start(table, "sh", "-c", SCATTERED))
            await asyncio.sleep(0)
            (job,) = table.jobs()
            assert job.state is State.STARTING
            await job.cancel("changed my mind", grace=0)
        assert starting.result() is job
        assert (await job.discard()).outcome == Cancelled("changed my mind")
        assert marked(job.mark) == []

    check(body)


def test_a_caller_that_leaves_while_the_job_is_started_leaves_nothing() -> None:
    async def body(table: JobTable) -> None:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(start(table, "sleep", "60"))
            await asyncio.sleep(0)
            (job,) = table.jobs()
            starting.cancel()
        assert isinstance((await job.wait()).outcome, Cancelled)
        assert marked(job.mark) == []

    check(body)


def test_leaving_the_block_ends_the_job_and_drops_its_output() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "trap '' TERM; echo up; cat /dev/zero") as job:
            await read_until(job, b"up\n")
        ended = await job.wait()
        assert isinstance(ended.outcome, Cancelled)
        assert ended.dropped_bytes > 0

    check(body)


def test_a_reader_cancelled_in_the_block_ends_the_job() -> None:
    async def body(table: JobTable) -> None:
        made: list[Job] = []

        async def use() -> None:
            async with await start(table, "sleep", "60") as job:
                made.append(job)
                await job.read()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(use(), 0.1)
        assert isinstance((await made[0].wait()).outcome, Cancelled)

    check(body)


def test_a_background_child_that_holds_the_output_does_not_hold_up_the_answer() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "sleep 60 & echo $!") as job:
            daemon = int(await read_until(job, b"\n"))
            with watching([daemon]) as watch:
                ended = await job.discard()
                assert (ended.outcome, ended.held_open, ended.left_running) == (Exited(0), True, 1)
                assert watch.wait_gone(0) == {daemon}, "what was left running on purpose was ended"
                os.kill(daemon, signal.SIGKILL)
                assert watch.wait_gone() == set()

    check(body)


@pytest.mark.parametrize("use_groups", [False, True])
def test_a_daemon_that_closed_everything_is_left_alone_and_counted(use_groups: bool) -> None:
    text = "setsid sh -c 'echo $$; exec sleep 60 >/dev/null 2>&1' & read none"

    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", text) as job:
            daemon = int(await read_until(job, b"\n"))
            with watching([daemon]) as watch:
                ended = await job.discard()
                assert (ended.held_open, ended.left_running) == (False, 1)
                os.kill(daemon, signal.SIGKILL)
                assert watch.wait_gone() == set()

    check(body, use_groups=use_groups)


def test_after_a_longer_command_the_daemon_is_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_SHORT", 0.0)

    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!") as job:
            daemon = int(await read_until(job, b"\n"))
            with watching([daemon]) as watch:
                assert (await job.discard()).left_running == 1
                os.kill(daemon, signal.SIGKILL)
                assert watch.wait_gone() == set()

    check(body)


def test_a_cancel_after_the_exit_ends_the_daemon_and_keeps_the_outcome() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "sleep 60 & echo $!; exit 5") as job:
            daemon = int(await read_until(job, b"\n"))
            with watching([daemon]) as watch:
                async with asyncio.TaskGroup() as group:
                    reader = group.create_task(job.discard())
                    while job.state is not State.EXITED:  # noqa: ASYNC110 - 0.2 s of idle time follow it
                        await asyncio.sleep(0)
                    await job.cancel("never mind")
                assert watch.wait_gone(0) == set()
            ended = reader.result()
            assert (ended.outcome, ended.left_running) == (Exited(5), 0)

    check(body)


def test_endless_output_that_nobody_takes_stops_in_its_own_pipe() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "cat", "/dev/zero") as job:
            before = _resident_kib()
            for _ in range(200):
                piece = await job.read()
                assert piece is not None
                assert len(piece[1]) <= CHUNK_BYTES
            taken = job._output.out_bytes if job._output else 0
            for _ in range(200):
                await asyncio.sleep(0)  # nobody reads: nothing is taken from the pipe
            assert job._output is not None
            assert job._output.out_bytes == taken
            assert _resident_kib() - before < 8 * 1024

    check(body)


def test_a_gigabyte_passes_through_flat_memory() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "head", "-c", str(1 << 28), "/dev/zero") as job:
            await job.read()
            before = _resident_kib()
            ended = await job.discard()
            assert (ended.outcome, ended.out_bytes) == (Exited(0), 1 << 28)
            assert _resident_kib() - before < 8 * 1024

    check(body)


def _resident_kib() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


def test_a_slow_reader_still_gets_everything() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "head", "-c", "60000", "/dev/zero") as job:
            await job.wait_started()
            while job.state is not State.EXITED:  # noqa: ASYNC110 - the exit comes before the first read
                await asyncio.sleep(0)
            ended = await job.discard()
            assert (ended.out_bytes, ended.dropped_bytes, ended.held_open) == (60_000, 0, False)

    check(body)


def test_without_pidfds_a_thread_waits_for_the_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "_open_pidfd", lambda pid: -1)

    async def body(table: JobTable) -> None:
        assert (await run(table, "sh", "-c", "exit 9"))[2].outcome == Exited(9)
        async with await start(table, "sh", "-c", SCATTERED) as job:
            await read_until(job, b"up\n")
            await job.cancel("enough")
            assert marked(job.mark) == []

    check(body)


def test_a_status_that_somebody_else_took_is_said_to_be_lost() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", "echo up; exec sleep 60") as job:
            assert job.pid is not None
            await read_until(job, b"up\n")
            _end_and_reap(job.pid)
            ended = await job.discard()
            assert type(ended.outcome).__name__ == "Lost"
            assert ended.cpu_s is None

    check(body)


def _end_and_reap(pid: int) -> None:
    """Without a turn of the loop in between, so that the job cannot have seen the status first."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_job_can_be_told_apart_in_a_log() -> None:
    async def body(table: JobTable) -> None:
        async with await start(table, "sleep", "60") as job:
            assert f"{job.id.hex()[:8]} 'sleep' RUNNING pid={job.pid}" in repr(job)

    check(body)


def test_many_short_jobs_at_once_all_end_as_they_should() -> None:
    async def body(table: JobTable) -> None:
        for _ in range(5):
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(run(table, "sh", "-c", f"echo {n}; exit {n}")) for n in range(8)]
            for number, task in enumerate(running):
                out, _, ended = task.result()
                assert (out, ended.outcome) == (f"{number}\n".encode(), Exited(number))

    check(body)


def test_a_job_that_ignores_everything_and_never_stops_forking_is_ended() -> None:
    text = "trap '' TERM INT HUP; echo up; while :; do (setsid sleep 60 &) ; sleep 0.01; done"

    async def body(table: JobTable) -> None:
        async with await start(table, "sh", "-c", text) as job:
            await read_until(job, b"up\n")
            await job.cancel("enough", grace=0.1)
            assert marked(job.mark) == []
            assert (await job.discard()).left_running == 0

    check(body)


def test_other_children_of_the_node_are_not_touched() -> None:
    async def body(table: JobTable) -> None:
        with child("sleep", "60") as bystander:
            async with await start(table, "sh", "-c", SCATTERED) as job:
                await read_until(job, b"up\n")
                await job.cancel("enough")
            assert bystander.poll() is None
            assert process.mark_of(bystander.pid) == process.mark_of(os.getpid())

    check(body)
