"""`lanline ask`: one message to any address, its answers, exit; or the same again and again.

It needs no room and no node, and loads no event loop. Over a stream without framing the text gets a newline at its end,
for nearly every server that people write reads lines; datagrams and framed messages are sent as they are.
"""

from __future__ import annotations

import base64
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from lanline.address import Address
from lanline.arguments import WordParser, number, refuse_port_zero, seconds, typed
from lanline.console import Painted
from lanline.errors import ChannelError, ConnectFailed, ProtocolError, UsageError
from lanline.framing.named import FRAMINGS, framing_named
from lanline.translation import _
from lanline.ui.asker import Answer, Asker, NoAnswer

if TYPE_CHECKING:
    import ssl
    from argparse import Namespace

    from lanline.console import Console
    from lanline.framing.base import Framing
    from lanline.room.paths import StateFolder

_WAIT: Final = 3.0
_MAX_ANSWERS: Final = 1_000_000
_STREAMS: Final = ("tcp", "tls", "unix")

_SUMMARY: Final = _(
    """\
Sends one message to an address, prints the answers that come back, and exits.

Over tcp, tls and unix without --framing the text is sent as a line: a newline is added, unless it ends with one or
--no-newline is said. Over udp, and with a framing, nothing is added. Standard input (TEXT is -) and --hex are sent as
they are. An answer is one datagram, one message of the framing, or without a framing what one read delivers.

On a terminal answers are cleaned; into a pipe they go as they came, each ended with a newline (--raw adds none).

Exit code: 0 all answers came; 1 not all; 2 used wrongly; 130 Ctrl-C."""
)

_EXAMPLES: Final = """\
lanline ask tcp://127.0.0.1:8000 'hello'
lanline ask udp://127.0.0.1:9529 '%Y/%m/%d %H:%M:%S' --every 5
lanline ask tcp://127.0.0.1:8000 'hello' --retry 10 --wait 1
lanline ask udp://192.168.1.7:9000 'on' --count 0
lanline ask tcp://127.0.0.1:9000 --hex '00 00 00 02 68 69' --json"""


