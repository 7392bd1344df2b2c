"""Claim: our decoders are several times as fast as the decoder of the tutorials, and as asyncio's StreamReader.

Peers, in the same run: `buffer += chunk` with a slice off the front per message (what most tutorials on sticky
packets show), and `StreamReader.readexactly` / `readuntil` on a reader that was fed the same chunks. Decoding
alone: no sockets. Chunks of 64 KiB, as a busy connection delivers them.

Run: python -m benchmarks.framing_decode [ROUNDS]
"""

from __future__ import annotations

import asyncio
import random
import struct
import sys
from collections.abc import Callable, Coroutine, Iterator

from benchmarks.measure import compare, measure_in_turns, report
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.netstring import Netstring

CHUNK_BYTES = 64 * 1024
STREAM_BYTES = 512 * 1024
REPEATS = 16  # of one short stream: a chunk that was just received lies in the cache, as these do
SEED = 9527


def messages_of(label: str) -> list[bytes]:
    """The messages of one load: all of one size, or of 20 to 1,024 bytes in random order."""
    generator = random.Random(SEED)
    if label == "mixed":
        sizes = [generator.randint(20, 1024) for _ in range(STREAM_BYTES // 522)]
    else:
        size = int(label)
        sizes = [size] * (STREAM_BYTES // size)
    filler = bytes(generator.choice(b"abcdefghijklmnopqrstuvwxyz ") for _ in range(max(sizes)))
    return [filler[:size] for size in sizes]


def chunks_of(stream: bytes) -> list[bytes]:
    """The stream as a connection delivers it, over and over."""
    return [stream[offset : offset + CHUNK_BYTES] for offset in range(0, len(stream), CHUNK_BYTES)] * REPEATS


def ours(framing: Framing, chunks: list[bytes]) -> int:
    """Our decoder; the number of messages found, as with all below."""
    decoder = framing.decoder()
    count = 0
    for chunk in chunks:
        count += len(decoder.receive_data(chunk))
    return count


def tutorial_lengths(chunks: list[bytes]) -> int:
    """The tutorial's decoder for length-prefixed messages."""

    def decode() -> Iterator[bytes]:
        buffer = b""
        for chunk in chunks:
            buffer += chunk
            while len(buffer) >= 4:
                (length,) = struct.unpack(">I", buffer[:4])
                if len(buffer) < 4 + length:
                    break
                yield buffer[4 : 4 + length]
                buffer = buffer[4 + length :]

    return sum(1 for _ in decode())


def tutorial_lines(chunks: list[bytes]) -> int:
    """The tutorial's decoder for lines."""

    def decode() -> Iterator[bytes]:
        buffer = b""
        for chunk in chunks:
            buffer += chunk
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                yield line

    return sum(1 for _ in decode())


def tutorial_netstrings(chunks: list[bytes]) -> int:
    """The same idea for netstrings."""

    def decode() -> Iterator[bytes]:
        buffer = b""
        for chunk in chunks:
            buffer += chunk
            while b":" in buffer:
                digits, rest = buffer.split(b":", 1)
                length = int(digits)
                if len(rest) <= length:
                    break
                yield rest[:length]
                buffer = rest[length + 1 :]

    return sum(1 for _ in decode())


async def read_lengths(reader: asyncio.StreamReader, count: int) -> int:
    """readexactly twice per message."""
    for _ in range(count):
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        await reader.readexactly(length)
    return count


async def read_lines(reader: asyncio.StreamReader, count: int) -> int:
    """readuntil once per message."""
    for _ in range(count):
        await reader.readuntil(b"\n")
    return count


async def read_netstrings(reader: asyncio.StreamReader, count: int) -> int:
    """readuntil for the length, readexactly for the rest."""
    for _ in range(count):
        digits = await reader.readuntil(b":")
        await reader.readexactly(int(digits[:-1]) + 1)
    return count


Reading = Callable[[asyncio.StreamReader, int], Coroutine[None, None, int]]


def streams(read: Reading, chunks: list[bytes], count: int) -> int:
    """A StreamReader fed chunk by chunk, each when the messages before it are read."""

    async def main() -> int:
        reader = asyncio.StreamReader(limit=CHUNK_BYTES * 4)

        async def feed() -> None:
            for chunk in chunks:
                reader.feed_data(chunk)
                await asyncio.sleep(0)
            reader.feed_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            reading = group.create_task(read(reader, count))
        return reading.result()

    return asyncio.run(main())


CONTESTS: tuple[tuple[Framing, Callable[[list[bytes]], int], Reading, str], ...] = (
    (LengthPrefixed(), tutorial_lengths, read_lengths, "readexactly x 2"),
    (Lines(), tutorial_lines, read_lines, "readuntil"),
    (Netstring(), tutorial_netstrings, read_netstrings, "readuntil, readexactly"),
)


def contest(
    framing: Framing, tutorial: Callable[[list[bytes]], int], read: Reading, how: str, label: str, rounds: int
) -> None:
    """One load for the three decoders of a framing. One that miscounts ends the run."""
    messages = messages_of(label)
    chunks = chunks_of(b"".join(map(framing.encode, messages)))
    count = len(messages) * REPEATS
    calls: dict[str, Callable[[], int]] = {
        "tutorial: buffer += chunk": lambda: tutorial(chunks),
        f"asyncio StreamReader: {how}": lambda: streams(read, chunks, count),
        "lanline": lambda: ours(framing, chunks),
    }
    for name, call in calls.items():
        found = call()
        assert found == count, f"{name} found {found} of {count} messages"
    seconds = measure_in_turns(calls, rounds)
    for peer in list(calls)[:2]:
        title = f"{framing.name}, messages of {label} bytes, chunks of {CHUNK_BYTES} bytes, against {peer}"
        report(title, compare(seconds, count, "messages/s", peer))


def main() -> None:
    """Runs every contest and prints its table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for framing, tutorial, read, how in CONTESTS:
        for label in ("64", "1024", "mixed", "65536"):
            contest(framing, tutorial, read, how, label, rounds)


if __name__ == "__main__":
    main()
