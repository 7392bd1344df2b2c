"""The word `run`: `lanline run TARGET... [options] -- COMMAND ARG...`.

It asks this machine's node, over its Unix socket, and shows what comes. It loads no event loop, no TLS and no node set:
the node expands and folds names. Rules: nothing runs before every option was understood; Ctrl-C ends the commands and
waits for how they ended, a second one leaves at once, and in either case the node ends them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from lanline.arguments import WordParser, number, typed
from lanline.console import Console
from lanline.durations import parse_duration
from lanline.errors import CallLost, CallRefused, ChannelEnded, UsageError
from lanline.limits import LAN
from lanline.room.local import connect_local
from lanline.services.run.display import Display, JsonDisplay, LineDisplay, RawDisplay
from lanline.services.run.interrupts import Interrupts
from lanline.services.run.outcome import Ended, Lost
from lanline.services.run.report import (
    AT_ONCE,
    CONFIRM_ABOVE,
    INDEX,
    FanOut,
    MemberEnded,
    MemberStarted,
    Plan,
    Report,
    Verdict,
    verdict_on,
)
from lanline.services.run.spec import Go, Stop, new_spec, shell_argv
from lanline.translation import _

if TYPE_CHECKING:
    import argparse

    from lanline.link import blocking
    from lanline.room.paths import StateFolder

NOT_ALLOWED: Final = 125
"""Exit code when this machine's own role does not reach: every machine would have refused."""

_MAX_TARGETS: Final = 4096
_HEAD_BYTES: Final = INDEX.size + 1
_PROGRESS_AFTER: Final = 1.0

_VALUES: Final = frozenset(("--home", "-x", "--exclude", "--shell", "--timeout", "--cwd", "--env", "--fanout"))
"""Options that take the next argument, needed to find where the command begins when there is no `--`."""

_EXAMPLES: Final = """\
lanline run @all -- uname -a
lanline run 'pc[1-40]' -x pc3 --timeout 30s -- apt-get -q update
lanline run @others --shell 'df -h / | tail -1'
lanline run pc7 --raw -- tar c /etc > pc7-etc.tar"""

_SUMMARY: Final = _(
    """\
Runs a command on machines of the room, and shows what they print as they print it.

TARGET is a name, several (pc[1-40], pc1,pc7), or a group: @all @others @online @operators. `!` takes away: @all!pc3.
The command runs without a shell; --shell gives its text to `sh -c`. Without `--`, the first word is the target and the
command begins at the second.

Exit code: 0 all well; else the largest one if every command ran to its end; 124 only timeouts; 125 some machine
refused, was unreachable or was lost; 123 anything else; 130 cancelled; 2 nothing was asked of anybody."""
)


