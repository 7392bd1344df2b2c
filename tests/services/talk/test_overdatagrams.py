"""Claims about a talk over datagrams: real sockets, bare ones at the other end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.services.talk.hands import Hands

from lanline.link.client import connect
from lanline.link.datagrams.datagramsocket import bind
from lanline.services.talk.events import How, Over
from lanline.services.talk.overdatagrams import AnyPeer, DatagramTalk, OnePeer
from lanline.services.talk.signals import Signals
from lanline.services.talk.speakers import Speakers


def bare() -> socket.socket:
    """A bare UDP socket on loopback, with a port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    return sock


def name_of(sock: socket.socket) -> str:
    return f"udp://127.0.0.1:{sock.getsockname()[1]}"


async def heard(sock: socket.socket) -> bytes:
    """The next datagram of a bare socket."""
    return await asyncio.to_thread(sock.recv, 65536)


@asynccontextmanager
async def listening(
    hands: Hands, *, keeps_on: bool = False, max_datagram_bytes: int = 65507
) -> AsyncIterator[tuple[tuple[str, int], asyncio.Task[Over]]]:
    """A talk that anybody can speak to: where, and the talk."""
    async with bind("udp://127.0.0.1:0", max_datagram_bytes=max_datagram_bytes) as sock:
        with Signals() as signals:
            speakers = Speakers(newline="auto", partner=None, keeps_on=keeps_on, is_person=hands.is_person)
            talk = DatagramTalk(AnyPeer(sock), speakers, hands, hands.display, signals)
            task = asyncio.get_running_loop().create_task(talk.run())
            try:
                yield (sock.address.host, sock.address.port), task
            finally:
                task.cancel()
                await asyncio.wait([task])


def test_whoever_spoke_last_gets_the_answer() -> None:
    async def main() -> None:
        hands = Hands()
        async with listening(hands) as (place, task):
            with bare() as ann, bare() as bob:
                ann.sendto(b"hi\n", place)
                await hands.shows(f"{name_of(ann)}: hi\n")
                hands.type(b"for ann")
                assert await heard(ann) == b"for ann\n"
                bob.sendto(b"me too", place)
                await hands.shows(f"{name_of(bob)}: me too\n")
                assert f"answers go to {name_of(bob)} now" in hands.console.err
                hands.type(b"for bob", b"q")
                assert [await heard(bob), await heard(bob)] == [b"for bob", b"q"]
            assert (await task).how is How.OWN_Q

    asyncio.run(main())


def test_input_that_no_person_types_waits_until_somebody_has_spoken() -> None:
    async def main() -> None:
        hands = Hands(is_person=False)
        hands.type(b"for whoever comes")
        hands.end()
        async with listening(hands) as (place, task):
            with bare() as ann:
                ann.sendto(b"hi\n", place)
                assert await heard(ann) == b"for whoever comes\n"
            assert not task.done()
            assert "not sent" not in hands.console.err

    asyncio.run(main())


def test_an_empty_datagram_and_one_that_is_cut_are_said_and_the_talk_goes_on() -> None:
    async def main() -> None:
        hands = Hands()
        async with listening(hands, max_datagram_bytes=100) as (place, task):
            with bare() as ann:
                ann.sendto(b"", place)
                await hands.shows(f"{name_of(ann)} has sent an empty datagram")
                ann.sendto(b"x" * 101, place)
                await hands.shows(f"a datagram from {name_of(ann)} was longer than 100 bytes, the limit here")
                ann.sendto(b"q", place)
                assert (await task).how is How.PARTNER_Q
        assert "x" * 10 not in hands.console.out

    asyncio.run(main())


def test_a_datagram_of_ours_that_does_not_fit_is_refused_with_numbers() -> None:
    async def main() -> None:
        hands = Hands()
        async with listening(hands) as (place, _task):
            with bare() as ann:
                ann.sendto(b"bare", place)
                await hands.shows("bare\n")
                hands.type(b"x" * 65_508, b"short")
                await hands.shows("not sent: datagram of 65508 bytes, limit 65507 bytes")
                assert await heard(ann) == b"short"

    asyncio.run(main())


def test_a_refusal_is_said_and_survived() -> None:
    async def main() -> None:
        hands = Hands()
        with bare() as gone:
            place = gone.getsockname()
        async with connect(f"udp://127.0.0.1:{place[1]}") as channel:
            with Signals() as signals:
                speakers = Speakers(newline="auto", partner=channel.peer_address, keeps_on=False, is_person=True)
                talk = DatagramTalk(OnePeer(channel), speakers, hands, hands.display, signals)
                task = asyncio.get_running_loop().create_task(talk.run())
                hands.type(b"anybody there?")
                await hands.shows("the talk goes on")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
                    back.bind(place)
                    back.settimeout(10)
                    hands.type(b"now?")
                    message, sender = await asyncio.to_thread(back.recvfrom, 100)
                    assert message == b"now?\n"
                    back.sendto(b"yes\n", sender)
                    await hands.shows("yes\n")
                    back.sendto(b"Q", sender)
                    assert (await task).how is How.PARTNER_Q

    asyncio.run(main())


def test_with_keep_a_partner_that_leaves_does_not_end_it() -> None:
    async def main() -> None:
        hands = Hands()
        async with listening(hands, keeps_on=True) as (place, task):
            with bare() as ann, bare() as bob:
                ann.sendto(b"q\n", place)
                await hands.shows(f"{name_of(ann)} has left the talk")
                hands.type(b"anybody?")
                await hands.shows("nobody to answer")
                bob.sendto(b"me\n", place)
                await hands.shows("me\n")
            hands.end()
            assert (await task).how is How.CTRL_D

    asyncio.run(main())
