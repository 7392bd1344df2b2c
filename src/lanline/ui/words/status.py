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
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console, Style
    from lanline.room.paths import StateFolder

    Lines = Iterator[tuple[str, str, Style | None]]


def status(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Shows the state of the node."""
    WordParser(
        "status",
        console,
        _("Shows how the node of this machine is doing, what it waits for, and what it runs for others."),
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
    yield _("node"), _place(now).format(name=now.name, role=now.role, room=now.room), "bold"
    process = _("{pid}, up {uptime}, lanline {version}, state in {home}")
    uptime = show_duration(now.uptime)
    yield _("process"), process.format(pid=now.pid, uptime=uptime, version=now.version, home=home), None
    for address in now.listens:
        yield _("listens"), address, None
    yield _("reached"), _("at {addresses}").format(addresses=_(" or ").join(now.reachable_at)), None
    yield from _hub(now)
    members = _("{members} in roster {number}, {online} here")
    yield _("members"), members.format(members=now.members, number=now.roster_number, online=now.online), None
    yield from _runs(now)
    for service, figures in now.services.items():
        if words := ", ".join(_figures(figures)):
            yield _("services"), f"{service}: {words}", None
    for alarm in now.alarms:
        yield _("ALARM"), alarm, "red"


def _place(now: NodeStatus) -> str:
    if now.role == "removed":
        return _("{name}, removed from the room {room}")
    return _("{name}, {role} and hub of the room {room}") if now.is_hub else _("{name}, {role} of the room {room}")


def _hub(now: NodeStatus) -> Lines:
    if now.is_hub:
        locked = _("locked: lanline unlock, before anybody can be invited or removed")
        yield _("authority"), locked if now.is_locked else _("open"), "yellow" if now.is_locked else None
        yield _("door"), _door(now.invitations), None
    elif now.waiting_for:
        yield _("hub"), _("waiting for {hub}").format(hub=now.waiting_for), "yellow"
        confirmed = _("it last confirmed the roster {age} ago (running time)")
        yield _("hub"), confirmed.format(age=show_duration(now.roster_age)), None
    else:
        yield _("hub"), _("{hub}, connected").format(hub=now.hub), "green"


def _door(invitations: int) -> str:
    if not invitations:
        return _("shut: no invitation is open")
    if invitations == 1:
        return _("1 invitation is open")
    return _("{count} invitations are open").format(count=invitations)


def _runs(now: NodeStatus) -> Lines:
    if not now.policy:
        yield _("run"), _("nothing for others (lanline up --allow-run lets operators run commands here)"), None
    for words in now.policy:
        yield _("run"), words, None if now.runs else "yellow"


def _figures(figures: Any, prefix: str = "") -> Iterator[str]:
    """`jobs 2`, `spawned.bytes 3`: nested figures flat, in one line."""
    if isinstance(figures, dict):
        for name, value in figures.items():
            yield from _figures(value, f"{prefix}.{name}" if prefix else str(name))
    else:
        shown = f"{figures:.4g}" if isinstance(figures, float) else str(figures)
        yield f"{prefix.replace('_', ' ')} {shown}"
