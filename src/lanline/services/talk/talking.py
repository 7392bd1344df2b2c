"""Putting a talk together: who types, which carrier, connecting or listening. One loop, one typist, one display."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lanline.address import Address
from lanline.console import Console
from lanline.errors import ConnectFailed
from lanline.framing.base import Framing
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.services.talk.carrier import Carrier
from lanline.services.talk.conversation import Conversation
from lanline.services.talk.display import Display
from lanline.services.talk.events import Noted, Over
from lanline.services.talk.lineends import Mode
from lanline.services.talk.overstream import StreamTalk, part
from lanline.services.talk.signals import Signals, Told
from lanline.services.talk.speakers import Speakers
from lanline.services.talk.switchboard import Switchboard
from lanline.services.talk.typist import PlainTypist, Typist
from lanline.translation import _

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
"""Seconds between two tries to connect: a partner that starts is found soon, one that does not is not pestered."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for.

    Args:
        address: where to listen or to connect.
        framing: how messages lie in a stream.
        newline: whether lines go out with a newline.
        listens: whether to wait at the address.
        keeps_on: whether to go on after a talk.
        retry: seconds for which connecting is tried again; 0: once.
        input: descriptor to read lines from; None: there is no input.
        has_editor: whether a person types at a terminal that can show a line being edited.
    """

    address: Address
    framing: Framing
    newline: Mode
    listens: bool = False
    keeps_on: bool = False
    retry: float = 0.0
    input: int | None = None
    has_editor: bool = False


async def have_talk(settings: Settings, console: Console) -> int:
    """Has the talk, or the talks; returns the exit code.

    Raises:
        ConnectFailed, ListenFailed: there is nobody to talk with. LanlineError: input or output failed.
    """
    typist = _typist(settings)
    display = Display(console, typist.above)
    with Signals() as signals, _logged(display):
        desk = _Desk(settings, typist, display, signals)
        try:
            over = await desk.run()
        except Told as told:
            return told.exit_code
        finally:
            await typist.rest()
    return over.exit_code


@contextmanager
def _logged(display: Display) -> Iterator[None]:
    """Shows what the library logs as notes: written to standard error past the display it would tear the line being
    typed."""
    handler, log = _LogNotes(display), logging.getLogger("lanline")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _LogNotes(logging.Handler):
    """Warnings of the library as notes."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        """Shows one."""
        self._display.show(Noted("log", record.getMessage()))


def _typist(settings: Settings) -> Typist:
    if not settings.has_editor:
        return PlainTypist(settings.input)
    from lanline.services.talk.prompt import PromptTypist  # here, not above: 40 ms

    return PromptTypist()


class _Desk:
    """What one run of the word has at hand."""

    def __init__(self, settings: Settings, typist: Typist, display: Display, signals: Signals) -> None:
        self._settings = settings
        self._typist = typist
        self._display = display
        self._signals = signals

    async def run(self) -> Over:
        """The talk, or the talks; how the last one ended."""
        settings = self._settings
        if settings.address.scheme == "udp":
            return await (self._listen_datagrams() if settings.listens else self._connect_datagrams())
        if settings.listens:
            board = Switchboard(settings.address, settings.framing, self._converse, self._display, self._signals)
            return await board.run(keeps_on=settings.keeps_on)
        channel = await self._connected()
        over: Over | None = None
        try:
            over = await self._converse(channel)
        finally:
            await part(channel, over)
        return over

    async def _connected(self) -> Channel:
        settings = self._settings
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settings.retry
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._signals.unless_told(_connect(settings))
            except ConnectFailed as error:
                if loop.time() + pause > deadline:
                    raise _with_retry(error, settings.retry) from error
                if pause == _FIRST_PAUSE:
                    self._display.trying(settings.address, str(error), settings.retry)
            await self._signals.unless_told(asyncio.sleep(pause))
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _converse(self, channel: Channel, *, has_hung_up: bool = False) -> Over:
        partner = channel.peer_address or str(self._settings.address)
        conversation = Conversation(
            partner,
            newline=self._settings.newline,
            is_framed=self._settings.framing.name != "raw",
            is_person=self._typist.is_person,
            has_hung_up=has_hung_up,
        )
        return await self._carry(partner, StreamTalk(channel, conversation, *self._hands))

    async def _connect_datagrams(self) -> Over:
        from lanline.services.talk.overdatagrams import DatagramTalk, OnePeer

        async with await self._signals.unless_told(_connect(self._settings)) as channel:
            partner = channel.peer_address
            talk = DatagramTalk(OnePeer(channel), self._speakers(partner), *self._hands)
            return await self._carry(partner, talk)

    async def _listen_datagrams(self) -> Over:
        from lanline.link.datagrams.datagramsocket import bind
        from lanline.services.talk.overdatagrams import AnyPeer, DatagramTalk

        async with bind(self._settings.address) as socket:
            self._display.waiting([socket.address])
            self._display.open_to_all()
            return await DatagramTalk(AnyPeer(socket), self._speakers(None), *self._hands).run()

    def _speakers(self, partner: str | None) -> Speakers:
        return Speakers(
            newline=self._settings.newline,
            partner=partner,
            keeps_on=self._settings.keeps_on,
            is_person=self._typist.is_person,
        )

    @property
    def _hands(self) -> tuple[Typist, Display, Signals]:
        return self._typist, self._display, self._signals

    async def _carry(self, partner: str, talk: Carrier) -> Over:
        self._display.talking(partner)
        return await talk.run()


async def _connect(settings: Settings) -> Channel:
    return await connect(settings.address, framing=settings.framing)


def _with_retry(error: ConnectFailed, retry: float) -> ConnectFailed:
    """The same sentence; where a partner that starts later would do, the advice says how to wait for it."""
    if retry or not isinstance(error.__cause__, ConnectionRefusedError | FileNotFoundError):
        return error
    return ConnectFailed(str(error), advice=_("start the server first, or say --retry 30 to keep trying for 30 s."))
