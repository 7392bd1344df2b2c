"""`lanline invite`: a code by which machines join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lanline.arguments import WordParser, number, typed
from lanline.console import Painted
from lanline.durations import parse_duration, show_duration
from lanline.roles import Role
from lanline.room.local import connect_local
from lanline.room.records import Invited
from lanline.room.settings import join_place
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder

_MAX_USES = 4096


def invite(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Opens an invitation and shows its code."""
    parser = WordParser(
        "invite",
        console,
        _(
            "Makes a code by which machines join the room. The code goes to standard output, how to use "
            "it to standard\n"
            "error. It lives 10 minutes for one machine and 2 hours for several, unless --ttl says "
            "otherwise, and ends\n"
            "when the hub stops."
        ),
        examples="lanline invite\nlanline invite --uses 30 --ttl 2h\n"
        "lanline invite --role operator\nlanline invite | ssh pc7 lanline join 192.168.1.5 --code-file - --detach",
    )
    parser.add_argument(
        "--role",
        type=typed(Role.parse),
        default=Role.MEMBER,
        metavar="ROLE",
        help=_("guest, member, operator or owner"),
    )
    parser.add_argument(
        "--uses", type=number(1, _MAX_USES), default=1, metavar="N", help=_("machines it lets in; 1 by default")
    )
    parser.add_argument(
        "--ttl", type=typed(parse_duration), metavar="TIME", help=_("how long it lives: 30m, 2h; at most 24h")
    )
    options = parser.parse_args(arguments)
    with connect_local(folder) as node:
        made: Invited = node.ask("node.invite", options.role, options.uses, options.ttl, timeout=15.0, returns=Invited)
    if console.wants_json:
        console.json(msgspec.structs.asdict(made))
        return 0
    if console.is_terminal:
        console.line(Painted(made.code, "bold"))
    else:
        console.line(made.code)
    machines = _("one machine") if made.uses == 1 else _("{count} machines").format(count=made.uses)
    console.note(
        _("For {machines} as {role}, for the next {ttl}. On each of them:").format(
            machines=machines, role=made.role, ttl=show_duration(made.ttl)
        )
    )
    for place in made.addresses:
        console.note("  ", Painted(_("lanline join {place}").format(place=join_place(place)), "cyan"))
    console.note(_("Add --allow-run where operators may run commands."))
    return 0
