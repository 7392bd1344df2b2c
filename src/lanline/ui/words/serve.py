"""`lanline serve`: echo, time or a handler of one's own, at any addresses, for any program that has a socket.

It needs no room and no node. Without `--workers` and `--reload` one process does all of it; with them this process
binds the addresses and forks, and the workers serve. Rule: every mistake that can be found without serving is found
before an address is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lanline.address import Address
from lanline.arguments import WordParser, number, seconds, typed
from lanline.console import Painted
from lanline.errors import UsageError
from lanline.framing.named import FRAMINGS, framing_named
from lanline.limits import LAN
from lanline.room.descriptors import raise_descriptor_limit
from lanline.translation import _
from lanline.transport.binding import Bound, bind
from lanline.transport.given import activated_sockets, address_of
from lanline.ui.logs import log_to_terminal
from lanline.ui.plain.crew import MAX_WORKERS, Crew, LoadFailed
from lanline.ui.plain.faces import add_face_options, make_face
from lanline.ui.plain.handlerfile import files_of, is_own_handler
from lanline.ui.plain.headcount import Headcount, shared_page
from lanline.ui.plain.places import places_of
from lanline.ui.plain.report import Report
from lanline.ui.plain.worker import Settings, run_worker
from lanline.ui.services import plain_faces

if TYPE_CHECKING:
    import ssl
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder
    from lanline.ui.plain.crewline import Line
    from lanline.ui.plain.faces import Face

_MAX_CLIENTS: Final = 1_000_000

_SUMMARY: Final = _(
    """\
Serves one of lanline's plain faces, or a handler of your own, to any program that has a socket.

NAME is {faces}, or a handler: ./mine.py:handler or package.module:name. That is a coroutine function,
async def handler(channel), an object or a class with such a method `handle`, or a Service. One that also has
def answer(self, message, sender) answers datagrams with it. lanline serve NAME --help shows the options of NAME.

ADDRESS is tcp://:9000 (this machine only), tcp://*:9000 (every interface), udp://..., tls://... or unix://path; port 0
takes any free one. Each client's coming and going is shown with the reason, with -v the messages as well: -> from the
client, <- to it, the first 500 bytes of each.

Ctrl-C ends it: nobody new comes in, and those who are there have --drain seconds; a second Ctrl-C cuts them off.
Exit code: 0 ended by a signal; 130 by a second one; 1 an address cannot be served; 2 used wrongly."""
)

_EXAMPLES: Final = """\
lanline serve echo --on tcp://127.0.0.1:8000 --on udp://127.0.0.1:8000 --on unix:///tmp/echo.sock
lanline serve echo --on tcp://*:8000 --greeting 'hello, client!' --reply 'the server got: {}' -v
lanline serve time --on udp://*:9529
lanline serve ./mine.py:handler --on tcp://*:9000 --workers 4 --max-clients 1000
lanline serve ./mine.py:handler --on tcp://:9000 --framing lines --reload"""

_VALUES: Final = frozenset(
    ("--on", "--framing", "--workers", "--max-clients", "--drain", "--tls-cert", "--tls-key", "--home")
)
"""Options that take the next argument, needed to find NAME wherever it stands."""


