"""The plain face echo: greetings, replies, and `quit`, which ends one client and nobody else."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest
from tests.ui.recording import Recording

from lanline.address import Address
from lanline.arguments import WordParser
from lanline.errors import ChannelEnded
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.netstring import Netstring
from lanline.framing.raw import Raw
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.services.echo.plain import EchoFace, add_options, is_quit, make

GREETING = "你好, 客户端!"
REPLY = "服务端已收到: {}"
SENDER = Address("udp", "127.0.0.1", 9999)
PATIENCE = 10.0


def _options(*words: str) -> argparse.Namespace:
    parser = WordParser("serve", Recording(), "", examples="")
    add_options(parser)
    return parser.parse_args(list(words))


def _face(*words: str) -> EchoFace:
    return make(_options(*words), Recording())


def _answers(face: EchoFace, messages: list[bytes], framing: Framing, scheme: str, home: Path) -> list[bytes]:
    """What one client gets that sends each message once it has its answer."""

    async def main() -> list[bytes]:
        where = f"unix://{home}/s" if scheme == "unix" else f"{scheme}://127.0.0.1:0"
        async with serve(face, where, framing=framing) as server, asyncio.timeout(PATIENCE):
            async with connect(server.addresses[0], framing=framing) as channel:
                got = []
                for message in messages:
                    await channel.send(message)
                    got.append(await channel.receive())
                return got

    return asyncio.run(main())


@pytest.mark.parametrize("scheme", ["tcp", "unix", "udp"])
@pytest.mark.parametrize("framing", [Raw(), Lines(), LengthPrefixed(), Netstring()], ids=lambda one: one.name)
def test_each_message_comes_back_whatever_carries_it(scheme: str, framing: Framing, home: Path) -> None:
    messages = [b"one", "二".encode(), b"{} {0} {0.__class__}"]
    assert _answers(_face(), messages, framing, scheme, home) == messages


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_reply_holds_the_message(scheme: str, home: Path) -> None:
    got = _answers(_face("--reply", REPLY), ["在吗".encode()], Lines(), scheme, home)
    assert got == ["服务端已收到: 在吗".encode()]


@pytest.mark.parametrize(
    ("reply", "message", "answer"),
    [
        ("{}", b"x", b"x"),
        ("<{}>", b"x\r\n", b"<x>\r\n"),
        ("{} and {}", b"x", b"x and {}"),
        ("{0.__class__} {}", b"x", b"{0.__class__} x"),
        ("{", b"x", b"{"),
        ("always", b"x", b"always"),
        ("", b"x", b""),
        ("{}", b"\xff{}\0", b"\xff{}\0"),
        ("<{}>", b"{}", b"<{}>"),
    ],
)
def test_braces_are_text_but_for_the_first_pair(reply: str, message: bytes, answer: bytes) -> None:
    assert _face("--reply", reply).answer(message, SENDER) == answer


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_quit_alone_with_any_end_of_line_is_quit(end: bytes) -> None:
    assert is_quit(b"quit" + end)


@pytest.mark.parametrize(
    "message", [b"", b"quit ", b" quit", b"QUIT", b"quit now", b"quit\nhello", b"quit" + b"\n" * 9]
)
def test_anything_else_is_not_quit(message: bytes) -> None:
    assert not is_quit(message)


def test_quit_is_answered_and_then_ends_that_client_and_nobody_else() -> None:
    async def main() -> None:
        face = _face("--greeting", GREETING, "--reply", REPLY)
        async with serve(face, "tcp://127.0.0.1:0", framing=Lines()) as server, asyncio.timeout(PATIENCE):
            where = server.addresses[0]
            async with connect(where, framing=Lines()) as one, connect(where, framing=Lines()) as other:
                for channel in (one, other):
                    assert await channel.receive() == GREETING.encode()
                await one.send(b"quit")
                assert await one.receive() == "服务端已收到: quit".encode()
                with pytest.raises(ChannelEnded):
                    await one.receive()
                await other.send(b"still here")
                assert await other.receive() == "服务端已收到: still here".encode()

    asyncio.run(main())


def test_the_reason_of_a_client_that_said_quit_is_told() -> None:
    reasons: list[str | None] = []

    class Noted(EchoFace):
        async def handle(self, channel):  # type: ignore[no-untyped-def]
            reasons.append(await super().handle(channel))

    async def main() -> None:
        async with serve(Noted(), "tcp://127.0.0.1:0") as server, asyncio.timeout(PATIENCE):
            async with connect(server.addresses[0]) as channel:
                await channel.send(b"quit\n")
                assert [message async for message in channel] == [b"quit\n"]

    asyncio.run(main())
    assert reasons == ["it said quit"]
