"""Claims about carrying out a talk, whatever carries it."""

from __future__ import annotations

import asyncio

import pytest
from tests.services.talk.hands import Hands

from lanline.errors import LanlineError
from lanline.services.talk.carrier import Carrier
from lanline.services.talk.conversation import Conversation
from lanline.services.talk.events import SILENCE, How, Said, Send
from lanline.services.talk.signals import Signals
from lanline.services.talk.typist import Typed


class Told(Carrier):
    """A carrier whose partner says what a test put into `heard`, and to whom nothing is really sent."""

    def __init__(self, conversation: Conversation, hands: Hands, signals: Signals) -> None:
        super().__init__(conversation, hands, hands.display, signals)
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.sent: list[bytes] = []
        self.has_ended_half = False
        self._conversation = conversation

    async def _hear(self) -> None:
        while True:
            self._done(self._conversation.received(await self.heard.get(), self._loop.time()))

    async def _send(self, send: Send) -> None:
        self.sent.append(send.data)

    def _end_half(self) -> None:
        self.has_ended_half = True


def conversation(hands: Hands) -> Conversation:
    return Conversation("them", newline="auto", is_framed=False, is_person=hands.is_person)


def test_what_is_held_back_is_shown_when_its_time_has_come() -> None:
    async def main() -> None:
        hands = Hands()
        with Signals() as signals:
            carrier = Told(conversation(hands), hands, signals)
            carrier.heard.put_nowait(b"no newline")
            task = asyncio.get_running_loop().create_task(carrier.run())
            await hands.shows("no newline\n")
            hands.type(b"bare", b"q")
            assert (await task).how is How.OWN_Q
            assert carrier.sent == [b"bare", b"q"]

    asyncio.run(main())


def test_after_the_end_of_a_pipe_silence_ends_the_talk() -> None:
    async def main() -> None:
        hands = Hands(is_person=False)
        hands.type(b"last")
        hands.end()
        with Signals() as signals:
            carrier = Told(conversation(hands), hands, signals)
            began = asyncio.get_running_loop().time()
            over = await carrier.run()
            assert asyncio.get_running_loop().time() - began >= SILENCE - 0.01
            assert (over.how, carrier.sent, carrier.has_ended_half) == (How.SILENCE, [b"last\n"], True)

    asyncio.run(main())


def test_an_input_that_cannot_be_read_ends_the_talk_with_its_error() -> None:
    class Unreadable(Hands):
        async def read(self) -> Typed | None:
            raise LanlineError("the input cannot be read: Input/output error")

    async def main() -> None:
        hands = Unreadable()
        with Signals() as signals, pytest.raises(LanlineError, match="the input cannot be read"):
            await Told(conversation(hands), hands, signals).run()

    asyncio.run(main())


def test_an_output_that_cannot_be_written_ends_the_talk_with_its_error_whenever_it_is_noticed() -> None:
    async def main() -> None:
        hands = Hands()

        def fail(event: object) -> None:
            if isinstance(event, Said):
                raise LanlineError("the output cannot be written: No space left on device")

        hands.display.show = fail  # type: ignore[method-assign]
        with Signals() as signals, pytest.raises(LanlineError, match="No space left"):
            carrier = Told(conversation(hands), hands, signals)
            carrier.heard.put_nowait(b"no newline")
            await carrier.run()

    asyncio.run(main())
