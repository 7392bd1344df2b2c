"""What a person, or a program with `--json`, sees of a talk. It prints through the console and knows no socket.

The partner's words are the result and go to standard output; everything about the talk goes to standard error. At a
terminal the partner's lines begin with a sign, so that no partner can write what looks like a line of this side or a
note; in a pipe they are as they came. With `--json` each event is a line of standard output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from lanline.address import Address
from lanline.console import Console, Painted
from lanline.services.talk.events import Event, Noted, Over, Said, Send
from lanline.translation import _
from lanline.transport.reach import reach_of

_SIGN: Final = "< "


class Display:
    """Shows one talk after another.

    Args:
        console: where it goes.
        above: prints without harm to a line being typed; see `Typist.above`.
    """

    def __init__(self, console: Console, above: Callable[[Callable[[], None]], None]) -> None:
        self._console = console
        self._above = above
        self._is_json = console.wants_json

    def waiting(self, addresses: Sequence[Address]) -> None:
        """Somebody can reach this side now."""
        if self._is_json:
            self._json(event="waiting", addresses=[str(address) for address in addresses])
            return
        for address in addresses:
            text = _("waiting at {address} ({reach})").format(address=address, reach=reach_of(address))
            self._note(text)

    def open_to_all(self) -> None:
        """Anybody can speak to this side now, over datagrams."""
        if not self._is_json:
            self._note(_("answers go to whoever spoke last; q alone ends it"))

    def trying(self, address: Address, reason: str, seconds: float) -> None:
        """Nobody answers there yet; it is tried again."""
        if self._is_json:
            self._json(event="trying", address=str(address), seconds=seconds, text=reason)
        else:
            self._note(_("{reason}; trying again for {seconds:g} s").format(reason=reason, seconds=seconds))

    def talking(self, partner: str) -> None:
        """The talk begins."""
        if self._is_json:
            self._json(event="talking", peer=partner)
        else:
            self._note(_("talking with {partner}; q alone ends it").format(partner=partner))

    def show(self, event: Event) -> None:
        """Something happened in it."""
        if isinstance(event, Said):
            self._said(event)
        elif isinstance(event, Noted):
            if self._is_json:
                self._json(event=event.kind, text=event.text, peer=event.peer)
            else:
                self._note(event.text)
        elif isinstance(event, Over):
            self._over(event)
        elif isinstance(event, Send) and self._is_json:
            self._json(event="sent", text=event.data.decode("utf-8", "backslashreplace"))

    def _said(self, said: Said) -> None:
        console = self._console
        if self._is_json:
            self._json(event="received", text=said.text, peer=said.speaker)
        elif said.speaker:
            # Not `prefixed`: it ends a text where a newline is, and prints nothing for an empty one.
            self._print(lambda: console.line(Painted(f"{said.speaker}: ", "cyan"), said.text))
        elif console.is_terminal:
            self._print(lambda: console.line(Painted(_SIGN, "cyan"), said.text))
        else:
            self._print(lambda: console.line(said.text))

    def _over(self, over: Over) -> None:
        error = over.error
        if self._is_json:
            self._json(event="ended", how=over.how.value, text=over.text)
        elif error is not None:
            self._print(lambda: self._console.error(error))
        else:
            self._note(over.text)

    def _note(self, text: str) -> None:
        self._print(lambda: self._console.note(Painted(text, "dim")))

    def _json(self, **values: Any) -> None:
        self._print(lambda: self._console.json(values))

    def _print(self, show: Callable[[], None]) -> None:
        def printed() -> None:
            show()
            self._console.flush()

        self._above(printed)
