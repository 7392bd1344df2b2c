"""Claims about lines from pipes, files and other descriptors."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lanline.errors import LanlineError
from lanline.services.talk.typist import MAX_LINE_BYTES, PlainTypist, Typed


def pipe_with(data: bytes) -> int:
    """The reading end of a pipe that holds this and has ended."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


async def all_of(typist: PlainTypist) -> list[Typed]:
    lines = []
    while (line := await typist.read()) is not None:
        lines.append(line)
    return lines


def test_a_pipe_gives_its_lines_and_the_last_one_without_a_newline() -> None:
    reading = pipe_with("one\n\n三\nlast".encode())
    lines = asyncio.run(all_of(PlainTypist(reading)))
    os.close(reading)
    assert lines == [Typed(b"one"), Typed(b""), Typed("三".encode()), Typed(b"last")]


def test_a_file_is_read_though_it_cannot_be_watched(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"a\n" * 50_000)
    with file.open("rb") as opened:
        lines = asyncio.run(all_of(PlainTypist(opened.fileno())))
    assert len(lines) == 50_000 and set(lines) == {Typed(b"a")}


def test_nothing_to_read_is_the_end_at_once() -> None:
    with open(os.devnull, "rb") as nothing:
        assert asyncio.run(all_of(PlainTypist(nothing.fileno()))) == []
    assert asyncio.run(all_of(PlainTypist(None))) == []


def test_a_line_that_does_not_end_comes_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"x" * (3 * MAX_LINE_BYTES) + b"\nq\n")
    with file.open("rb") as opened:
        lines = asyncio.run(all_of(PlainTypist(opened.fileno())))
    assert b"".join(line.data for line in lines[:-1]) == b"x" * (3 * MAX_LINE_BYTES)
    assert max(len(line.data) for line in lines) <= MAX_LINE_BYTES
    assert [line.is_whole for line in lines[-3:]] == [False, True, True]
    assert lines[-1] == Typed(b"q")


def test_reading_that_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        reading, writing = os.pipe()
        typist = PlainTypist(reading)
        os.write(writing, b"one\nhal")
        assert await typist.read() == Typed(b"one")
        task = asyncio.get_running_loop().create_task(typist.read())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        os.write(writing, b"f\n")
        assert await typist.read() == Typed(b"half")
        os.close(writing)
        assert await typist.read() is None
        os.close(reading)

    asyncio.run(main())


def test_an_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(LanlineError, match="the input cannot be read: Is a directory"):
        asyncio.run(PlainTypist(folder).read())
    os.close(folder)


def test_a_pipe_is_no_person_and_what_is_shown_is_shown_at_once() -> None:
    reading = pipe_with(b"")
    typist = PlainTypist(reading)
    shown: list[str] = []
    typist.above(lambda: shown.append("now"))
    asyncio.run(typist.rest())
    os.close(reading)
    assert not typist.is_person and shown == ["now"]
