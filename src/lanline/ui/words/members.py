"""`lanline members`: who is in the room, taking a member out, giving one another role."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lanline.arguments import WordParser
from lanline.console import Painted
from lanline.errors import NodeNotRunning, UsageError
from lanline.roles import Role
from lanline.room.local import connect_local
from lanline.room.records import MemberLine
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder

_FORMS = {
    ("list",): "lanline members",
    ("remove", "NAME"): "lanline members remove NAME",
    ("role", "NAME", "ROLE"): "lanline members role NAME ROLE",
}
_PATIENCE = 15.0


class _Member(NamedTuple):
    name: str
    role: str
    is_hub: bool
    key: str


def members(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Lists members, or changes one."""
    parser = WordParser(
        "members",
        console,
        _(
            "Lists the members of the room; takes one out (its links are cut and its jobs end); gives one "
            "another role.\n"
            "Roles: guest, member, operator (may run commands, invite and remove), owner (may do all). "
            "The list also\n"
            "works without a running node, from the state folder."
        ),
        examples="lanline members\nlanline members remove pc3\nlanline members role pc7 operator",
    )
    parser.usage = "lanline members [-h] [remove NAME | role NAME ROLE]"
    parser.add_argument("words", nargs="*", metavar="remove NAME | role NAME ROLE", help=_("nothing: the list"))
    words = parser.parse_args(arguments).words or ["list"]
    if not any(words[0] == form[0] and len(words) == len(form) for form in _FORMS):
        raise UsageError(
            _("members does not know {words!r}").format(words=" ".join(words)[:80]), advice=" or ".join(_FORMS.values())
        )
    if words[0] == "list":
        return _list(console, folder)
    if words[0] == "remove":
        return _remove(words[1], console, folder)
    return _give(words[1], Role.parse(words[2]), console, folder)


def _list(console: Console, folder: StateFolder) -> int:
    try:
        rows = _from_node(folder)
    except NodeNotRunning:
        rows = _from_disk(console, folder)
    if console.wants_json:
        for row in rows:
            console.json(row._asdict())
        return 0
    shown = [[row.name, _("{role}, hub").format(role=row.role) if row.is_hub else row.role, row.key] for row in rows]
    console.table((_("name"), _("role"), _("key")), shown)
    return 0


def _from_node(folder: StateFolder) -> list[_Member]:
    with connect_local(folder) as node:
        lines: list[MemberLine] = node.ask("node.who", "@all", timeout=_PATIENCE, returns=list[MemberLine])
    return [_Member(line.name, line.role, line.is_hub, line.key) for line in lines]


def _from_disk(console: Console, folder: StateFolder) -> list[_Member]:
    """The roster in the state folder, verified as at a start."""
    from lanline.room.civil import civil_date
    from lanline.room.identity import load_identity
    from lanline.room.keys import short_key
    from lanline.room.target import natural_key

    roster = load_identity(folder).book.current
    console.note(
        _("No node is running: this is roster {number} on disk, of {issued_at}.").format(
            number=roster.number, issued_at=civil_date(roster.issued_at)
        )
    )
    rows = [
        _Member(one.name, one.role.word, one.key_hash == roster.hub, short_key(one.key_hash)) for one in roster.members
    ]
    return sorted(rows, key=lambda row: natural_key(row.name))


def _remove(name: str, console: Console, folder: StateFolder) -> int:
    with connect_local(folder) as node:
        node.ask("node.remove", name, timeout=_PATIENCE)
    if console.wants_json:
        console.json({"removed": name})
    else:
        console.line(Painted(name, "bold"), _(" is no member any more: its links are cut and its key stays out."))
    return 0


def _give(name: str, role: Role, console: Console, folder: StateFolder) -> int:
    with connect_local(folder) as node:
        node.ask("node.set_role", name, role, timeout=_PATIENCE)
    if console.wants_json:
        console.json({"name": name, "role": role.word})
    else:
        console.line(Painted(name, "bold"), _(" is {word} from now on.").format(word=role.word))
    return 0
