"""The face `time`: who gets which answer, over datagrams and lines, and what the worst input does to it."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import random
import time

import pytest
from tests.ui.recording import Recording

from lanline.address import Address
from lanline.errors import TransportError
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.services.clock.discipline import UNKNOWN, Discipline
from lanline.services.clock.plain import TimeFace, add_options, make
from lanline.transport.interfaces import Interface

NS = 1_000_000_000
NEIGHBOUR = Address("udp", "192.168.1.9", 4000)
STRANGER = Address("udp", "8.8.8.8", 4000)
REQUEST = bytes([0x23, 0, 6, 0x20]) + bytes(36) + b"cookie!!"


class World:
    """A clock, interfaces and a kernel as a test wants them."""

    def __init__(self) -> None:
        self.now_ns = 1_795_161_925 * NS  # 2026-11-20 08:05:25 UTC
        self.network = "192.168.1.7/24"
        self.kernel = UNKNOWN
        self.has_interfaces = True

    def list_interfaces(self) -> list[Interface]:
        """One interface with one address."""
        if not self.has_interfaces:
            raise TransportError("none")
        return [Interface("eth0", 2, True, True, False, True, True, (ipaddress.IPv4Interface(self.network),), ())]

    def face(self, *, is_public: bool = False, stratum: int | None = None) -> TimeFace:
        """A face in this world, in UTC."""
        return TimeFace(
            is_utc=True,
            is_public=is_public,
            stratum=stratum,
            now_ns=lambda: self.now_ns,
            list_interfaces=self.list_interfaces,
            discipline=lambda: self.kernel,
        )


@pytest.fixture
def world() -> World:
    """A world in which all is well."""
    return World()


def test_a_neighbour_is_answered_and_a_stranger_is_not(world: World) -> None:
    face = world.face()
    assert face.answer(b"", NEIGHBOUR) == b"2026-11-20 08:05:25"
    assert face.answer(b"", STRANGER) is None
    assert face.answer(REQUEST, STRANGER) is None


def test_the_same_question_has_another_answer_in_the_next_second_and_with_microseconds_at_once(world: World) -> None:
    face = world.face()
    assert face.answer(b"%X", NEIGHBOUR) == b"08:05:25"
    assert face.answer(b"%S.%f", NEIGHBOUR) == b"25.000000"
    world.now_ns += NS - 1
    assert face.answer(b"%X", NEIGHBOUR) == b"08:05:25"
    assert face.answer(b"%S.%f", NEIGHBOUR) == b"25.999999"
    world.now_ns += 1
    assert face.answer(b"%X", NEIGHBOUR) == b"08:05:26"


def test_a_clock_that_is_set_back_is_followed(world: World) -> None:
    face = world.face()
    world.now_ns -= 86400 * NS
    assert face.answer(b"%F", NEIGHBOUR) == b"2026-11-19"


def test_a_public_service_gives_a_stranger_little_and_not_often(world: World) -> None:
    face = world.face(is_public=True)
    assert face.answer(b"", STRANGER) == b"2026-11-20 08:05:25"
    assert face.answer(b"%c" * 4, STRANGER) == b"? answer too long"
    answered = [face.answer(b"%X", STRANGER) for _ in range(200)]
    assert 0 < sum(one is not None for one in answered) < 100
    assert all(face.answer(b"%X", NEIGHBOUR) for _ in range(200))


def test_text_that_is_no_question_gets_no_datagram_back(world: World) -> None:
    assert world.face().answer(b"lunch", NEIGHBOUR) is None
    assert world.face().answer(b"? unknown directive", NEIGHBOUR) is None


def test_new_networks_are_seen_within_ten_seconds_and_old_ones_forgotten(world: World) -> None:
    face = world.face()
    assert face.answer(b"", NEIGHBOUR)
    world.network = "10.0.0.7/8"
    world.now_ns += 10 * NS
    assert face.answer(b"", NEIGHBOUR) is None
    assert face.answer(b"", Address("udp", "10.200.1.1", 1))


def test_while_the_interfaces_cannot_be_listed_the_neighbours_that_are_known_are_served_and_a_warning_is_written(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    face = world.face()
    world.has_interfaces = False
    for _ in range(3):
        world.now_ns += 10 * NS
        assert face.answer(b"", NEIGHBOUR)
        assert face.answer(b"", STRANGER) is None
    assert [record.getMessage() for record in caplog.records] == ["who is a neighbour is not known anew: none"]
    face = world.face()  # it knows nobody yet but this machine
    assert face.answer(b"", NEIGHBOUR) is None
    assert face.answer(b"", Address("udp", "127.0.0.1", 1))


@pytest.mark.parametrize(
    ("kernel", "vouched", "leap", "stratum"),
    [
        (UNKNOWN, None, 3, 16),
        (UNKNOWN, 5, 0, 5),
        (Discipline(True, 2_000_000, 0), None, 0, 10),
        (Discipline(True, 2_000_000, 1), 2, 1, 2),
    ],
)
def test_ntp_is_told_what_the_kernel_knows_or_what_the_owner_vouches_for(
    world: World, kernel: Discipline, vouched: int | None, leap: int, stratum: int
) -> None:
    world.kernel = kernel
    answer = world.face(stratum=vouched).answer(REQUEST, NEIGHBOUR)
    assert answer is not None
    assert (answer[0] >> 6, answer[1]) == (leap, stratum)
    assert answer[24:32] == b"cookie!!"


def test_a_line_always_has_one_line_for_an_answer(world: World) -> None:
    face = world.face()
    assert face.answer_line(b"%H:%M\r") == b"08:05"
    assert face.answer_line(b"hello") == b"? no directive in it"
    assert face.answer_line(b"%H%n%M") == b"? a newline in the answer"
    world.now_ns += NS
    assert face.answer_line(b"%S") == b"26"


def _random_datagrams(generator: random.Random, count: int) -> list[bytes]:
    """Half noise, half built from what means something: directives, NTP headers, text in several scripts."""
    pieces = [
        b"%",
        b"%Y",
        b"%c",
        b"%1535d",
        b"%f",
        b"\0",
        b"\xff",
        b"x" * 40,
        REQUEST[:48],
        REQUEST[:47],
        "时".encode(),
    ]
    noise = generator.randbytes(70 * count)
    made = []
    for index in range(count):
        kind = generator.random()
        if kind < 0.4:
            made.append(noise[70 * index : 70 * index + int(kind * 170)])
        elif kind < 0.5:
            made.append(bytes([0x23, 0, 6]) + noise[70 * index : 70 * index + 45 + int(kind * 50 - 20) * 4])
        else:
            made.append(b"".join(generator.choices(pieces, k=int(kind * 6) - 2)))
    return made


@pytest.mark.slow
def test_a_million_random_datagrams_leave_it_alive_with_no_answer_longer_than_allowed(world: World, seed: int) -> None:
    generator = random.Random(seed)
    face, public = world.face(), world.face(is_public=True)
    answered = ntp = 0
    for _ in range(100):
        world.now_ns += generator.randrange(NS)
        for message in _random_datagrams(generator, 10_000):
            answer = face.answer(message, NEIGHBOUR)
            if answer is not None:
                answered += 1
                is_ntp = len(message) >= 48 and len(answer) == 48 and answer[0] & 7 == 4
                ntp += is_ntp
                assert len(answer) <= (len(message) if is_ntp else 256)
        for message in _random_datagrams(generator, 100):
            answer = public.answer(message, STRANGER)
            assert answer is None or len(answer) <= len(message) + 64
    assert answered > 400_000
    assert ntp > 10_000
    assert face.answer(b"%F", NEIGHBOUR) is not None


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def test_a_zone_that_means_nothing_is_warned_about_unless_utc_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Foo/Bar")
    console = Recording()
    make(_options("--stratum", "3"), console)
    assert "TZ is 'Foo/Bar'" in console.err
    console = Recording()
    make(_options("--stratum", "3", "--utc"), console)
    assert console.err == ""


def test_without_an_option_the_time_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    try:
        face = make(_options(), Recording())
        assert face.answer(b"%z %Z", Address("udp", "127.0.0.1", 1)) == b"+0800 CST"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_a_line_of_64_kilobytes_and_a_datagram_of_noise_do_is_nothing() -> None:
    async def main() -> None:
        face = TimeFace(is_utc=True)
        async with serve(face.handle, "tcp://127.0.0.1:0", framing=face.framing) as server:
            async with connect(str(server.addresses[0]), framing=face.framing) as channel:
                for question, answer in (
                    (b"%c" * 30_000, b"? over 128 bytes"),
                    (b"\0", b"? a control character in it"),
                    (b"\xff%H", b"? not UTF-8 text"),
                    (b"%1535d", b"? unknown directive"),
                    (b"%Z", b"UTC"),
                ):
                    await channel.send(question)
                    assert await channel.receive() == answer
                await channel.send(b"")
                assert len(await channel.receive()) == len("2026-11-20 08:05:25")

    asyncio.run(main())


def test_the_face_says_what_it_is(world: World) -> None:
    assert repr(world.face(is_public=True)) == "<TimeFace UTC public stratum=16>"


def test_a_question_that_the_end_of_the_stream_ends_is_answered() -> None:
    async def main() -> None:
        face = TimeFace(is_utc=True)
        async with serve(face.handle, "tcp://127.0.0.1:0", framing=face.framing) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0].port)
            writer.write(b"%Z\n%Z")
            writer.write_eof()
            async with asyncio.timeout(10.0):
                assert await reader.read() == b"UTC\nUTC\n"
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())
