"""The typist for a person at a terminal: a line editor whose line stays whole while the partner's lines come.

prompt_toolkit edits the line: history, wide characters, pasted text. It draws the line being typed and nothing else;
what a partner has said is printed through the console, above that line. Importing it takes
40 ms, nearly half as long again as the rest of a talk's start, so this file is loaded only where standard input and
standard output are both terminals.

Sources: prompt_toolkit's `run_in_terminal`; xterm's bracketed paste.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from lanline.services.talk.typist import Interrupted, Typed

_SIGN: Final = "> "


class _InputEnded(Exception):
    """Ctrl-D was typed in an empty line."""


class PromptTypist:
    """A person at the terminal that standard input and output are."""

    def __init__(self) -> None:
        output = create_output()
        if isinstance(output, Vt100_Output):
            # Where the cursor is matters for menus, which there are none of; asking leaves an answer in the input of
            # a terminal that answers late.
            output.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            _SIGN,
            output=output,
            complete_while_typing=False,
            reserve_space_for_menu=0,
            enable_suspend=True,
            interrupt_exception=Interrupted,
            eof_exception=_InputEnded,
        )
        self._waiting: list[Callable[[], None]] = []
        self._printing: asyncio.Future[None] | None = None

    @property
    def is_person(self) -> bool:
        """See `Typist.is_person`."""
        return True

    async def read(self) -> Typed | None:
        """See `Typist.read`. Pasted lines come as one, with newlines in it."""
        try:
            # SIGINT from elsewhere is the word's own matter, as without a line editor.
            text = await self._session.prompt_async(handle_sigint=False, set_exception_handler=False)
        except (_InputEnded, EOFError):  # EOFError: the terminal itself is gone
            return None
        # What the terminal sent that is no UTF-8 comes as surrogates, and goes out as the bytes it was.
        return Typed(text.encode("utf-8", "surrogateescape"))

    def above(self, show: Callable[[], None]) -> None:
        """See `Typist.above`. What comes while something is printed is printed together, once."""
        self._waiting.append(show)
        if not self._session.app.is_running:
            self._print()
        elif self._printing is None:
            self._begin()

    async def rest(self) -> None:
        """See `Typist.rest`."""
        while self._printing is not None:
            await asyncio.wait([self._printing])
        self._print()

    def _begin(self) -> None:
        # What it gives is a task of its own, which `rest` waits for.
        self._printing = cast(asyncio.Future[None], run_in_terminal(self._print))
        self._printing.add_done_callback(self._printed)

    def _printed(self, printing: asyncio.Future[None]) -> None:
        self._printing = None
        if printing.cancelled() or printing.exception() is not None:
            return
        if self._waiting:
            self._begin()

    def _print(self) -> None:
        waiting, self._waiting = self._waiting, []
        for show in waiting:
            show()
