"""The word `shout`: `lanline shout --plain TEXT` and `lanline shout --listen`.

A plain shout is the text itself in a datagram, readable to any program that hears broadcasts, and believed by nobody:
whoever is on the network can send one in any name. It needs no room, no node and no event loop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lanline.arguments import WordParser, number, typed
from lanline.clean import clean_bytes
from lanline.console import Painted
from lanline.durations import parse_duration
from lanline.errors import UsageError
from lanline.link import blocking
from lanline.translation import _
from lanline.transport.udp.multicast import MAX_SHOUT_BYTES, PORT, Delivery, address_to, send_everywhere, send_to

if TYPE_CHECKING:
    import argparse

    from lanline.console import Console
    from lanline.link.datagrams.datagram import Datagram
    from lanline.room.paths import StateFolder

_EXAMPLES: Final = """\
lanline shout --plain 'lunch'
lanline shout --plain 'lunch' --to udp://192.168.1.255:9529
lanline shout --listen
lanline shout --listen --count 1 --for 1m"""


def shout(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Sends one shout, or hears those of others.

    Returns:
        Sending: 0 when it left by one way at least, else 1. Listening: 0, or 1 when fewer than `--count` came in time.

    Raises:
        UsageError: the words make no sense, or the text is empty or too long.
        ListenFailed: the port cannot be listened to.
    """
    options = _parser(console).parse_args(arguments)
    _check(options)
    if options.listen:
        return _listen(options, console)
    return _send(options, console)


def _parser(console: Console) -> WordParser:
    parser = WordParser(
        "shout",
        console,
        _(
            "Says one sentence to every machine on the networks of this one, or hears what others say.\n"
            "A plain shout is not private, and who sent it is not proved.\n\n"
            "Exit code: 0 it left by one way at least, or all that was waited for was heard; 1 not."
        ),
        examples=_EXAMPLES,
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help=_("what to say, at most 1,200 bytes"))
    parser.add_argument("--plain", action="store_true", help=_("say it in the open, to any program that listens"))
    parser.add_argument("--to", metavar="ADDRESS", help=_("only there: udp://192.168.1.255:9529"))
    parser.add_argument("--listen", action="store_true", help=_("hear what others say; Ctrl-C ends it"))
    parser.add_argument("--count", type=number(1, 1_000_000), metavar="N", help=_("end after so many"))
    parser.add_argument("--for", dest="time", type=typed(parse_duration), metavar="TIME", help=_("end after: 30s, 5m"))
    parser.add_argument(
        "--port",
        type=number(1, 65_535),
        default=PORT,
        metavar="N",
        help=_("where listeners listen: {port}").format(port=PORT),
    )
    parser.add_argument("-v", "--verbose", action="store_true", help=_("tell what became of each way it was sent"))
    return parser


def _check(options: argparse.Namespace) -> None:
    """Which options go together."""
    if options.listen:
        if options.text is not None or options.to is not None:
            raise UsageError(_("--listen hears and sends nothing: leave the text and --to out"))
        return
    if options.count is not None or options.time is not None:
        raise UsageError(_("--count and --for are for --listen"))
    if options.text is None:
        raise UsageError(_("there is nothing to say"), advice="lanline shout --plain 'lunch'")
    if not options.plain:
        raise UsageError(
            _("a shout that only the room can read is not there yet: --plain sends it in the open"),
            advice="lanline shout --plain TEXT",
        )


# -- sending ---------------------------------------------------------------------------------------------------


def _send(options: argparse.Namespace, console: Console) -> int:
    message = options.text.encode("utf-8", "surrogateescape")
    if not message:
        raise UsageError(_("there is nothing to say: the text is empty"), advice="lanline shout --plain 'lunch'")
    if len(message) > MAX_SHOUT_BYTES:
        raise UsageError(
            _("a shout of {size} bytes, limit {limit} bytes: more does not pass every network in one piece").format(
                size=len(message), limit=MAX_SHOUT_BYTES
            ),
            advice=_("say it shorter, or in several shouts."),
        )
    if options.to is not None:
        deliveries = [send_to(message, address_to(options.to, options.port))]
    else:
        deliveries = send_everywhere(message, options.port)
    _report(deliveries, console, is_verbose=options.verbose)
    return 0 if any(one.error is None for one in deliveries) else 1


def _report(deliveries: list[Delivery], console: Console, *, is_verbose: bool) -> None:
    if console.wants_json:
        for one in deliveries:
            console.json(_as_data(one))
        return
    if is_verbose:
        for one in deliveries:
            name = one.way.interface or "-"
            console.line(Painted(name, "bold"), "  ", str(one.to or "-"), "  ", str(one.error or _("sent")))
    sent = [one for one in deliveries if one.error is None]
    if not sent:
        console.note(_("the shout left this machine by no way"))
    failed = [one for one in deliveries if one.error is not None and (one.was_tried or not sent)]
    for one in failed if not is_verbose else []:
        console.note(one.reason)
    if sent and all(one.way.stays_here for one in sent):
        console.note(_("there is no network: only listeners on this machine have heard it"))


def _as_data(one: Delivery) -> dict[str, object]:
    return {
        "interface": one.way.interface or None,
        "kind": one.way.kind or None,
        "to": str(one.to) if one.to else None,
        "sent": one.error is None,
        "error": str(one.error) if one.error else None,
    }


# -- listening -------------------------------------------------------------------------------------------------


def _listen(options: argparse.Namespace, console: Console) -> int:
    ends = None if options.time is None else time.monotonic() + options.time
    heard = 0
    with blocking.hear(options.port) as shouts:
        console.note(
            _("listening for shouts at port {port} on {interfaces}; Ctrl-C ends it").format(
                port=options.port, interfaces=", ".join(shouts.interfaces) or "-"
            )
        )
        console.flush()
        while options.count is None or heard < options.count:
            try:
                one = shouts.receive(timeout=None if ends is None else max(0.0, ends - time.monotonic()))
            except TimeoutError:
                break
            heard += 1
            _show(one, console)
    if options.count is not None and heard < options.count:
        console.note(_("heard {heard} of {count} in time").format(heard=heard, count=options.count))
        return 1
    return 0


def _show(one: Datagram, console: Console) -> None:
    from datetime import datetime

    now = datetime.now().astimezone()
    text = clean_bytes(one.message.rstrip(b"\r\n"))
    if console.wants_json:
        console.json({"time": now.isoformat(timespec="milliseconds"), "from": str(one.sender), "text": text})
    else:
        console.line(Painted(now.strftime("%H:%M:%S"), "dim"), "  ", Painted(one.sender.host, "cyan"), "  ", text)
    console.flush()