def ask(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Asks once, or until it is stopped.

    Raises:
        ConnectFailed, NoAnswer, ChannelError, ProtocolError: there was no answer, or not all of them.
    """
    options = _options(arguments, console)
    address = _address(options.address)
    framing: Framing = options.framing or framing_named("raw")
    message = _message(options, address)
    asker = Asker(
        address, framing, tls=_tls(options, address), server_name=options.tls_name, retry=options.retry or 0.0
    )
    show = _Shown(console, options)
    try:
        if options.every is not None:
            return _poll(asker, message, options, show)
        for answer in asker.ask(message, count=options.count, wait=options.wait):
            show.answer(answer)
    finally:
        asker.close()
    return 0


class _Shown:
    """How answers, and their absence, are printed."""

    def __init__(self, console: Console, options: Namespace) -> None:
        self._console = console
        self._is_hex: bool = options.hex
        self._is_raw: bool = options.raw
        self._wants_answers = options.count > 0
        if self._is_raw and console.wants_json:
            raise UsageError(_("--raw and --json cannot both be had: --json carries any bytes, in base64"))
        if self._is_raw and console.is_terminal:
            console.raw(b"")  # refuses, in its own words, before anything is asked

    def answer(self, answer: Answer) -> None:
        """One answer, alone."""
        if self._console.wants_json:
            self._console.json(self._data(answer))
        elif self._console.is_terminal or self._is_hex:
            self._console.line(self._text(answer.message))
        else:
            self._console.raw(answer.message)
            if not self._is_raw and not answer.message.endswith(b"\n"):
                self._console.raw(b"\n")
        self._console.flush()

    def polled(self, answer: Answer) -> None:
        """One answer in a row of them, with the time and the round trip."""
        if self._console.wants_json:
            self._console.json({"time": _now("%Y-%m-%dT%H:%M:%S%z"), **self._data(answer)})
        else:
            trip = f"{answer.round_trip_ns / 1e6:.2f} ms"
            self._console.line(Painted(_now(), "dim"), "  ", self._text(answer.message), "  ", Painted(trip, "dim"))
        self._console.flush()

    def failed(self, error: Exception) -> None:
        """No answer this time; the next time may be better."""
        if self._console.wants_json:
            self._console.json({"time": _now("%Y-%m-%dT%H:%M:%S%z"), "error": str(error)})
        else:
            self._console.note(Painted(_now(), "dim"), "  ", Painted(str(error), "red"))
        self._console.flush()

    def summary(self, asked: int, trips_ns: list[int]) -> None:
        """What became of all the questions."""
        if self._console.wants_json:
            return
        text = _("{asked} asked, {answered} answered").format(asked=asked, answered=len(trips_ns))
        if not self._wants_answers:
            text = _("{asked} sent").format(asked=asked)
        if trips_ns:
            in_order = [trip / 1e6 for trip in sorted(trips_ns)]
            text += _("; round trip {least:.2f} to {most:.2f} ms, median {median:.2f} ms").format(
                least=in_order[0], most=in_order[-1], median=in_order[len(in_order) // 2]
            )
        self._console.note(Painted(text, "dim"))

    def _data(self, answer: Answer) -> dict[str, Any]:
        text, encoding = _as_text(answer.message) if not self._is_hex else (answer.message.hex(), "hex")
        return {
            "answer": text,
            "encoding": encoding,
            "round_trip_ms": answer.round_trip_ns / 1e6,
            "from": answer.sender,
        }

    def _text(self, message: bytes) -> str:
        if self._is_hex:
            return message.hex(" ")
        return message.decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r")


def _poll(asker: Asker, message: bytes, options: Namespace, show: _Shown) -> int:
    """Asks every so many seconds; a round that is missed is left out, never made up for."""
    trips: list[int] = []
    asked = failed = 0
    due = time.monotonic()
    try:
        while options.times is None or asked < options.times:
            time.sleep(max(0.0, due - time.monotonic()))
            asked += 1
            try:
                last = 0
                for answer in asker.ask(message, count=options.count, wait=options.wait):
                    show.polled(answer)
                    last = answer.round_trip_ns
                trips += [last] if options.count else []
            except (ConnectFailed, NoAnswer, ChannelError, ProtocolError) as error:
                failed += 1
                show.failed(error)
            due += options.every
            late = time.monotonic() - due
            if late > 0:
                due += math.ceil(late / options.every) * options.every
    finally:
        show.summary(asked, trips)
    return 1 if failed else 0


# -- words -----------------------------------------------------------------------------------------------------


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser("ask", console, _SUMMARY, examples=_EXAMPLES)
    parser.usage = "lanline ask ADDRESS TEXT [options]"
    parser.add_argument("address", metavar="ADDRESS", help=_("tcp://host:port, udp://, tls:// or unix://path"))
    parser.add_argument("text", metavar="TEXT", help=_("what to send, '' too; - reads standard input"))
    parser.add_argument(
        "--count",
        type=number(0, _MAX_ANSWERS),
        default=1,
        metavar="N",
        help=_("answers to wait for, 1 by default; 0 sends and goes"),
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        default=_WAIT,
        metavar="SECONDS",
        help=_("how long to wait for each answer; 3 by default"),
    )
    parser.add_argument("--retry", type=seconds, metavar="SECONDS", help=_("keep trying to connect for so long"))
    parser.add_argument("--every", type=seconds, metavar="SECONDS", help=_("ask again and again, until Ctrl-C"))
    parser.add_argument(
        "--times", type=number(1, 1_000_000_000), metavar="N", help=_("with --every: so many times, then exit")
    )
    parser.add_argument("--framing", type=typed(framing_named), metavar="FRAMING", help=FRAMINGS)
    parser.add_argument("--hex", action="store_true", help=_("TEXT is hexadecimal, and answers are shown so"))
    parser.add_argument("-n", "--no-newline", action="store_true", help=_("add no newline to the text"))
    parser.add_argument("--raw", action="store_true", help=_("answers as they came, nothing added; not on a terminal"))
    parser.add_argument("--tls-ca", metavar="FILE", help=_("believe servers whose certificate comes from this one"))
    parser.add_argument("--tls-name", metavar="NAME", help=_("the name in the server's certificate, if not the host"))
    options = parser.parse_args(arguments)
    if options.every == 0:
        raise UsageError(_("--every takes more than 0 seconds"))
    if options.times is not None and options.every is None:
        raise UsageError(_("--times goes with --every"), advice="lanline ask ADDRESS TEXT --every 1 --times 10")
    return options


def _address(text: str) -> Address:
    address = Address.parse(text)
    if address.scheme == "mem":
        raise UsageError(_("mem addresses are within one program, and no other can ask there"))
    if address.is_every_interface:
        raise UsageError(
            _("{address} stands for every interface and is for listening: name one machine").format(address=address),
            advice=_("for this machine: {example}").format(example=f"{address.scheme}://127.0.0.1:{address.port}"),
        )
    refuse_port_zero(address)
    return address


def _message(options: Namespace, address: Address) -> bytes:
    """What is sent, byte for byte, before any framing."""
    if options.hex:
        try:
            return bytes.fromhex(options.text)
        except ValueError:
            raise UsageError(
                _("{text!r} is not hexadecimal").format(text=options.text[:40]), advice=_("two digits a byte: '68 69'.")
            ) from None
    if options.text == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise UsageError(_("standard input is closed, and TEXT is -"))
        data = sys.stdin.buffer.read()
        is_line = options.framing is not None and options.framing.name == "lines"
        return data.removesuffix(b"\n") if is_line else data
    text = os.fsencode(options.text)
    if options.framing is None and address.scheme in _STREAMS and not options.no_newline and not text.endswith(b"\n"):
        return text + b"\n"
    return text


def _tls(options: Namespace, address: Address) -> ssl.SSLContext | None:
    if address.scheme != "tls":
        if options.tls_ca or options.tls_name:
            raise UsageError(
                _("--tls-ca and --tls-name are for tls:// addresses, and this is {address}").format(address=address)
            )
        return None
    if options.tls_ca is None:
        return None
    from pathlib import Path

    from lanline.transport.tls import client_context

    return client_context(Path(options.tls_ca))


def _as_text(message: bytes) -> tuple[str, str]:
    """The message as JSON can carry it, and how it was made so."""
    try:
        return message.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(message).decode("ascii"), "base64"


def _now(pattern: str = "%H:%M:%S") -> str:
    return time.strftime(pattern)
