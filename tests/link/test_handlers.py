"""The shapes of a handler: a coroutine function, an object that clients share, a class with one object for each."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from lanline.errors import UsageError
from lanline.framing.lines import Lines
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.handlers import Handled
from lanline.link.server import serve
from tests.link.conftest import Run


class Counter:
    """Answers each message with how many came before it."""

    def __init__(self) -> None:
        self.count = 0

    async def handle(self, channel: Channel) -> None:
        """Counts."""
        async for _ in channel:
            await channel.send(b"%d" % self.count)
            self.count += 1


async def _greet(greeting: bytes, channel: Channel) -> None:
    await channel.send(greeting)


async def _counts(what: Handled, mem: str) -> list[bytes]:
    """What two clients hear, one after the other, two answers each."""
    got = []
    async with serve(what, mem, framing=Lines()):
        for _ in range(2):
            async with connect(mem, framing=Lines()) as channel:
                for _ in range(2):
                    await channel.send(b"?")
                    got.append(await channel.receive())
    return got


def test_an_object_is_shared_by_all_clients(mem: str, run_once: Run[Any]) -> None:
    assert run_once(_counts(Counter(), mem)) == [b"0", b"1", b"2", b"3"]


def test_a_class_is_made_anew_for_each_client(mem: str, run_once: Run[Any]) -> None:
    assert run_once(_counts(Counter, mem)) == [b"0", b"1", b"0", b"1"]


@pytest.mark.parametrize(
    "what", [partial(_greet, b"hi"), lambda channel: _greet(b"hi", channel)], ids=["partial", "lambda"]
)
def test_whatever_returns_a_coroutine_is_a_handler(what: Any, mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with serve(what, mem, framing=Lines()), connect(mem, framing=Lines()) as channel:
            assert await channel.receive() == b"hi"

    run_once(main())


def plain(channel: Channel) -> None:
    """What a beginner writes."""


class Plain:
    """The same as a method."""

    def handle(self, channel: Channel) -> None:
        """Not a coroutine function."""


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (plain, "plain is a plain function"),
        (Plain(), "handle is a plain function"),
        (Plain, "handle is a plain function"),
        (int, "the class int has no handle"),
        (42, "no handler but of the type int"),
    ],
)
def test_what_is_no_handler_is_refused_at_once(what: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        serve(what, "mem://never")
    assert "async def" in caught.value.advice


def test_a_class_that_cannot_be_made_harms_only_its_client(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Picky(Counter):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            Picky.made += 1
            if Picky.made == 1:
                raise ValueError("not the first")

    async def main() -> None:
        async with serve(Picky, mem, framing=Lines()):
            async with connect(mem, framing=Lines()) as channel:
                assert [message async for message in channel] == []
            async with connect(mem, framing=Lines()) as channel:
                await channel.send(b"?")
                assert await channel.receive() == b"0"
            await asyncio.sleep(0)

    run_once(main())
    assert "not the first" in caplog.text
