"""Writes what the reference says and the code says already: errors, limits, commands, names, endpoints, states.

A page has parts between two comments, `<!-- generated: NAME -->` and `<!-- end -->`; the rest is written by hand and
kept. Values come from the code, never from this file. `tests/docs/test_generated.py` fails when a page is not current.

Run: python -m scripts.generate_docs
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from scripts import frame_fields, library_page

from lanline import errors
from lanline.arguments import WordParser
from lanline.limits import LAN, Limits
from lanline.link.service import Service, collect
from lanline.room.service import NodeService, RoomService
from lanline.session.frames import Kind
from lanline.session.states import CALL, CONNECTION, CallState, State
from lanline.ui import cli
from lanline.ui.services import make_services

ROOT = Path(__file__).parents[1]

# -- errors ----------------------------------------------------------------------------------------------------


def error_table() -> str:
    """Every error: its place in the tree, the exit code it leads to, what it means and what to try."""
    lines = ["| error | is a | exit | means | try |", "|---|---|---:|---|---|"]
    for depth, kind in _tree(errors.LanlineError):
        words = inspect.cleandoc(kind.__doc__ or "").partition("Args:")[0]
        words, _, page = words.partition("See docs/howto/")
        meaning = _cell(words.partition("Try:")[0])
        advice = _cell(words.partition("Try:")[2])
        name = f"[`{kind.__name__}`](../howto/{page.strip().rstrip('.')})" if page else f"`{kind.__name__}`"
        parents = ", ".join(f"`{base.__name__}`" for base in kind.__bases__ if base is not Exception) or "`Exception`"
        indent = "&nbsp;" * 4 * depth
        lines.append(f"| {indent}{name} | {parents} | {kind.exit_code} | {meaning} | {advice} |")
    return "\n".join(lines)


def status_table() -> str:
    """The statuses a call can end with, and the error each becomes."""
    lines = ["| status | number | raised as |", "|---|---:|---|"]
    for status in errors.Status:
        raised = "-" if status is errors.Status.OK else f"`{type(errors.call_error(status, '')).__name__}`"
        lines.append(f"| `{status.name}` | {status.value} | {raised} |")
    return "\n".join(lines)


def _tree(kind: type[errors.LanlineError], depth: int = 0) -> Iterator[tuple[int, type[errors.LanlineError]]]:
    yield depth, kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


# -- limits ----------------------------------------------------------------------------------------------------


class Number(NamedTuple):
    """One limit that is a constant of a module."""

    module: str
    name: str
    unit: str
    what: str
    beyond: str = ""


DOOR = (
    Number("room.door", "MAX_OPEN", "", "invitations open at once", "the next is refused"),
    Number("room.door", "MAX_USES", "", "machines one code may let in", "refused"),
    Number("room.door", "SINGLE_TTL", "s", "life of a code for one machine, unless `--ttl` says otherwise", "closed"),
    Number(
        "room.door", "MANY_TTL", "s", "life of a code for several machines, unless `--ttl` says otherwise", "closed"
    ),
    Number("room.door", "MAX_TTL", "s", "longest life of a code", "refused"),
    Number("room.door", "MAX_WRONG", "", "wrong guesses at one code", "the code is closed"),
    Number("room.door", "ADDRESS_BURST", "", "failures of one address at once", "not listened to"),
    Number("room.door", "ADDRESS_REFILL", "s", "then one failure of that address per", "not listened to"),
    Number("room.door", "DOOR_BURST", "", "wrong guesses of all addresses at once", "nobody is listened to"),
    Number("room.door", "DOOR_REFILL", "s", "then one wrong guess of all addresses per", "nobody is listened to"),
    Number(
        "room.door", "MAX_AT_ONCE", "", "joins under way at once", "asked to come again; the joiner does so by itself"
    ),
    Number("room.joining", "HOLD", "s", "time the hub lets pass before its first answer"),
)

ROOM = (
    Number("room.roster", "MAX_MEMBERS", "", "members of a room, and machines a target may stand for", "refused"),
    Number("room.names", "MAX_NAME_CHARACTERS", "", "characters of a member's or room's name", "refused"),
    Number("room.links", "IDLE_AFTER", "s", "a link between two members that nobody uses", "closed"),
    Number("room.links", "MAX_HANDSHAKES", "", "links being opened at once by one node", "the next waits"),
    Number("room.hublink", "MAX_PAUSE", "s", "longest pause between two tries to reach the hub"),
    Number("room.presence", "GATHER", "s", "changes of presence are gathered for"),
    Number("room.freshness", "STALE_AFTER", "s", "running time without word from the hub", "runs nothing for others"),
    Number("room.policyfile", "MAX_POLICY_BYTES", "B", "the policy file", "refused, and with it everything"),
    Number("room.policy", "MAX_VALUE_CHARACTERS", "", "characters of one recipe parameter", "refused"),
)

AUDIT = (
    Number("room.audit", "SEGMENT_BYTES", "B", "one file of the audit", "the next file is begun"),
    Number("room.audit", "MAX_LINE_BYTES", "B", "one line of the audit", "refused: no audit, no run"),
    Number("room.audit", "MAX_TEXT_CHARACTERS", "", "characters of one text in it", "cut, with its length and hash"),
    Number("room.audit", "MAX_JOB_IDS", "", "job ids remembered, so that no job runs twice", "the oldest is forgotten"),
    Number("room.audit", "REMEMBERED_SECONDS", "s", "how far back job ids are read when a node starts"),
    Number("ui.logs", "LOG_BYTES", "B", "a detached node's log, `node.log`", "begun anew, some old ones are kept"),
)

RUN = (
    Number("services.run.table", "MAX_JOBS", "", "commands at once on one machine", "refused"),
    Number("services.run.report", "AT_ONCE", "", "machines at once in one run, unless `--fanout` says less"),
    Number("services.run.report", "CONFIRM_ABOVE", "", "machines above which a person at a terminal is asked"),
    Number("services.run.command", "KILL_AFTER", "s", "between SIGTERM and SIGKILL when a command is ended"),
    Number("services.run.job", "LOST_GRACE", "s", "the same when nobody waits for it any more"),
    Number("services.run.guardian", "GRACE", "s", "the same when its node was killed"),
    Number("services.run.kill", "CERTAIN", "s", "how long SIGKILL is tried", "what is left is counted and named"),
    Number("services.run.cgroup", "SETTLE", "s", "age at which a command gets a control group of its own"),
    Number("services.run.output", "IDLE", "s", "output held open by a child that stays: idle for this long ends it"),
    Number("services.run.output", "DRAIN", "s", "the same, at the latest after"),
)

GROUPS: dict[str, Sequence[Number]] = {"door": DOOR, "room": ROOM, "audit": AUDIT, "run": RUN}


def link_limits() -> str:
    """Every field of Limits with its default, and what its docstring in the source says."""
    lines = ["| field | default | what |", "|---|---:|---|"]
    words = _field_words()
    for name in Limits._fields:
        unit = "B" if "bytes" in name else "" if name.startswith("max") or name == "backlog" else "s"
        lines.append(f"| `{name}` | {shown(getattr(LAN, name), unit)} | {words[name]} |")
    return "\n".join(lines)


def number_table(numbers: Sequence[Number]) -> str:
    """Limits that are constants, with their values as they are in the code."""
    lines = ["| what | value | beyond it |", "|---|---:|---|"]
    for one in numbers:
        value = getattr(import_module(f"lanline.{one.module}"), one.name)
        lines.append(f"| {one.what} | {shown(value, one.unit)} | {one.beyond or '-'} |")
    return "\n".join(lines)


def shown(value: float, unit: str) -> str:
    """A number for people: 1048576 bytes as 1 MiB, 7200 s as 2 h, 0.02 s as 20 ms."""
    if unit == "B":
        for size, word in ((1024**2, "MiB"), (1024, "KiB")):
            if value >= size and value % size == 0:
                return f"{value // size:,} {word}"
        return f"{value:,} bytes"
    if unit == "s":
        for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if value >= size and value % size == 0:
                return f"{value / size:g} {word}"
        return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
    return f"{value:,}"


def _field_words() -> dict[str, str]:
    """What stands below each field; a field without words has those of its name."""
    (body,) = (node.body for node in ast.walk(ast.parse(inspect.getsource(Limits))) if isinstance(node, ast.ClassDef))
    words = {name: name.replace("_", " ") for name in Limits._fields}
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                words[field.target.id] = _cell(str(after.value.value))
    return words


# -- commands --------------------------------------------------------------------------------------------------


class _Caught(BaseException):
    """Not an Exception: the command line explains those."""

    def __init__(self, parser: WordParser) -> None:
        self.parser = parser


def parser_of(word: str, *more: str) -> WordParser:
    """The parser behind a word: what it would print as help is caught before it is printed.

    Args:
        word: such as `run`.
        more: words below it, such as `remove`.
    """

    def caught(self: WordParser, file: object = None) -> None:
        raise _Caught(self)

    before = WordParser.print_help
    WordParser.print_help = caught  # type: ignore[method-assign]
    try:
        cli.main([word, *more, "--help"])
    except _Caught as stopped:
        return stopped.parser
    finally:
        WordParser.print_help = before  # type: ignore[method-assign]
    raise AssertionError(f"lanline {word} --help says nothing")


def command_pages() -> str:
    """Every word: what it does, its form, its options, examples. Rendered from the parsers, not from their text,
    which differs from one Python to the next."""
    return "\n\n".join(command(word) for word in cli.all_words())


def command(word: str) -> str:
    """One word."""
    parser = parser_of(word)
    parts = [f"## {word}", _paragraphs(parser.description or ""), _block("text", _form(parser))]
    if rows := [_row(action, parser) for action in parser._actions if not isinstance(action, argparse_help())]:
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    examples = re.search(r"examples:\n((?:  .*\n?)+)", parser.epilog or "")
    if examples:
        parts.append(_block("console", "\n".join(f"$ {line.strip()}" for line in examples.group(1).splitlines())))
    return "\n\n".join(parts)


def argparse_help() -> type:
    """The kind of action that `--help` is."""
    import argparse

    return argparse._HelpAction


def _form(parser: WordParser) -> str:
    if parser.usage:
        return parser.usage
    places = []
    has_options = False
    for action in parser._actions:
        if isinstance(action, argparse_help()):
            continue
        if action.option_strings and not action.required:
            has_options = True
        else:
            name = _metavar(action)
            form = {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}.get(str(action.nargs), name)
            places.append(" ".join([*action.option_strings[:1], form]))
    return " ".join([parser.prog, *(["[options]"] if has_options else []), *places])


def _row(action: Any, parser: WordParser) -> str:
    if set(action.option_strings) & set(parser._bare):
        name = ", ".join(f"`{option}`, `{option}={_metavar(action)}`" for option in action.option_strings)
    elif action.option_strings:
        value = "" if action.nargs == 0 else f" {_metavar(action)}"
        name = ", ".join(f"`{option}{value}`" for option in action.option_strings)
    else:
        name = f"`{_metavar(action)}`"
    return f"| {name} | {_cell((action.help or '').replace('%%', '%'))} |"


def _metavar(action: Any) -> str:
    if action.metavar:
        return str(action.metavar)
    if action.choices:
        return "{" + ",".join(action.choices) + "}"
    return str(action.dest).upper().replace("_", "-")


def _paragraphs(text: str) -> str:
    return inspect.cleandoc(text)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# -- library ---------------------------------------------------------------------------------------------------


def library_names() -> str:
    """Every public name, in the groups of `lanline.__all__`."""
    return "\n\n".join(f"## {title}\n\n{library_page.group(names)}" for title, names in library_page.groups())


# -- endpoints -------------------------------------------------------------------------------------------------

_NOBODY: Any = None
"""In place of a node: the table of endpoints is made from classes, and no node is asked."""


def endpoint_table() -> str:
    """Every endpoint of a node with the least role that may call it. What all services have is left to the page."""
    room = RoomService(_NOBODY)
    table = collect([*make_services(_NOBODY), room, NodeService(_NOBODY, room)], roles_required=True)
    lines = ["| endpoint | least role | asked by | shape | what it does |", "|---|---|---|---|---|"]
    for name, entry in sorted(table.items()):
        if name.partition(".")[2] not in Service.__dict__:
            who = "people of its own machine" if entry.is_local else "members"
            role = entry.role.word if entry.role else "none"
            lines.append(f"| `{name}` | {role} | {who} | {entry.shape.value} | {_cell(entry.summary)} |")
    return "\n".join(lines)


# -- states ----------------------------------------------------------------------------------------------------


def diagram(table: Mapping[Any, Mapping[Any, Any]], *begin: Any) -> str:
    """A table of states as a diagram. Steps that lead from one state to the same other share an arrow; a state whose
    table is empty is an end.

    Args:
        table: from `session/states.py`.
        begin: the states it can begin in.
    """
    lines = [f"[*] --> {state.name}" for state in begin]
    for state, row in table.items():
        by_target: dict[Any, list[str]] = {}
        for step, target in row.items():
            by_target.setdefault(target, []).append(step.name)
        lines += [f"{state.name} --> {target.name}: {', '.join(steps)}" for target, steps in by_target.items()]
        if not row:
            lines.append(f"{state.name} --> [*]")
    return _block("mermaid", "stateDiagram-v2\n" + "\n".join(f"    {line}" for line in lines))


# -- frames ----------------------------------------------------------------------------------------------------

BODIES: dict[Kind, tuple[str, str]] = {
    Kind.HELLO: (
        "array: versions, boot id (8 bytes), features, window, monotonic ns, civil ns, room data",
        "first, once",
    ),
    Kind.ROSTER: ("the sender's signed roster, opaque to the link", "before WELCOME, to a side with an older one"),
    Kind.WELCOME: ("nothing", "the peer is in; calls may follow once both sides have said it"),
    Kind.OPEN: ("array: endpoint, arguments (array), ms left (0: no end), credit (0: the window)", "begins a call"),
    Kind.DATA: ("one item", "counts against the credit of its call"),
    Kind.END: ("the result, or nothing", "this side's half of the call is over"),
    Kind.ERROR: ("array: status, sentence, details (map of texts), may have run", "the call is over"),
    Kind.CREDIT: ("a number of bytes", "so much more may be sent on the call"),
    Kind.CANCEL: ("a reason", "from the side that opened the call: it no longer waits"),
    Kind.PING: ("array: when it was made, ns", "at the beginning, after silence"),
    Kind.PONG: ("array: the stamp of the PING, when that came, when this was made, ns", "at once"),
    Kind.GOAWAY: ("array: reason, the peer's last call that is served", "no call begins any more"),
}
"""What a person should know of each kind; numbers come from the code."""


def kinds() -> str:
    """Every kind of frame."""
    lines = ["| number | kind | body | |", "|---:|---|---|---|"]
    lines += [f"| {kind.value} | {kind.name} | {' | '.join(BODIES[kind])} |" for kind in Kind]
    return "\n".join(lines)


def examples() -> str:
    """The golden frames of the tests, byte by byte."""
    golden = json.loads((ROOT / "tests" / "session" / "golden" / "frames.json").read_text(encoding="utf-8"))
    lines = ["| kind | what it says | bytes |", "|---|---|---|"]
    lines += [f"| {one['kind']} | {_cell(one['meaning'])} | `{one['hex']}` |" for one in golden["frames"]]
    return "\n".join(lines)


# -- decisions -------------------------------------------------------------------------------------------------


def decisions() -> str:
    """Every page in docs/decisions, by number, with its title."""
    lines = ["| | |", "|---|---|"]
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        number, _, title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(": ")
        lines.append(f"| [{number}]({path.name}) | {title} |")
    return "\n".join(lines)


# -- pages -----------------------------------------------------------------------------------------------------

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/reference/errors.md": {"errors": error_table, "statuses": status_table},
    "docs/reference/limits.md": {
        "links": link_limits,
        **{name: partial(number_table, numbers) for name, numbers in GROUPS.items()},
    },
    "docs/reference/commands.md": {"commands": command_pages},
    "docs/reference/library.md": {"names": library_names},
    "docs/reference/endpoints.md": {"endpoints": endpoint_table},
    "docs/reference/protocol.md": {"kinds": kinds, "fields": frame_fields.table, "examples": examples},
    "docs/reference/states.md": {
        "connection": partial(diagram, CONNECTION, State.HELLO),
        "call": partial(diagram, CALL, CallState.STREAMING, CallState.ASKED, CallState.ANSWERING),
    },
    "docs/decisions/README.md": {"decisions": decisions},
}
"""The parts of each page, by the name in its comment."""


def current(path: str, text: str) -> str:
    """The text of a page with all its parts as they should be.

    Raises:
        ValueError: a part has no place in the page.
    """
    for name, make in PARTS[path].items():
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        if text.count(begin) != 1:
            raise ValueError(f"{path} has {text.count(begin)} places for {name!r}: it needs {begin.strip()} and {end}")
        before, _, behind = text.partition(begin)
        text = f"{before}{begin}\n{make()}\n\n{end}{behind.partition(end)[2]}"
    return text


def main() -> None:
    """Writes every page anew."""
    for path in PARTS:
        page = ROOT / path
        page.write_text(current(path, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
