"""Claims about a talk over one connection: real sockets, a bare one at the other end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.services.talk.hands import Hands

from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from lanline.link.client import connect
from lanline.services.talk.conversation import Conversation
from lanline.services.talk.events import How, Over
from lanline.services.talk.overstream import StreamTalk, part
from lanline.services.talk.signals import Signals


class Line:
    """A talk on one side, and a bare non-blocking socket on the other."""

    def __init__(self, talk: asyncio.Task[Over], bare: socket.socket, signals: Signals) -> None:
        self.talk = talk
        self.bare = bare
        self.signals = signals

    async def hears(self, expected: bytes) -> None:
        """Waits until the bare side has got exactly this."""
        loop, got = asyncio.get_running_loop(), b""
        async with asyncio.timeout(10):
            while len(got) < len(expected):
                got += await loop.sock_recv(self.bare, 65536)
        assert got == expected

    async def says(self, data: bytes) -> None:
        """The bare side sends this."""
        await asyncio.get_running_loop().sock_sendall(self.bare, data)


@asynccontextmanager
async def line(hands: Hands, *, framing: Raw | Lines | None = None) -> AsyncIterator[Line]:
    """A talk with a bare socket; the talk has ended when the block is left, or is cancelled."""
    framing = framing or Raw()
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server, Signals() as signals:
        server.setblocking(False)
        channel = await connect(f"tcp://127.0.0.1:{server.getsockname()[1]}", framing=framing)
        bare, _ = await loop.sock_accept(server)
        bare.setblocking(False)
        conversation = Conversation(
            "them", newline="auto", is_framed=not isinstance(framing, Raw), is_person=hands.is_person
        )
        talk = loop.create_task(StreamTalk(channel, conversation, hands, hands.display, signals).run())
        with bare:
            try:
                yield Line(talk, bare, signals)
            finally:
                talk.cancel()
                await asyncio.wait([talk])
                channel.abort()
                await channel.close()


def test_both_sides_type_whenever_they_like_until_one_says_q() -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands) as wire:
            hands.type(b"one", b"two")
            await wire.says(b"eins\nzwei\n")
            await wire.hears(b"one\ntwo\n")
            await hands.shows("eins\nzwei\n")
            hands.type(b"Q")
            await wire.hears(b"Q\n")
            assert (await wire.talk).how is How.OWN_Q
        assert "you have ended the talk" in hands.console.err

    asyncio.run(main())


def test_a_message_without_a_newline_is_shown_and_answered_in_kind() -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands) as wire:
            await wire.says(b"hello")
            await hands.shows("hello\n")
            hands.type(b"hi")
            await wire.hears(b"hi")
            await wire.says(b"q")
            assert (await wire.talk).how is How.PARTNER_Q

    asyncio.run(main())


@pytest.mark.parametrize("key", ["ctrl-d", "ctrl-c", "told"])
def test_keys_and_signals_end_it_with_a_word(key: str) -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands) as wire:
            await wire.says(b"hi\n")
            await hands.shows("hi\n")
            if key == "ctrl-d":
                hands.end()
            elif key == "ctrl-c":
                hands.press_ctrl_c()
            else:
                import signal

                wire.signals.tell(signal.SIGTERM)
            over = await wire.talk
            assert over.exit_code == 0
            assert over.text.casefold().endswith(key) or over.text == "the talk is over: SIGTERM"

    asyncio.run(main())


def test_a_partner_that_closes_ends_it_properly_and_one_that_resets_breaks_it() -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands) as wire:
            await wire.says(b"last words")
            wire.bare.close()
            assert (await wire.talk).how is How.CLOSED
        assert "last words" in hands.console.out
        broken = Hands()
        async with line(broken) as wire:
            wire.bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.bare.close()
            over = await wire.talk
            assert (over.how, over.exit_code) == (How.BROKEN, 1)
        assert broken.console.errors

    asyncio.run(main())


def test_the_end_of_a_pipe_ends_this_half_and_answers_still_come() -> None:
    async def main() -> None:
        hands = Hands(is_person=False)
        async with line(hands) as wire:
            hands.type(b"question")
            hands.end()
            await wire.hears(b"question\n")
            assert await asyncio.get_running_loop().sock_recv(wire.bare, 1) == b""
            await wire.says(b"answer\n")
            await hands.shows("answer\n")
            wire.bare.close()
            assert (await wire.talk).how is How.CLOSED

    asyncio.run(main())


def test_a_partner_that_takes_nothing_does_not_hold_up_ctrl_c() -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands) as wire:
            for _ in range(400):
                hands.type(b"x" * 60_000)
            await wire.says(b"still heard\n")
            await hands.shows("still heard\n")
            import signal

            wire.signals.tell(signal.SIGINT)
            assert (await wire.talk).how is How.CTRL_C

    asyncio.run(main())


def test_a_line_that_the_framing_cannot_carry_is_said_and_the_talk_goes_on() -> None:
    async def main() -> None:
        hands = Hands()
        async with line(hands, framing=Lines(max_message_bytes=10)) as wire:
            hands.type(b"x" * 11, b"short")
            await wire.hears(b"short\n")
            await hands.shows("message of 11 bytes, limit 10 bytes")
            await wire.says(b"half a line")
            wire.bare.close()
            assert (await wire.talk).how is How.BROKEN

    asyncio.run(main())


def test_parting_lets_the_last_words_arrive_though_the_partner_still_talks() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            channel = await connect(f"tcp://127.0.0.1:{server.getsockname()[1]}")
            bare, _ = await loop.sock_accept(server)
            with bare:
                bare.setblocking(False)
                await loop.sock_sendall(bare, b"unread")
                await channel.send(b"q\n")
                parting = loop.create_task(part(channel))
                got = b""
                while chunk := await loop.sock_recv(bare, 100):
                    got += chunk
                bare.close()
                await parting
        assert got == b"q\n" and channel.is_gone

    asyncio.run(main())