def run(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Runs a command on machines of the room.

    Raises:
        UsageError: the words make no sense; nothing was asked of anybody.
        RoomError: there is no node to ask.
        CallError: the node did not do it.
    """
    options, command = _parse(arguments, console)
    display = _display(options, console)
    request = FanOut(
        ",".join(options.target),
        new_spec(command, variables=_variables(options.env), cwd=options.cwd, timeout=options.timeout),
        tuple(options.exclude),
        options.fanout,
        CONFIRM_ABOVE if _is_typed() and not options.yes else None,
    )
    with connect_local(folder) as node:
        window = LAN.bulk_window_bytes
        with node.open("run.fan_out", request, items=Report, window=window) as call:
            return _Watch(console, display, node, call).follow()


class _Watch:
    """Follows one fan-out from its plan to its verdict."""

    def __init__(self, console: Console, display: Display, node: blocking.Link, call: blocking.Call) -> None:
        self._console = console
        self._display = display
        self._node = node
        self._call = call
        self._plan: Plan
        self._ends: dict[str, Ended] = {}
        self._is_stopped = False
        self._progress_due = monotonic() + _PROGRESS_AFTER

    def follow(self) -> int:
        """Shows everything; returns the exit code."""
        try:
            self._plan = self._call.receive()
        except CallRefused as error:
            self._console.error(error)
            return NOT_ALLOWED
        self._display.planned(self._plan)
        if self._plan.waits:
            if not self._console.confirm(
                _("Run it on {count} machines: {folded}?").format(count=len(self._plan.names), folded=self._plan.folded)
            ):
                self._console.note(_("nothing was run"))
                return UsageError.exit_code
            self._call.send(Go())
        with Interrupts() as interrupts:
            self._node.wake_on(interrupts.fd)
            verdict = self._verdict(interrupts)
        self._display.decided(verdict)
        return verdict.exit_code

    def _verdict(self, interrupts: Interrupts) -> Verdict:
        try:
            while True:
                try:
                    self._show(self._next(interrupts))
                except InterruptedError:
                    interrupts.hear()
                    self._stop()
        except ChannelEnded:
            return self._call.finish(Verdict)  # type: ignore[no-any-return]
        except CallLost as error:
            return self._verdict_without_node(error)

    def _next(self, interrupts: Interrupts) -> Any:
        if not self._call.has_items:
            self._console.flush()
        while True:
            due = self._tick()
            try:
                return self._call.receive(timeout=max(0.0, due - monotonic()))
            except TimeoutError:
                continue

    def _show(self, item: Any) -> None:
        if isinstance(item, MemberEnded):
            self._ends[self._plan.names[item.index]] = item.ended
            self._display.ended(item.index, item.ended)
        elif isinstance(item, MemberStarted):
            self._display.started(item.index, item.started)
        elif not isinstance(item, Plan) and len(item) > _HEAD_BYTES:
            (index,) = INDEX.unpack_from(item)
            self._display.wrote(index, item[INDEX.size], memoryview(item)[_HEAD_BYTES:])

    def _stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            count = len(self._plan.names) - len(self._ends)
            machines = _("machine") if count == 1 else _("machines")
            self._call.send(Stop("Ctrl-C was pressed"))
            self._console.note(
                _("cancelling on {count} {machines}; Ctrl-C again leaves without waiting for how it ends").format(
                    count=count, machines=machines
                )
            )

    def _tick(self) -> float:
        """Shows what is due; when to come back."""
        due = self._display.tick()
        now = monotonic()
        if now >= self._progress_due:
            self._progress_due = now + _PROGRESS_AFTER
            self._console.progress(self._progress())
        return self._progress_due if due is None else min(due, self._progress_due)

    def _progress(self) -> str:
        names = self._plan.names
        left = [name for name in names if name not in self._ends]
        shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        return _("{done} of {count} done; waiting for {names}").format(
            done=len(names) - len(left), count=len(names), names=shown
        )

    def _verdict_without_node(self, error: CallLost) -> Verdict:
        """The node has gone, so the client says itself what it knows: of the rest, nothing."""
        for name in self._plan.names:
            self._ends.setdefault(name, Ended(Lost(f"this machine's own node has gone: {error.text}")))
        return verdict_on(self._ends, ",".join)


def _is_typed() -> bool:
    """Whether a person sits at a terminal; standard input may have been closed, and is None then."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


# -- words -----------------------------------------------------------------------------------------------------


def _parser(console: Console) -> WordParser:
    parser = WordParser("run", console, _SUMMARY, examples=_EXAMPLES)
    parser.usage = "lanline run TARGET... [options] -- COMMAND [ARG...]"
    parser.add_argument("target", nargs="*", metavar="TARGET", help=_("machines to run it on"))
    parser.add_argument("-x", "--exclude", action="append", default=[], metavar="TARGET", help=_("but not on these"))
    parser.add_argument("--shell", metavar="TEXT", help=_("run this text with `sh -c`, in place of a command"))
    parser.add_argument("--timeout", type=typed(parse_duration), metavar="TIME", help=_("end it after: 30s, 5m, 1h"))
    parser.add_argument("--cwd", default="", metavar="FOLDER", help=_("start it in this folder of the machine"))
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help=_("set a variable; repeatable")
    )
    parser.add_argument(
        "--fanout", type=number(1, _MAX_TARGETS), default=AT_ONCE, metavar="N", help=_("machines at once")
    )
    parser.add_argument("--raw", action="store_true", help=_("the bytes of one machine as they are; not on a terminal"))
    parser.add_argument("--no-prefix", action="store_true", help=_("no name before each line; for one machine"))
    parser.add_argument("-q", "--quiet", action="store_true", help=_("no last line when all is well"))
    parser.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help=_("do not ask when more than {confirm_above} machines").format(confirm_above=CONFIRM_ABOVE),
    )
    return parser


def _parse(arguments: list[str], console: Console) -> tuple[argparse.Namespace, Sequence[str]]:
    head, command = split_arguments(arguments)
    parser = _parser(console)
    options = parser.parse_args(head)
    if options.shell is not None:
        if command:
            raise UsageError(_("--shell takes the place of the command, and there is one too: leave one of them out"))
        command = list(shell_argv(options.shell))
    if not options.target:
        raise UsageError(_("no machine is named"), advice="lanline run @all -- uname -a")
    if not command:
        raise UsageError(
            _("there is no command to run"),
            advice=_("lanline run {target} -- uname -a").format(target=options.target[0]),
        )
    if "" in options.target or not command[0]:
        raise UsageError(_("the target or the command is empty"), advice="lanline run @all -- uname -a")
    return options, command


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Options and targets, and the command. Without `--` the first bare word is the target, the second begins the
    command. The command line asks this too: from the command on, no option is lanline's."""
    if "--" in arguments:
        at = arguments.index("--")
        return arguments[:at], arguments[at + 1 :]
    has_target = False
    at = 0
    if any(word == "--shell" or word.startswith("--shell=") for word in arguments):
        return arguments, []
    while at < len(arguments):
        word = arguments[at]
        if word.startswith("-"):
            at += 2 if word in _VALUES else 1
            continue
        if has_target:
            if word.startswith("@") or "[" in word:
                raise UsageError(
                    _(
                        "{word!r} looks like a second target, and a command may only follow without `--` after one"
                    ).format(word=word),
                    advice="lanline run TARGET... -- COMMAND",
                )
            return arguments[:at], arguments[at:]
        has_target = True
        at += 1
    return arguments, []


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(
                _("--env takes NAME=VALUE, not {name!r}").format(name=name)
            )  # never the value: it may be a secret
        variables[name] = value
    return variables


def _display(options: argparse.Namespace, console: Console) -> Display:
    if console.wants_json:
        if options.raw:
            raise UsageError(_("--raw and --json cannot both be had: --json carries the bytes in base64"))
        return JsonDisplay(console)
    if options.raw:
        return RawDisplay(console, is_quiet=options.quiet)
    return LineDisplay(console, has_names=not options.no_prefix, is_quiet=options.quiet)