def serve(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Serves until it is stopped.

    Raises:
        UsageError: what is asked for makes no sense, or a handler cannot be loaded. ListenFailed: an address cannot be
            served.
    """
    name = _name(arguments)
    options = _options(name, arguments, console)
    raise_descriptor_limit()
    wanted, settings = _addresses(options), _settings(options)
    has_crew = options.workers > 1 or options.reload
    # With a crew this process never loads a person's code, so that each worker loads it anew.
    face = None if has_crew and is_own_handler(options.name) else make_face(options.name, options, console)
    bound = _bound(wanted, has_tls=settings.tls is not None)
    report = Report(console, is_verbose=options.verbose)
    log_to_terminal()
    try:
        if has_crew:
            code = _serve_with_crew(face, bound, options, settings, report, console)
        else:
            assert face is not None, "without a crew it is made here"
            code = run_worker(
                face,
                bound,
                settings,
                Headcount(options.max_clients),
                report.tell,
                is_ready=lambda: _announce(options, bound, console),
                catch_up=report.catch_up,
            )
    finally:
        for one in bound:
            one.close()
    report.summary()
    return code


def _serve_with_crew(
    face: Face | None,
    bound: tuple[Bound, ...],
    options: Namespace,
    settings: Settings,
    report: Report,
    console: Console,
) -> int:
    page = shared_page()

    def work(slot: int, line: Line) -> int:
        if options.reload:
            import sys

            sys.dont_write_bytecode = True  # or an edit within the same second could be overlooked
        made = face or make_face(options.name, options, console)

        def is_ready() -> None:
            line.tell({"event": "ready", "files": list(files_of(options.name)) if options.reload else []})

        headcount = Headcount(options.max_clients, page, slot)
        return run_worker(made, bound, settings, headcount, line.tell, is_ready=is_ready, parent=line.sock.fileno())

    files = list(files_of(options.name)) if options.reload else None

    def stop_listening() -> None:
        for one in bound:
            one.stop_listening()

    crew = Crew(
        work,
        options.workers,
        report,
        page,
        files=files,
        drain=settings.drain,
        console=console,
        stop_listening=stop_listening,
    )
    try:
        return crew.run(lambda: _announce(options, bound, console))
    except LoadFailed as failure:
        if failure.worker_exit_code == UsageError.exit_code:
            raise UsageError(str(failure), advice=failure.advice) from failure
        raise


def _announce(options: Namespace, bound: tuple[Bound, ...], console: Console) -> None:
    """Says where it serves, and who can reach that."""
    places = places_of(bound)
    for place in places:
        if console.wants_json:
            console.json(
                {
                    "event": "serving",
                    "what": options.name,
                    "address": str(place.address),
                    "scope": place.scope,
                    "reachable_at": place.reachable_at,
                    "workers": options.workers,
                }
            )
        else:
            console.line(
                _("serving {name} at").format(name=options.name),
                " ",
                Painted(str(place.address), "bold"),
                ", ",
                place.words,
            )
    if not console.wants_json:
        if any(place.scope == "network" for place in places):
            warning = _("anybody who reaches it can use it, for it asks for no password and knows nobody")
            console.note(Painted(_("Take care: "), "yellow"), warning)
        if options.workers > 1:
            console.note(Painted(_("{count} processes share it").format(count=options.workers), "dim"))
        console.note(Painted(_("Ctrl-C stops it; who comes and goes is shown below."), "dim"))
    console.flush()


# -- words -----------------------------------------------------------------------------------------------------


def _name(arguments: list[str]) -> str | None:
    """The first argument that is neither an option nor the value of one of ours. It has to be known before the others
    are understood, for it decides which there are."""
    is_value = False
    for one in arguments:
        if is_value:
            is_value = False
        elif one.startswith("-"):
            is_value = one in _VALUES
        else:
            return one
    return None


def _options(name: str | None, arguments: list[str], console: Console) -> Namespace:
    summary = _SUMMARY.format(faces=_(" or ").join(sorted(plain_faces())))
    parser = WordParser("serve", console, summary, examples=_EXAMPLES)
    parser.usage = "lanline serve NAME --on ADDRESS [--on ADDRESS ...] [options]"
    parser.add_argument("name", metavar="NAME", help=_("what is served"))
    parser.add_argument(
        "--on", action="append", default=[], type=typed(Address.parse), metavar="ADDRESS", help=_("where; repeatable")
    )
    parser.add_argument(
        "--framing", type=typed(framing_named), metavar="FRAMING", help=_("how messages lie in streams: ") + FRAMINGS
    )
    parser.add_argument("-v", "--verbose", action="store_true", help=_("show messages, and where a handler failed"))
    parser.add_argument(
        "--max-clients", type=number(1, _MAX_CLIENTS), metavar="N", help=_("refuse those who come beyond so many")
    )
    parser.add_argument(
        "--drain", type=seconds, default=LAN.drain, metavar="SECONDS", help=_("for a graceful stop; 5 by default")
    )
    parser.add_argument(
        "--workers", type=number(1, MAX_WORKERS), default=1, metavar="N", help=_("so many processes; 1 by default")
    )
    parser.add_argument("--reload", action="store_true", help=_("load your handler anew when its file has changed"))
    parser.add_argument("--tls-cert", metavar="FILE", help=_("certificate for tls addresses, PEM"))
    parser.add_argument("--tls-key", metavar="FILE", help=_("its private key, PEM"))
    if name is not None:
        add_face_options(name, parser)
    options = parser.parse_args(arguments)
    if options.reload and not is_own_handler(options.name):
        raise UsageError(
            _("--reload goes with a handler of your own, and {name} is lanline's").format(name=options.name),
            advice=_("lanline serve ./mine.py:handler --reload --on ADDRESS"),
        )
    return options


def _settings(options: Namespace) -> Settings:
    return Settings(
        framing=options.framing,
        drain=options.drain,
        is_verbose=options.verbose,
        tls=_tls(options),
        shares=options.workers > 1,
    )


def _tls(options: Namespace) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        for one in options.on:
            if one.scheme == "tls":
                raise UsageError(
                    _("{address} cannot be served without a certificate").format(address=one),
                    advice=_("--tls-cert FILE --tls-key FILE, or a tcp address."),
                )
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise UsageError(_("--tls-cert and --tls-key go together"))
    if options.on and all(one.scheme != "tls" for one in options.on):
        raise UsageError(
            _("there is a certificate, but no tls address to use it at"), advice=_("--on tls://:9000, for example.")
        )
    from lanline.transport.tls import server_context

    return server_context(Path(options.tls_cert), Path(options.tls_key))


def _addresses(options: Namespace) -> list[Address]:
    for one in options.on:
        if one.scheme == "mem":
            raise UsageError(_("mem addresses are within one program, and no other can come in there"))
    addresses: list[Address] = options.on
    return addresses


def _bound(addresses: list[Address], *, has_tls: bool) -> tuple[Bound, ...]:
    """Takes every address, and what systemd gives; nothing is kept of it when one fails."""
    bound = [_given(sock, has_tls=has_tls) for sock in activated_sockets()]
    if not addresses and not bound:
        raise UsageError(
            _("where to serve is not said"),
            advice=_("--on tcp://127.0.0.1:9000 for this machine alone, --on 'tcp://*:9000' for every interface."),
        )
    try:
        bound.extend(map(bind, addresses))  # what was taken before a failure is in the list already
    except BaseException:
        for one in bound:
            one.close()
        raise
    return tuple(bound)


def _given(sock: Any, *, has_tls: bool) -> Bound:
    address = address_of(sock)
    if has_tls and address.scheme == "tcp":
        address = Address("tls", address.host, address.port)
    sock.setblocking(False)
    return Bound(address, [address], [sock])
