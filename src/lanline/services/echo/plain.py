"""The plain face `echo`: sends back what any program with a socket sends, in words of one's own.

One message is one answer, and the end of line that a message brings stands at the end of its answer. `quit` alone, with
any end of line, is answered like everything else, and then ends that client and nobody else. Over datagrams there is
nothing to end, so `quit` is one more message.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from lanline.translation import _

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.address import Address
    from lanline.arguments import WordParser
    from lanline.console import Console
    from lanline.link.channel import Channel

PLACE: Final = b"{}"
"""Where the message stands in a reply."""

_QUIT: Final = b"quit"
_LINE_ENDS: Final = b"\r\n"


class EchoFace:
    """Answers each message with a reply that holds it.

    Args:
        greeting: sent to each client that connects, before anything else; empty for none. Not to senders of
            datagrams, who do not connect.
        reply: the answer, with `{}` for the message; the first `{}` counts, other braces are text. Empty, or without
            `{}`, it is the message itself, or always the same.
    """

    def __init__(self, greeting: bytes = b"", reply: bytes = PLACE) -> None:
        self._greeting = greeting
        self._before, self._has_place, self._after = reply.partition(PLACE)
        self._is_mirror = reply == PLACE

    def __repr__(self) -> str:
        return f"<EchoFace {(self._before + self._has_place + self._after).decode(errors='backslashreplace')!r}>"

    async def handle(self, channel: Channel) -> str | None:
        """Serves one client until it ends, or says `quit`."""
        if self._greeting:
            await channel.send(self._greeting)
        async for message in channel:
            await channel.send(self._reply(message))
            if is_quit(message):
                return _("it said quit")
        return None

    def answer(self, message: bytes, sender: Address) -> bytes:
        """The answer to one datagram."""
        return self._reply(message)

    def _reply(self, message: bytes) -> bytes:
        if self._is_mirror:
            return message
        if not self._has_place:
            return self._before
        text = message.rstrip(_LINE_ENDS)
        return self._before + text + self._after + message[len(text) :]


def is_quit(message: bytes) -> bool:
    """Whether a message is `quit` alone, with or without an end of line."""
    return len(message) <= len(_QUIT) + 2 and message.rstrip(_LINE_ENDS) == _QUIT


def add_options(parser: WordParser) -> None:
    """`--greeting` and `--reply`."""
    parser.add_argument("--greeting", default="", metavar="TEXT", help=_("sent to each client that connects"))
    parser.add_argument(
        "--reply", default="{}", metavar="TEXT", help=_("the answer, with {} for the message; {} alone by default")
    )


def make(options: Namespace, console: Console) -> EchoFace:
    """The face, as the options say."""
    return EchoFace(os.fsencode(options.greeting), os.fsencode(options.reply))
