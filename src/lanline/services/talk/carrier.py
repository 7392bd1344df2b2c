"""What carries out a talk: it listens to partner and typist at once, sends, shows, and keeps the time.

What is to be done is decided in `conversation.py` and `speakers.py`; the carriers for streams and for datagrams add how
to receive and to send. Rule: a talk always ends by an `Over`, whatever was waiting for whom.
"""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lanline.errors import LanlineError
from lanline.services.talk.display import Display
from lanline.services.talk.events import EndHalf, Event, How, Noted, Over, Send
from lanline.services.talk.signals import Signals
from lanline.services.talk.typist import Interrupted, Typed, Typist
from lanline.translation import _


class Pure(Protocol):
    """What both kinds of talk have in common."""

    @property
    def deadline(self) -> float | None:
        """When to call `tick`."""

    def typed(self, typed: Typed, now: float) -> Sequence[Event]:
        """A line was typed."""

    def input_ended(self, now: float) -> Sequence[Event]:
        """Nothing more will be typed."""

    def tick(self, now: float) -> Sequence[Event]:
        """Time has passed."""


class Carrier(ABC):
    """One talk.

    Args:
        pure: decides.
        typist: gives the lines of this side.
        display: shows.
        signals: end it.
    """

    def __init__(self, pure: Pure, typist: Typist, display: Display, signals: Signals) -> None:
        self._pure = pure
        self._typist = typist
        self._display = display
        self._signals = signals
        self._lost_input = False
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[Over] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> Over:
        """Carries the talk until it ends; how it ended has been shown then.

        Raises:
            LanlineError: the input cannot be read, or the output cannot be written.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._hear()), group.create_task(self._type())]
                ends: list[asyncio.Future[Any]] = [self._over, self._signals.told]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            if self._timer is not None:
                self._timer.cancel()
        await self._typist.rest()
        over = self._over.result() if self._over.done() else _told(self._signals.told.result())
        self._display.show(over)
        return replace(over, lost_input=self._lost_input)

    @abstractmethod
    async def _hear(self) -> None:
        """Receives until there is nothing more to come."""

    @abstractmethod
    async def _send(self, send: Send) -> None:
        """Sends one message; what hinders it is told to the pure side or shown, not raised."""

    @abstractmethod
    def _end_half(self) -> None:
        """Nothing more will be sent."""

    def _done(self, events: Iterable[Event]) -> None:
        """Shows what has happened; an `Over` among it ends the talk."""
        for event in events:
            if not isinstance(event, Over):
                # A script sees the exit code alone; a person has read the note, and types it again.
                if isinstance(event, Noted) and event.kind == "unsent" and not self._typist.is_person:
                    self._lost_input = True
                self._display.show(event)
            elif not self._over.done():
                self._over.set_result(event)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._pure.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._done(self._pure.tick(self._loop.time()))
        except LanlineError as error:  # the output cannot be written
            self._fail(error)

    def _fail(self, error: LanlineError) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    async def _type(self) -> None:
        try:
            while not self._over.done():
                typed = await self._typist.read()
                now = self._loop.time()
                if typed is None:
                    await self._carry(self._pure.input_ended(now))
                    return
                await self._carry(self._pure.typed(typed, now))
        except Interrupted:
            self._signals.tell(signal.SIGINT)
        except LanlineError as error:
            self._fail(error)

    async def _carry(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Send):
                await self._send(event)
            elif isinstance(event, EndHalf):
                self._end_half()
            self._done([event])
        self._done([])


def _told(number: signal.Signals) -> Over:
    if number is signal.SIGINT:
        return Over(How.CTRL_C, _("the talk is over: Ctrl-C"))
    return Over(How.SIGNAL, _("the talk is over: {signal}").format(signal=number.name))
