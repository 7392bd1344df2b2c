"""Files into answers: the right bytes on every way, and an honest end where the file or the reader fails."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from aiohttp import web

from lanline.http.exchange import CUT_OFF, Exchange
from lanline.http.limits import WEB
from lanline.http.sending import SMALL_BYTES, FileResponse, send_bytes_of
from tests.http.conftest import Contexts, Run
from tests.http.raw import Answer, Site, connected, no_descriptor_left, request, serving, until

SIZE = 5_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five megabytes that differ everywhere."""
    path = tmp_path / "file"
    path.write_bytes(random.Random(4).randbytes(SIZE))
    return path


def site_of(path: Path, *spans: tuple[int, int], promised: int | None = None) -> Site:
    """A site that answers with these spans of a file, one after the other."""

    async def site(_asked: web.BaseRequest) -> web.StreamResponse:
        fd = os.open(path, os.O_RDONLY)
        try:
            count = promised if promised is not None else sum(count for _, count in spans)
            response = FileResponse(headers={"Content-Length": str(count)})
            await response.prepare(_asked)
            for offset, count in spans:
                await send_bytes_of(response, fd, offset, count)
        finally:
            os.close(fd)
        return response

    return site


@pytest.mark.parametrize(
    "spans",
    [
        [(0, SIZE)],
        [(1, SIZE - 2)],
        [(0, 0)],
        [(SIZE - 1, 1)],
        [(10, SMALL_BYTES)],
        [(10, SMALL_BYTES + 1)],
        [(5, 10), (SIZE // 2, SIZE // 2), (0, 3), (100, 1_000_000), (7, SMALL_BYTES)],
    ],
)
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_the_bytes_arrive_as_they_are_in_the_file(
    run: Run, file: Path, contexts: Contexts, is_tls: bool, spans: list[tuple[int, int]]
) -> None:
    expected = b"".join(file.read_bytes()[offset : offset + count] for offset, count in spans)
    server_tls, client_tls = contexts if is_tls else (None, None)

    async def main() -> None:
        async with serving(site_of(file, *spans), tls=server_tls) as server:
            async with connected(server, tls=client_tls) as raw:
                for _ in range(2):
                    answer = await raw.ask(request("/"))
                    assert answer.status == 200
                    assert answer.body == expected

    run(main())


def test_without_a_descriptor_to_spare_a_file_is_read_and_written(run: Run, file: Path) -> None:
    async def main() -> None:
        with file.open("rb") as source:

            async def site(asked: web.BaseRequest) -> web.StreamResponse:
                response = FileResponse(headers={"Content-Length": str(SIZE)})
                await response.prepare(asked)
                await send_bytes_of(response, source.fileno(), 0, SIZE)
                return response

            async with serving(site) as server, connected(server) as raw:
                assert (await raw.ask(request("/", method="HEAD"))).status == 200  # the connection has been taken
                with no_descriptor_left():
                    answer = await raw.ask(request("/"))
        answers.append(answer)

    answers: list[Answer] = []
    run(main())
    assert (answers[0].status, answers[0].body) == (200, file.read_bytes())


def test_head_sends_no_bytes(run: Run, file: Path) -> None:
    async def main() -> None:
        async with serving(site_of(file, (0, SIZE))) as server, connected(server) as raw:
            for _ in range(2):
                answer = await raw.ask(request("/", method="HEAD"))
                assert answer.fields["content-length"] == str(SIZE)

    run(main())


def test_what_was_sent_is_counted(run: Run, file: Path) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async with serving(site_of(file, (0, SIZE)), heard=heard.append) as server, connected(server) as raw:
            await raw.ask(request("/"))

    run(main())
    assert SIZE < heard[0].sent_bytes < SIZE + 1000


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_file_that_is_shorter_than_promised_is_cut_and_never_padded(
    run: Run, file: Path, contexts: Contexts, is_tls: bool
) -> None:
    heard: list[Exchange] = []
    received: list[bytes] = []
    server_tls, client_tls = contexts if is_tls else (None, None)
    promised = SIZE + 100_000

    async def main() -> None:
        site = site_of(file, (0, promised))
        async with serving(site, tls=server_tls, heard=heard.append) as server:
            async with connected(server, tls=client_tls) as raw:
                await raw.send(request("/"))
                assert (await raw.header()).fields["content-length"] == str(promised)
                got = b""
                try:
                    while piece := await raw.reader.read(1 << 20):
                        got += piece
                except ConnectionError:
                    assert len(got) <= SIZE
                received.append(got)

    run(main())
    assert file.read_bytes().startswith(received[0])
    assert heard[0].status == CUT_OFF


def test_a_reader_that_takes_nothing_is_cut_off_and_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)
    heard: list[Exchange] = []
    before = _descriptors()

    async def main() -> None:
        site = site_of(large, (0, 1 << 30))
        async with serving(site, limits=WEB._replace(stall=0.2), heard=heard.append) as server:
            async with connected(server) as raw:
                raw.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket has it
                await raw.send(request("/"))
                await until(lambda: heard)

    run(main())
    assert heard[0].status == CUT_OFF and heard[0].sent_bytes < 1 << 30
    assert _descriptors() == before


def test_closing_at_once_ends_a_transfer_and_closes_what_it_held(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)
    heard: list[Exchange] = []
    before = _descriptors()

    async def main() -> None:
        async with serving(site_of(large, (0, 1 << 30)), heard=heard.append) as server, connected(server) as raw:
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket has it
            await raw.send(request("/"))
            await until(lambda: server.connections and server.connections[0].sending is not None)
            await server.close(0)
            assert [one.status for one in heard] == [CUT_OFF]

    run(main())
    assert _descriptors() == before


def test_one_transfer_does_not_keep_others_waiting(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)

    async def main() -> None:
        sent = site_of(large, (0, 1 << 30))

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            return await sent(asked) if asked.path == "/large" else web.Response(text="here")

        async with serving(site) as server, connected(server) as slow, connected(server) as quick:
            await slow.send(request("/large"))
            taking = asyncio.get_running_loop().create_task(slow.answer())
            for _ in range(20):
                assert (await quick.ask(request("/small"))).body == b"here"
            assert not taking.done()
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await server.close(0)

    run(main())


def test_a_client_that_leaves_ends_its_transfer(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)
    heard: list[Exchange] = []

    async def main() -> None:
        async with serving(site_of(large, (0, 1 << 30)), heard=heard.append) as server:
            async with connected(server) as raw:
                await raw.send(request("/"))
                await raw.header()
                raw.reset()
            await until(lambda: heard)

    run(main())
    assert heard[0].status == CUT_OFF


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
