"""The word `talk`: `lanline talk ADDRESS`, `lanline talk -l ADDRESS`.

It needs no room and no node. It reads the options and puts the pieces together: who types, what carries the talk, how
it is shown.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.arguments import WordParser, refuse_port_zero, seconds, typed
from lanline.errors import UsageError
from lanline.framing.named import FRAMINGS, framing_named
from lanline.services.talk.lineends import MODES
from lanline.translation import _

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder

_SUMMARY: Final = _(
    """\
Two people talk over a bare socket, one line at a time, whenever they like. The other side needs nothing of lanline:
nc, ncat, socat, telnet or a script of ten lines will do, as well as another lanline talk.

q (or Q) alone in a line ends the talk from either side; so do Ctrl-D, Ctrl-C, and the other side when it goes away.
With -l it listens, takes one partner at a time and tells others that the line is busy. Over udp there is no
connection: -l answers whoever spoke last, and says who that is.

A line goes out with a newline, unless the partner's own messages come without one (--newline auto).
When standard input is a pipe or a file, its end ends this half of the talk; the other side may go on until it ends
too, or is silent for 2 s. When the other side ends first, the input may go on in the same way.

Exit code: 0 one of the two sides ended it; 1 the connection broke, nobody listens there, or a line of a pipe or file
could not be sent; 2 used wrongly; 130 Ctrl-C while nobody was there."""
)

_EXAMPLES: Final = """\
lanline talk -l tcp://*:9529
lanline talk tcp://192.168.1.7:9529
lanline talk tcp://127.0.0.1:9529 --retry 30
lanline talk -l udp://*:9529 --keep
lanline talk -l unix:///tmp/talk.sock
printf 'hello\\n' | lanline talk tcp://127.0.0.1:9529"""


def talk(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Has a talk, or with --keep one after another.

    Raises:
        UsageError: the words make no sense. ConnectFailed: nobody listens there. ListenFailed: the address cannot be
            served.
    """
    import asyncio  # here, not above: help and other words do without an event loop

    from lanline.services.talk.talking import Settings, have_talk

    options = _options(arguments, console)
    settings = Settings(
        address=_address(options),
        framing=options.framing,
        newline=options.newline,
        listens=options.listen,
        keeps_on=options.keep,
        retry=options.retry,
        input=_input(),
        has_editor=_is_terminal() and not console.wants_json,
    )
    return asyncio.run(have_talk(settings, console))


def _input() -> int | None:
    """The descriptor of standard input; None where it was closed."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    return sys.stdin.fileno()


def _is_terminal() -> bool:
    """Whether a line can be edited: both ends are a terminal that can move its cursor."""
    if _input() is None or os.environ.get("TERM") in (None, "", "dumb"):
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser("talk", console, _SUMMARY, examples=_EXAMPLES)
    parser.usage = "lanline talk [-l] ADDRESS [options]"
    parser.add_argument("address", metavar="ADDRESS", help=_("tcp://host:port, udp://host:port or unix://path"))
    parser.add_argument("-l", "--listen", action="store_true", help=_("wait there for somebody to call"))
    parser.add_argument("--keep", action="store_true", help=_("with -l: wait for another partner after each talk"))
    parser.add_argument(
        "--newline",
        choices=MODES,
        default="auto",
        help=_("a newline behind each line that goes out: auto (as the partner does), always or never"),
    )
    parser.add_argument("--framing", type=typed(framing_named), default="raw", metavar="FRAMING", help=FRAMINGS)
    parser.add_argument(
        "--retry", type=seconds, default=0.0, metavar="SECONDS", help=_("keep trying to connect for so long")
    )
    options = parser.parse_args(arguments)
    if options.keep and not options.listen:
        raise UsageError(_("--keep goes with -l"), advice="lanline talk -l tcp://*:9529 --keep")
    if options.retry and options.listen:
        raise UsageError(_("--retry is for connecting, and -l listens: leave one of them out"))
    return options


def _address(options: Namespace) -> Address:
    address = Address.parse(options.address)
    if address.scheme == "mem":
        raise UsageError(_("mem addresses are within one program, and no other can talk there"))
    if address.scheme == "udp" and options.framing.name != "raw":
        raise UsageError(_("--framing is for streams: over udp a datagram is a message already"))
    if options.listen and address.scheme == "tls":
        raise UsageError(
            _("talk does not listen with TLS: {address} would need a certificate").format(address=address),
            advice=_("tcp:// in a network you trust, or a service of your own with serve(..., tls=...)."),
        )
    if not options.listen and address.is_every_interface:
        raise UsageError(
            _("{address} stands for every interface and is for listening: name one machine").format(address=address),
            advice=_("lanline talk -l {address} to listen there, or another host to connect to.").format(
                address=address
            ),
        )
    if not options.listen:
        refuse_port_zero(address)
    return address
