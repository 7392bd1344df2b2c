"""Who comes, what is said, who goes and why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import ChannelReset
from lanline.framing.lines import Lines
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.ui.plain.headcount import Headcount
from lanline.ui.plain.watching import SHOWN_BYTES, Watch, WatchedAnswers, WatchedChannel, said

PATIENCE = 10.0
ONE = Address("udp", "127.0.0.1", 1001)
TWO = Address("udp", "127.0.0.1", 1002)
Events = list[dict[str, Any]]


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


def _seen_of(handler: Any, *messages: bytes, is_verbose: bool = False, most: int | None = None) -> Events:
    """The events of one client that sends these lines, reads until the end, and closes."""
    events: Events = []

    async def main() -> None:
        watch = Watch(events.append, Headcount(most), is_verbose=is_verbose)
        async with serve(watch.watched(handler), "tcp://127.0.0.1:0", framing=Lines()) as server:
            async with asyncio.timeout(PATIENCE), connect(server.addresses[0], framing=Lines()) as channel:
                for message in messages:
                    await channel.send(message)
                channel.end()
                assert isinstance([message async for message in channel], list)

    asyncio.run(main())
    return events


def test_a_client_comes_and_goes_with_its_figures() -> None:
    came, left = _seen_of(_upper, b"one", b"two")
    assert (came["event"], left["event"]) == ("came", "left")
    assert came["client"] == left["client"]
    assert came["local"].startswith("tcp://127.0.0.1:")
    assert (left["received_messages"], left["sent_messages"], left["reason"]) == (2, 2, "it closed")


def test_a_sender_of_datagrams_is_not_said_to_have_closed_when_this_server_stops() -> None:
    events: Events = []

    async def main() -> None:
        watch = Watch(events.append, Headcount(None))
        async with serve(watch.watched(_upper), "udp://127.0.0.1:0") as server:
            async with asyncio.timeout(PATIENCE), connect(server.addresses[0]) as channel:
                await channel.send(b"one")
                assert await channel.receive() == b"ONE"

    asyncio.run(main())
    assert [event["event"] for event in events] == ["came", "left"]
    assert events[1]["reason"] == "the server is stopping"


def test_messages_are_told_in_both_directions_only_where_that_is_wanted() -> None:
    told = [event for event in _seen_of(_upper, b"one", is_verbose=True) if event["event"] == "message"]
    assert [(event["direction"], event["message"]) for event in told] == [("in", "one"), ("out", "ONE")]
    assert all(event["event"] != "message" for event in _seen_of(_upper, b"one"))


def test_the_channel_a_handler_sees_is_its_own_unless_messages_are_told() -> None:
    kinds: list[type] = []

    async def handler(channel: Channel) -> None:
        kinds.append(type(channel))

    _seen_of(handler)
    _seen_of(handler, is_verbose=True)
    assert kinds[0] is not WatchedChannel
    assert kinds[1] is WatchedChannel


def test_a_handler_says_why_it_ends_a_client_by_what_it_returns() -> None:
    async def handler(channel: Channel) -> str:
        return f"enough after {len(await channel.receive())} bytes"

    assert _seen_of(handler, b"abc")[-1]["reason"] == "enough after 3 bytes"


def test_a_handler_that_is_done_before_its_client_is_told_from_a_client_that_closed() -> None:
    async def handler(channel: Channel) -> None:
        await channel.receive()

    assert _seen_of(handler, b"abc", b"more")[-1]["why"] in ("handler", "ChannelEnded")


@pytest.mark.parametrize(
    ("error", "why", "reason"),
    [
        (ValueError("no such thing"), "failed", "the handler failed: ValueError: no such thing"),
        (KeyError(), "failed", "the handler failed: KeyError"),
        (ChannelReset("it was reset"), "ChannelReset", "it was reset"),
    ],
)
def test_what_a_handler_raises_is_the_reason_and_its_mistakes_come_with_a_traceback(
    error: Exception, why: str, reason: str
) -> None:
    async def handler(channel: Channel) -> None:
        raise error

    left = _seen_of(handler)[-1]
    assert (left["why"], left["reason"]) == (why, reason)
    assert ("Traceback" in left.get("traceback", "")) == (why == "failed")


def test_beyond_the_most_clients_a_newcomer_is_refused_and_no_handler_runs() -> None:
    async def never(channel: Channel) -> None:
        raise AssertionError("a refused client reached the handler")

    (refused,) = _seen_of(never, most=0)
    assert (refused["event"], refused["limit"]) == ("refused", 0)


def test_who_is_cut_off_by_our_own_stop_is_told_so() -> None:
    events: Events = []

    async def main() -> None:
        watch = Watch(events.append, Headcount(None))
        async with serve(watch.watched(_upper), "tcp://127.0.0.1:0") as server, connect(server.addresses[0]) as one:
            await one.send(b"x")
            await one.receive()
            await server.close(drain=0.0)

    asyncio.run(main())
    assert events[-1]["why"] == "stopped"


# -- datagrams -------------------------------------------------------------------------------------------------


def _answers(events: Events, *, most: int = 100, limit: int | None = None) -> WatchedAnswers:
    return WatchedAnswers(lambda message, sender: message, events.append, Headcount(limit), silence=60.0, most=most)


def test_a_sender_comes_with_its_first_datagram_and_goes_after_a_silence() -> None:
    events: Events = []

    async def main() -> None:
        has_left = asyncio.Event()

        def tell(event: dict[str, Any]) -> None:
            events.append(event)
            if event["event"] == "left":
                has_left.set()

        answers = WatchedAnswers(lambda message, sender: message or None, tell, Headcount(None), silence=0.05)
        assert answers.answer(b"a", ONE) == b"a"
        assert answers.answer(b"", ONE) is None
        async with asyncio.timeout(PATIENCE):
            await has_left.wait()

    asyncio.run(main())
    came, left = events
    assert (came["event"], came["client"]) == ("came", "udp://127.0.0.1:1001")
    assert (left["why"], left["received_messages"], left["sent_messages"]) == ("silent", 2, 1)


def test_who_gets_no_answer_is_no_client() -> None:
    events: Events = []
    answers = WatchedAnswers(lambda message, sender: None, events.append, Headcount(None), silence=60.0)
    assert [answers.answer(b"forged", Address("udp", "127.0.0.1", port)) for port in range(1, 100)] == [None] * 99
    assert events == []


def test_of_too_many_senders_the_longest_silent_makes_way() -> None:
    events: Events = []

    async def main() -> None:
        answers = _answers(events, most=2)
        for sender in (ONE, TWO, ONE, Address("udp", "127.0.0.1", 1003)):
            answers.answer(b"x", sender)
        answers.close()

    asyncio.run(main())
    left = [(event["client"][-4:], event["why"]) for event in events if event["event"] == "left"]
    assert left == [("1002", "made way"), ("1001", "stopped"), ("1003", "stopped")]


def test_senders_beyond_the_most_clients_get_no_answer() -> None:
    events: Events = []

    async def main() -> None:
        answers = _answers(events, limit=1)
        assert answers.answer(b"x", ONE) == b"x"
        assert answers.answer(b"x", TWO) is None
        answers.close()

    asyncio.run(main())
    assert [event["event"] for event in events] == ["came", "refused", "left"]


@pytest.mark.parametrize(("given", "says"), [("text", "write text.encode()"), (7, "bytes or None, not int")])
def test_an_answer_that_is_no_bytes_is_told_as_a_mistake_and_not_counted(given: Any, says: str) -> None:
    events: Events = []
    answers = WatchedAnswers(lambda message, sender: given, events.append, Headcount(None), silence=60.0)
    assert answers.answer(b"x", ONE) is None
    assert [event["event"] for event in events] == ["answer_failed"]
    assert says in events[0]["reason"]


def test_a_face_that_fails_at_one_datagram_answers_the_next() -> None:
    events: Events = []

    def answer(message: bytes, sender: Address) -> bytes:
        return b"%d" % (6 // len(message))

    async def main() -> None:
        answers = WatchedAnswers(answer, events.append, Headcount(None), silence=60.0)
        assert answers.answer(b"", ONE) is None
        assert answers.answer(b"ab", ONE) == b"3"
        answers.close()

    asyncio.run(main())
    assert [event["event"] for event in events] == ["answer_failed", "came", "left"]
    assert "ZeroDivisionError" in events[0]["reason"]


# -- messages in events ----------------------------------------------------------------------------------------


def test_text_is_told_as_text_and_other_bytes_in_base64() -> None:
    assert said("x", "in", "你好".encode())["message"] == "你好"
    told = said("x", "in", b"\xff\0")
    assert (told["message"], told["encoding"], told["size_bytes"], told["is_cut"]) == ("/wA=", "base64", 2, False)


@pytest.mark.parametrize("offset", range(4))
def test_a_cut_never_makes_text_unreadable(offset: int) -> None:
    message = b"a" * offset + "😀".encode() * SHOWN_BYTES
    told = said("x", "in", message)
    assert told["encoding"] == "utf-8"
    assert told["is_cut"]
    assert set(told["message"]) <= {"a", "😀"}
    assert SHOWN_BYTES - 3 <= len(told["message"].encode()) <= SHOWN_BYTES


def test_an_answer_that_fits_into_no_datagram_is_not_told_as_sent() -> None:
    events: Events = []

    async def main() -> None:
        answers = WatchedAnswers(
            lambda message, sender: bytes(int(message)), events.append, Headcount(None), silence=60.0, is_verbose=True
        )
        assert answers.answer(b"65508", ONE) == bytes(65508)
        assert answers.answer(b"65507", ONE) == bytes(65507)
        answers.close()

    asyncio.run(main())
    shown = [(event["direction"], event["size_bytes"]) for event in events if event["event"] == "message"]
    assert shown == [("in", 5), ("in", 5), ("out", 65507)]
    assert events[-1]["sent_messages"] == 1
