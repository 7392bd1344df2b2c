"""What may be served without an event loop, and what is refused with what to try."""

from __future__ import annotations

import pytest

from lanline.errors import UsageError
from lanline.link.blocking.channel import Channel
from lanline.link.blocking.handlers import answer_of, handler_of

from .bare import channel_and_peer


def greet(channel: Channel) -> None:
    """Says hello."""
    channel.send(b"hello")


class Greeting:
    """Says hello as well."""

    def handle(self, channel: Channel) -> None:
        """Says it."""
        channel.send(b"hello")


class Answering(Greeting):
    """Answers datagrams besides."""

    def answer(self, message: bytes, sender: object) -> bytes | None:
        """Echoes."""
        return message


@pytest.mark.parametrize("what", [greet, Greeting(), Greeting, lambda channel: channel.send(b"hello")])
def test_functions_objects_and_classes_become_handlers(what: object) -> None:
    with channel_and_peer() as (channel, peer):
        handler_of(what)(channel)
        assert peer.recv(100) == b"hello\n"


def test_each_client_gets_an_object_of_a_class() -> None:
    made: list[object] = []

    class Noting:
        """Notes who it is."""

        def handle(self, channel: Channel) -> None:
            """Notes it."""
            made.append(self)

    handler = handler_of(Noting)
    with channel_and_peer() as (channel, _):
        handler(channel)
        handler(channel)
    assert len(set(made)) == 2


def test_coroutines_are_refused_with_the_way_out() -> None:
    async def greet_later(channel: Channel) -> None:
        channel.send(b"hello")

    class Later:
        """Handles later."""

        async def handle(self, channel: Channel) -> None:
            """Later."""

    for what in (greet_later, Later, Later()):
        with pytest.raises(UsageError, match="is a coroutine function") as caught:
            handler_of(what)
        assert "lanline.serve" in caught.value.advice


@pytest.mark.parametrize("what", [42, "greet", object(), object, None])
def test_what_is_no_handler_is_named(what: object) -> None:
    with pytest.raises(UsageError, match=r"no handler|has no handle"):
        handler_of(what)


def test_only_objects_answer_datagrams() -> None:
    answering = Answering()
    assert answer_of(answering) == answering.answer
    assert answer_of(Answering) is None
    assert answer_of(greet) is None
