"""`lanline who`: the machines of the room. The quickest word there is: it loads nothing but what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.console import Painted
from lanline.durations import show_duration
from lanline.room.local import connect_local
from lanline.room.records import MemberLine
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder

_ROUND_TRIP = _("round trip")
_COLUMNS = (
    _("name"),
    _("role"),
    _("state"),
    _("address"),
    _("version"),
    _ROUND_TRIP,
    _("last seen"),
    _("run"),
)
_LONG_AGO = 30 * 86400.0


def who(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Shows the members that a target selects."""
    parser = WordParser(
        "who",
        console,
        _(
            "Shows the machines of the room: who is here, where, and whether they run commands for others.\n"
            "With --json one object for each machine, one per line; times in seconds, null where unknown."
        ),
        examples="lanline who\nlanline who @online\nlanline who 'pc[1-40]' --json",
    )
    parser.add_argument(
        "target",
        nargs="?",
        default="@all",
        metavar="TARGET",
        help=_("pc7, 'pc[1-40]', @all, @online, @others, @operators, '@all!pc3'; everybody by default"),
    )
    options = parser.parse_args(arguments)
    with connect_local(folder) as node:
        lines: list[MemberLine] = node.ask("node.who", options.target, timeout=10.0, returns=list[MemberLine])
    if console.wants_json:
        for line in lines:
            console.json(_as_data(line))
        return 0
    console.table(_COLUMNS, [show_member(line) for line in lines], right=(_ROUND_TRIP,))
    if console.is_terminal and len(lines) > 1:
        here = sum(line.online for line in lines)
        console.note(Painted(_("{count} machines, {here} here").format(count=len(lines), here=here), "dim"))
    return 0


def show_member(line: MemberLine) -> list[str | Painted]:
    """The cells of one line."""
    return [
        Painted(line.name, "bold") if line.is_self else line.name,
        _("{role}, hub").format(role=line.role) if line.is_hub else line.role,
        _state(line),
        line.addresses[0] if line.addresses else "-",
        line.version or "-",
        show_duration(line.round_trip) if line.round_trip > 0 else "-",
        _last_seen(line),
        _("yes") if line.runs else Painted(_("no"), "dim"),
    ]


def _state(line: MemberLine) -> str | Painted:
    if line.is_self:
        return Painted(_("this one"), "green")
    return Painted(_("here"), "green") if line.online else Painted(_("away"), "dim")


def _last_seen(line: MemberLine) -> str:
    if line.online:
        return _("now")
    if not line.last_seen:
        return _("never")
    from lanline.room.civil import civil_date, civil_now

    age = civil_now() - line.last_seen
    # A clock that is off makes ages absurd; a date then at least tells by which clock.
    return _("{age} ago").format(age=show_duration(age)) if 0 <= age < _LONG_AGO else civil_date(line.last_seen)


def _as_data(line: MemberLine) -> dict[str, object]:
    import msgspec

    data: dict[str, object] = msgspec.structs.asdict(line)
    data["round_trip"] = line.round_trip if line.round_trip >= 0 else None
    data["last_seen"] = line.last_seen or None
    return data
