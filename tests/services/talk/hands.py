"""A typist, a console and signals for talks within one process. The sockets are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.ui.recording import Recording

from lanline.services.talk.display import Display
from lanline.services.talk.typist import Interrupted, Typed


class Hands:
    """A typist that types what a test tells it, and a display that keeps what it shows.

    Args:
        is_person: what `Typist.is_person` says.
        wants_json, is_terminal: of the console.
    """

    def __init__(self, *, is_person: bool = True, wants_json: bool = False, is_terminal: bool = False) -> None:
        self.is_person = is_person
        self.console = Recording(wants_json=wants_json, is_terminal=is_terminal)
        self.display = Display(self.console, self.above)
        self._lines: asyncio.Queue[Typed | None] = asyncio.Queue()
        self._shown = asyncio.Event()

    def type(self, *lines: bytes) -> None:
        """Types these lines."""
        for line in lines:
            self._lines.put_nowait(Typed(line))

    def end(self) -> None:
        """Ends the input."""
        self._lines.put_nowait(None)

    def press_ctrl_c(self) -> None:
        """Ctrl-C, as a line editor reports it."""
        self._lines.put_nowait(Typed(b"\x03"))

    async def read(self) -> Typed | None:
        """See `Typist.read`."""
        typed = await self._lines.get()
        if typed is not None and typed.data == b"\x03":
            raise Interrupted
        return typed

    def above(self, show: Callable[[], None]) -> None:
        """See `Typist.above`."""
        show()
        self._shown.set()

    async def rest(self) -> None:
        """See `Typist.rest`."""

    async def shows(self, text: str) -> None:
        """Waits until this was shown, on either stream."""
        async with asyncio.timeout(10):
            while text not in self.console.out + self.console.err + repr(self.console.values):
                self._shown.clear()
                await self._shown.wait()
