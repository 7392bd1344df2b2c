"""A generator beside the loop: in order, one block ahead, and closed whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest

from lanline.services.share.archives.offloop import OffLoop


class Source:
    """A generator that counts what it has made, and tells when it is closed."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.made = 0
        self.is_closed = False
        self.threads: set[int] = set()

    def __call__(self) -> Generator[bytes, None, None]:
        try:
            for number in range(self._blocks):
                self.made += 1
                self.threads.add(threading.get_ident())
                yield str(number).encode()
        finally:
            self.is_closed = True


def test_the_blocks_come_in_order_and_end_with_an_empty_one() -> None:
    async def main() -> list[bytes]:
        source, came = Source(20), []
        async with OffLoop(source()) as steps:
            while block := await steps.next():
                came.append(block)
            assert await steps.next() == b""
        assert threading.get_ident() not in source.threads
        return came

    assert asyncio.run(main()) == [str(number).encode() for number in range(20)]


def test_empty_blocks_are_passed_over() -> None:
    def blocks() -> Generator[bytes, None, None]:
        yield from (b"", b"a", b"", b"", b"b", b"")

    async def main() -> None:
        async with OffLoop(blocks()) as steps:
            assert [await steps.next() for _ in range(3)] == [b"a", b"b", b""]

    asyncio.run(main())


def test_a_client_that_takes_nothing_more_costs_one_block_ahead() -> None:
    async def main() -> None:
        source = Source(100)
        async with OffLoop(source()) as steps:
            for taken in range(1, 6):
                await steps.next()
                assert source.made <= taken + 1
        assert source.made <= 6
        assert source.is_closed

    asyncio.run(main())


def test_the_error_of_the_generator_comes_to_who_waits() -> None:
    def blocks() -> Generator[bytes, None, None]:
        yield b"a"
        raise OSError(5, "the disk is gone")

    async def main() -> None:
        async with OffLoop(blocks()) as steps:
            assert await steps.next() == b"a"
            with pytest.raises(OSError, match="disk is gone"):
                await steps.next()

    asyncio.run(main())


def test_an_error_that_nobody_waits_for_is_not_reported_as_lost() -> None:
    failed = threading.Event()
    complaints: list[object] = []

    def blocks() -> Generator[bytes, None, None]:
        yield b"a"
        failed.set()
        raise OSError(5, "the disk is gone")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with OffLoop(blocks()) as steps:
            await steps.next()
            await asyncio.to_thread(failed.wait)

    asyncio.run(main())
    assert complaints == []


def test_leaving_waits_for_the_step_under_way_and_closes_the_generator() -> None:
    has_begun, may_go_on, is_closed = threading.Event(), threading.Event(), threading.Event()

    def blocks() -> Generator[bytes, None, None]:
        try:
            has_begun.set()
            may_go_on.wait()
            yield b"a"
        finally:
            is_closed.set()

    async def waiting(steps: OffLoop) -> None:
        await steps.next()

    async def main() -> None:
        async with OffLoop(blocks()) as steps:
            task = asyncio.get_running_loop().create_task(waiting(steps))
            await asyncio.to_thread(has_begun.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not is_closed.is_set()
            may_go_on.set()
        assert is_closed.is_set()

    asyncio.run(main())


def test_leaving_closes_a_generator_that_never_began() -> None:
    async def main() -> None:
        source = Source(3)
        async with OffLoop(source()):
            pass
        assert source.made == 0

    asyncio.run(main())
