"""`lanline audit`: what was done on this machine for whom, and whether that record is whole.

It reads the state folder, whether or not a node runs: the record is the folder's, and only ever grows.
"""

from __future__ import annotations

import fnmatch
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from lanline.arguments import WordParser, number, typed
from lanline.console import Painted
from lanline.durations import parse_duration
from lanline.errors import StateDamaged, UsageError
from lanline.room.chain import records, verify
from lanline.room.civil import civil_date, civil_now
from lanline.translation import _

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from lanline.console import Console
    from lanline.room.paths import StateFolder

_SHOWN = 20
_MAX_CHARACTERS = 100
_JOB_DIGITS = 8
"""Of a job's id, enough to tell one from another, and to ask for with --job."""


def audit(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Shows the last records that fit, or checks all of them."""
    options = _options(arguments, console)
    if options.action == "verify":
        return _verify(console, folder)
    wanted = deque(_fitting(options, folder), maxlen=options.lines)
    if console.wants_json:
        for record in wanted:
            console.json(record)
        return 0
    console.table(("number", "time", "what", "who", "details"), [_row(record) for record in wanted], right=("number",))
    return 0


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "audit",
        console,
        _(
            "Shows what was done on this machine, newest last; with verify, checks that no line was "
            "changed or taken out.\n"
            "It reads the state folder, so no node needs to run. With --json one object for each line."
        ),
        examples="lanline audit\nlanline audit verify\nlanline audit --what 'run.*' --who pc7 --since 2h -n 100",
    )
    parser.add_argument("action", nargs="?", choices=("verify",), metavar="verify", help=_("check the whole record"))
    parser.add_argument(
        "-n",
        "--lines",
        type=number(1, 1_000_000),
        default=_SHOWN,
        metavar="N",
        help=_("how many; {shown} by default").format(shown=_SHOWN),
    )
    parser.add_argument("--what", metavar="PATTERN", help=_("only these, such as join or 'run.*'"))
    parser.add_argument("--who", metavar="NAME", help=_("only what this member did"))
    parser.add_argument("--job", metavar="ID", help=_("only what belongs to this job; its first digits are enough"))
    parser.add_argument("--since", type=typed(parse_duration), metavar="TIME", help=_("not older than this: 2h, 7d"))
    options = parser.parse_args(arguments)
    if options.action and any((options.what, options.who, options.job, options.since)):
        raise UsageError(_("verify checks every line and takes no filter"), advice="lanline audit verify")
    return options


def _verify(console: Console, folder: StateFolder) -> int:
    report = verify(folder.audit)
    if console.wants_json:
        console.json(
            {
                "whole": report.is_whole,
                "lines": report.lines,
                "segments": report.segments,
                "last_hash": report.last_hash,
                "problem": report.problem,
                "notes": report.notes,
            }
        )
    else:
        for note in report.notes:
            console.note(Painted(_("note: "), "dim"), note)
        if report.is_whole:
            console.line(
                Painted(_("whole"), "green"),
                _(": {lines} lines in {segments}, none changed or missing").format(
                    lines=report.lines, segments=_segments(report.segments)
                ),
            )
            console.line(_("last hash: {last_hash}").format(last_hash=report.last_hash))
            console.note(
                Painted(_("Keep the last hash elsewhere: with it, lines cut off at the end are noticed too."), "dim")
            )
    if not report.is_whole:
        raise StateDamaged(
            _("the audit is damaged: {problem}").format(problem=report.problem),
            advice=_("copy the folder elsewhere before anything else is done."),
        )
    return 0


def _segments(count: int) -> str:
    return _("1 segment") if count == 1 else _("{count} segments").format(count=count)


def _fitting(options: Namespace, folder: StateFolder) -> Iterator[dict[str, Any]]:
    oldest = 0.0 if options.since is None else (civil_now() - options.since) * 1e9
    for record in records(folder.audit):
        if options.what and not fnmatch.fnmatchcase(str(record.get("what")), options.what):
            continue
        if options.who and _who(record) != options.who:
            continue
        if options.job and not str(record.get("job", "")).startswith(options.job):
            continue
        if record.get("at", 0) >= oldest:
            yield record


def _row(record: dict[str, Any]) -> list[str | Painted]:
    details = record.get("details", {})
    job = [f"job={str(record['job'])[:_JOB_DIGITS]}"] if "job" in record else []
    shown = " ".join([*job, *(f"{name}={_value(value)}" for name, value in details.items())])
    if len(shown) > _MAX_CHARACTERS:
        shown = shown[: _MAX_CHARACTERS - 3] + "..."
    what = str(record.get("what"))
    colour = Painted(what, "red") if what in ("alarm", "run.refused") else what
    return [str(record.get("n")), civil_date(record.get("at", 0) / 1e9), colour, _who(record), shown]


def _who(record: dict[str, Any]) -> str:
    who = record.get("who")
    return str(who.get("name", "")) if isinstance(who, dict) else "this machine"


def _value(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else json.dumps(value, ensure_ascii=False)
