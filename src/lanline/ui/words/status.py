"""`lanline status`: how this machine's node is doing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from lanline.arguments import WordParser
from lanline.console import Painted
from lanline.durations import show_duration
from lanline.room.local import connect_local
from lanline.room.records import NodeStatus

if TYPE_CHECKING:
    from lanline.console import Console, Style
    from lanline.room.paths import StateFolder

    Lines = Iterator[tuple[str, str, Style | None]]


def status(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Shows the state of the node."""
    WordParser(
        "status",
        console,
        "Shows how the node of this machine is doing, what it waits for, and what it runs for others.",
        examples="lanline status\nlanline status --json",
    ).parse_args(arguments)
    with connect_local(folder) as node:
        now: NodeStatus = node.ask("node.status", timeout=10.0, returns=NodeStatus)
    if console.wants_json:
        console.json(msgspec.to_builtins(now))
        return 0
    last = ""
    for label, text, style in _lines(now, folder.home):
        head = Painted(f"{label if label != last else '':<10}", "dim")
        console.line(head, Painted(text, style) if style else text)
        last = label
    return 0


def _lines(now: NodeStatus, home: str) -> Lines:
    """Label, text and colour of each line; a label that repeats is shown once."""
    role = "removed from" if now.role == "removed" else f"{now.role}{' and hub' if now.is_hub else ''} of"
    yield "node", f"{now.name}, {role} the room {now.room}", "bold"
    yield "process", f"{now.pid}, up {show_duration(now.uptime)}, lanline {now.version}, state in {home}", None
    for address in now.listens:
        yield "listens", address, None
    yield "reached", f"at {' or '.join(now.reachable_at)}", None
    yield from _hub(now)
    yield "members", f"{now.members} in roster {now.roster_number}, {now.online} here", None
    yield from _runs(now)
    for service, figures in now.services.items():
        if words := ", ".join(_figures(figures)):
            yield "services", f"{service}: {words}", None
    for alarm in now.alarms:
        yield "ALARM", alarm, "red"


def _hub(now: NodeStatus) -> Lines:
    if now.is_hub:
        key = "locked: lanline unlock, before anybody can be invited or removed" if now.is_locked else "open"
        yield "authority", key, "yellow" if now.is_locked else None
        yield (
            "door",
            _door(now.invitations),
            None,
        )
    elif now.waiting_for:
        yield "hub", f"waiting for {now.waiting_for}", "yellow"
        yield "hub", f"it last confirmed the roster {show_duration(now.roster_age)} ago (running time)", None
    else:
        yield "hub", f"{now.hub}, connected", "green"


def _door(invitations: int) -> str:
    if not invitations:
        return "shut: no invitation is open"
    return "1 invitation is open" if invitations == 1 else f"{invitations} invitations are open"


def _runs(now: NodeStatus) -> Lines:
    if not now.policy:
        yield "run", "nothing for others (lanline up --allow-run lets operators run commands here)", None
    for words in now.policy:
        yield "run", words, None if now.runs else "yellow"


def _figures(figures: Any, prefix: str = "") -> Iterator[str]:
    """`jobs 2`, `spawned.bytes 3`: nested figures flat, in one line."""
    if isinstance(figures, dict):
        for name, value in figures.items():
            yield from _figures(value, f"{prefix}.{name}" if prefix else str(name))
    else:
        shown = f"{figures:.4g}" if isinstance(figures, float) else str(figures)
        yield f"{prefix.replace('_', ' ')} {shown}"
