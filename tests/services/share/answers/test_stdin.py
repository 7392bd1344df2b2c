"""Claims about standard input as what is shared: a pipe that one visitor drains, a file that many read."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.services.share.once_site import Visitor

from lanline.address import Address
from lanline.http.server import HttpServer
from lanline.services.share.answers.stdin import Drained, FileSource, PipeSource, source_of
from lanline.services.share.assembly import site_of
from lanline.services.share.shared import Permissions, Shared

BIG = bytes(range(256)) * 40_000


@asynccontextmanager
async def _shared(source: PipeSource | FileSource) -> AsyncIterator[Callable[..., Visitor]]:
    site = site_of(Shared(None, Permissions(), name=source.name, source=source))
    async with HttpServer(site, Address("tcp", "127.0.0.1", 0)) as server:
        yield lambda host="127.0.0.1": Visitor(server.addresses[0].port, host)
        await server.close(0)


class _Pipe:
    """A pipe with something in it, written by a thread that ends with it."""

    def __init__(self, data: bytes = BIG, *, ends: bool = True) -> None:
        self.out, self.into = os.pipe()
        self._data = data
        self._ends = ends
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> PipeSource:
        self._thread.start()
        return PipeSource(self.out, "big.tar")

    def __exit__(self, *_: object) -> None:
        os.close(self.out)
        self._thread.join()
        if not self._ends:
            os.close(self.into)

    def _write(self) -> None:
        try:
            view = memoryview(self._data)
            while view:
                view = view[os.write(self.into, view) :]
        except BrokenPipeError:
            pass
        if self._ends:
            os.close(self.into)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_pipe_is_sent_whole_in_chunks_and_the_figures_say_so(loop: str) -> None:
    async def main() -> None:
        with _Pipe() as source:
            async with _shared(source) as visitor, visitor() as one:
                assert await one.begin("/big.tar") == 200
                assert one.headers["transfer-encoding"] == "chunked"
                assert one.headers["content-type"] == "application/x-tar"
                assert await one.chunks() == BIG
                assert await asyncio.wait_for(source.drained, 60) == Drained(len(BIG), "127.0.0.1", "")

    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def test_a_second_reader_is_told_that_it_can_be_read_once() -> None:
    async def main() -> None:
        with _Pipe() as source:
            async with _shared(source) as visitor, visitor() as one, visitor() as other:
                assert await one.begin("/big.tar") == 200
                assert await other.status("/big.tar") == 409
                assert await one.chunks() == BIG
                assert await other.status("/big.tar") == 409

    asyncio.run(main())


def test_a_header_and_the_list_take_nothing() -> None:
    async def main() -> None:
        with _Pipe() as source:
            async with _shared(source) as visitor, visitor() as one:
                assert await one.get("/big.tar", method="HEAD") == b""
                assert "content-length" not in one.headers and one.headers["accept-ranges"] == "none"
                assert b"big.tar" in await one.get("/", Accept="application/json")
                assert await one.status("/other") == 404
                assert await one.begin("/big.tar", Range="bytes=5-") == 200
                assert await one.chunks() == BIG

    asyncio.run(main())


def test_a_picture_on_a_page_of_another_site_drains_nothing() -> None:
    async def main() -> None:
        fields = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        with _Pipe() as source:
            async with _shared(source) as visitor, visitor() as one:
                assert await one.status("/big.tar", **fields) == 403
                assert not source.drained.done()
                assert await one.begin("/big.tar", **{**fields, "Sec-Fetch-Site": "same-origin"}) == 200
                assert await one.chunks() == BIG

    asyncio.run(main())


def test_who_breaks_off_has_taken_the_rest_with_him_and_how_far_he_came_is_told() -> None:
    async def main() -> None:
        with _Pipe(8 * BIG) as source:
            async with _shared(source) as visitor:
                async with visitor() as one:
                    assert await one.begin("/big.tar") == 200
                    assert await one.chunk()
                    one.reset()
                    done = await asyncio.wait_for(source.drained, 60)
                    assert done.why_not == "broken off" and 0 < done.sent_bytes < 8 * len(BIG)
                async with visitor() as other:
                    assert await other.status("/big.tar") == 409

    asyncio.run(main())


def test_who_goes_before_the_first_byte_has_taken_nothing() -> None:
    async def main() -> None:
        pipe = _Pipe(b"", ends=False)
        with pipe as source:
            async with _shared(source) as visitor:
                async with visitor() as one:
                    assert await one.begin("/big.tar") == 200
                    one.reset()
                async with visitor() as other:
                    # He is noticed when something is to be sent to him; until then the input is his.
                    os.write(pipe.into, b"all of it")
                    while await other.begin("/big.tar") == 409:
                        await other.body()
                    assert (await other.chunk(), source.drained.done()) == (b"all of it", False)

    asyncio.run(main())


def test_a_stop_in_the_middle_is_told() -> None:
    async def main() -> None:
        with _Pipe(b"begun", ends=False) as source:
            async with _shared(source) as visitor, visitor() as one:
                assert await one.begin("/big.tar") == 200
                assert await one.chunk() == b"begun"
            assert source.drained.result() == Drained(5, "127.0.0.1", "stopped")

    asyncio.run(main())


def test_input_that_cannot_be_read_ends_the_connection_in_the_middle(tmp_path: Path) -> None:
    async def main() -> None:
        folder = os.open(tmp_path, os.O_RDONLY)
        source = PipeSource(folder, "big.tar")  # a folder cannot be read: EISDIR, as a broken disk says EIO
        async with _shared(source) as visitor, visitor() as one:
            assert await one.begin("/big.tar") == 200
            with pytest.raises(asyncio.IncompleteReadError):
                await one.chunks()
            assert "cannot be read" in (await source.drained).why_not
        os.close(folder)

    asyncio.run(main())


def test_a_device_that_never_makes_a_reader_wait_is_read_too() -> None:
    async def main() -> None:
        descriptor = os.open("/dev/null", os.O_RDONLY)
        source = source_of(descriptor, "nothing")
        assert isinstance(source, PipeSource)
        async with _shared(source) as visitor, visitor() as one:
            assert await one.begin("/nothing") == 200
            assert await one.chunks() == b""
        os.close(descriptor)

    asyncio.run(main())


def test_a_file_at_standard_input_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"0123456789")

    async def main() -> None:
        with (tmp_path / "a.txt").open("rb") as file:
            source = source_of(file.fileno(), "a.txt")
            assert isinstance(source, FileSource)
            async with _shared(source) as visitor, visitor() as one, visitor() as other:
                assert await one.get("/a.txt") == await other.get("/a.txt") == b"0123456789"
                assert await one.get("/a.txt", Range="bytes=3-5") == b"345"
                assert one.headers["content-range"] == "bytes 3-5/10" and "etag" in one.headers

    asyncio.run(main())
