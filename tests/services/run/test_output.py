"""Output is read when asked for, in turns, and given up in time after the command has exited."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable

import pytest

from lanline.services.run import output
from lanline.services.run.output import CHUNK_BYTES, Output, Stream


class Ends:
    """The writing ends that a command would hold."""

    def __init__(self) -> None:
        out_fd, self.out = os.pipe()
        err_fd, self.err = os.pipe()
        for fd in (out_fd, err_fd):
            os.set_blocking(fd, False)
        self.read_fds = out_fd, err_fd
        self.open = {self.out, self.err}

    def close(self, *fds: int) -> None:
        for fd in fds or tuple(self.open):
            self.open.discard(fd)
            os.close(fd)


def check(body: Callable[[Output, Ends], Awaitable[None]]) -> None:
    """Runs a test with an output and the other ends of its pipes."""

    async def main() -> None:
        ends = Ends()
        made = Output(*ends.read_fds)
        try:
            async with asyncio.timeout(10):
                await body(made, ends)
        finally:
            ends.close(*ends.open)
            made.close()

    asyncio.run(main())


def test_each_stream_comes_under_its_own_name() -> None:
    async def body(made: Output, ends: Ends) -> None:
        os.write(ends.out, b"one")
        assert await made.read() == (Stream.OUT, b"one")
        os.write(ends.err, b"two")
        assert await made.read() == (Stream.ERR, b"two")
        assert (made.out_bytes, made.err_bytes) == (3, 3)

    check(body)


def test_the_streams_take_turns() -> None:
    async def body(made: Output, ends: Ends) -> None:
        for fd in (ends.out, ends.err):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
            os.write(fd, b"x" * (4 * CHUNK_BYTES))
        order = [(await made.read() or (None,))[0] for _ in range(8)]
        assert order == [Stream.OUT, Stream.ERR, *[Stream.OUT] * 3, *[Stream.ERR] * 3]  # busy pipes: more at a time

    check(body)


def test_a_chunk_leaves_room_for_a_tag_in_a_frame() -> None:
    async def body(made: Output, ends: Ends) -> None:
        fcntl.fcntl(ends.out, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(ends.out, b"x" * 100_000)
        sizes = [len((await made.read() or (None, b""))[1]) for _ in range(2)]
        assert sizes == [65_528, 100_000 - 65_528]

    check(body)


def test_the_end_comes_after_the_last_byte_of_both() -> None:
    async def body(made: Output, ends: Ends) -> None:
        os.write(ends.err, b"last")
        ends.close(ends.out, ends.err)
        assert await made.read() == (Stream.ERR, b"last")
        assert await made.read() is None
        assert await made.read() is None
        assert made.is_closed and made.closed.done()
        assert (made.held_open, made.dropped_bytes) == (False, 0)

    check(body)


def test_a_pipe_grows_when_its_reader_is_behind_and_not_before() -> None:
    async def body(made: Output, ends: Ends) -> None:
        small = fcntl.fcntl(ends.out, fcntl.F_GETPIPE_SZ)
        os.write(ends.out, b"x" * 1000)
        await made.read()
        assert fcntl.fcntl(ends.out, fcntl.F_GETPIPE_SZ) == small
        os.write(ends.out, b"x" * 65_536)
        await made.read()
        assert fcntl.fcntl(ends.out, fcntl.F_GETPIPE_SZ) == 1 << 20
        assert fcntl.fcntl(ends.err, fcntl.F_GETPIPE_SZ) == small

    check(body)


def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    async def body(made: Output, ends: Ends) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.read(), 0.01)
        os.write(ends.out, b"kept")
        assert await made.read() == (Stream.OUT, b"kept")

    check(body)


def test_pipes_that_others_hold_are_given_up_when_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "IDLE", 0.05)

    async def body(made: Output, ends: Ends) -> None:
        os.write(ends.out, b"hi")
        made.finish()
        assert await made.read() == (Stream.OUT, b"hi")
        began = asyncio.get_running_loop().time()
        assert await made.read() is None
        assert 0.04 < asyncio.get_running_loop().time() - began < 15
        assert made.held_open

    check(body)


def test_a_reader_that_waits_at_the_exit_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "IDLE", 0.02)

    async def body(made: Output, ends: Ends) -> None:
        asyncio.get_running_loop().call_later(0.02, made.finish)
        assert await made.read() is None
        assert made.held_open

    check(body)


def test_output_of_others_is_taken_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "DRAIN", 0.05)

    async def body(made: Output, ends: Ends) -> None:
        made.finish()
        count = 0
        while True:
            os.write(ends.out, b"x" * 4096)  # somebody else goes on and on
            if await made.read() is None:
                break
            count += 1
        assert count > 0
        assert made.held_open
        assert made.dropped_bytes == 4096

    check(body)


def test_a_slow_reader_gets_all_that_was_written_before_the_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "DRAIN", 0.0)
    monkeypatch.setattr(output, "IDLE", 0.0)

    async def body(made: Output, ends: Ends) -> None:
        fcntl.fcntl(ends.out, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(ends.out, b"x" * 500_000)
        made.finish()  # all time for others is over at once, and a descriptor is still held open
        total = 0
        while (piece := await made.read()) is not None:
            total += len(piece[1])
            await asyncio.sleep(0)
        assert total == 500_000
        assert (made.held_open, made.dropped_bytes) == (True, 0)

    check(body)


def test_a_reader_that_waited_at_the_exit_gets_all_that_was_written_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "DRAIN", 0.0)

    async def body(made: Output, ends: Ends) -> None:
        def exit_with_words() -> None:
            os.write(ends.out, b"x" * 65_536)  # one chunk and 8 bytes
            made.finish()

        asyncio.get_running_loop().call_soon(exit_with_words)
        sizes = [len((await made.read() or (None, b""))[1]) for _ in range(2)]
        assert sizes == [CHUNK_BYTES, 8]
        assert await made.read() is None

    check(body)


def test_closing_counts_what_is_lost_and_wakes_the_reader() -> None:
    async def body(made: Output, ends: Ends) -> None:
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(made.read())
            await asyncio.sleep(0)
            made.close()
        assert reader.result() is None

    async def lossy(made: Output, ends: Ends) -> None:
        os.write(ends.out, b"x" * 100)
        os.write(ends.err, b"x" * 11)
        made.close()
        made.close()
        assert await made.read() is None
        assert made.dropped_bytes == 111

    check(body)
    check(lossy)


def test_one_stream_that_ends_early_does_not_end_the_other() -> None:
    async def body(made: Output, ends: Ends) -> None:
        ends.close(ends.out)
        os.write(ends.err, b"still here")
        assert await made.read() == (Stream.ERR, b"still here")
        assert not made.is_closed
        assert "err" in repr(made)

    check(body)


def test_an_endless_writer_does_not_keep_the_loop_from_others() -> None:
    async def body(made: Output, ends: Ends) -> None:
        turns = 0

        def tick() -> None:
            nonlocal turns
            turns += 1
            os.write(ends.out, b"y")
            loop.call_soon(tick) if turns < 50 else ends.close()

        loop = asyncio.get_running_loop()
        fcntl.fcntl(ends.out, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(ends.out, b"x" * 100)
        loop.call_soon(tick)
        while await made.read() is not None:
            pass
        assert turns == 50

    check(body)


def test_what_was_read_ahead_counts_as_dropped_when_nobody_takes_it() -> None:
    async def body(made: Output, ends: Ends) -> None:
        fcntl.fcntl(ends.out, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(ends.out, b"x" * (6 * CHUNK_BYTES))
        for _ in range(2):  # one chunk, then four at once, of which one is taken
            assert await made.read() == (Stream.OUT, b"x" * CHUNK_BYTES)
        made.close()
        assert (made.out_bytes, made.dropped_bytes) == (2 * CHUNK_BYTES, 4 * CHUNK_BYTES)
        assert await made.read() is None

    check(body)


def test_a_stream_that_is_quiet_is_asked_again_after_a_few_reads_of_the_other() -> None:
    async def body(made: Output, ends: Ends) -> None:
        fcntl.fcntl(ends.out, fcntl.F_SETPIPE_SZ, 1 << 20)
        order = []
        for number in range(8):
            os.write(ends.out, b"x")
            if number == 2:
                os.write(ends.err, b"y")
            piece = await made.read()
            assert piece is not None
            order.append(piece[0])
        assert Stream.ERR in order[2:6]

    check(body)
