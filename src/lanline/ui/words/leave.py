"""`lanline leave`: takes this machine out of its room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.errors import CallError, NodeNotRunning, NotInRoom, RoomError, UsageError
from lanline.room.local import connect_local
from lanline.room.lock import NodeLock
from lanline.room.records import NodeStatus
from lanline.translation import _
from lanline.ui.stopping import stop_node

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder

_REMOVED = "removed"  # the role that a node's status shows once it is in the roster no more


def leave(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Leaves the room, or ends it."""
    options = _options(arguments, console)
    if not folder.is_in_room:
        raise NotInRoom(_("this machine is in no room ({home})").format(home=folder.home))
    is_hub = folder.authority_key.exists()
    if options.end_room and not is_hub:
        raise UsageError(_("this machine is not the hub of its room, so it cannot end it"), advice="lanline leave")
    if is_hub:
        _check_end(options, console)
    try:
        _say_goodbye(folder, options, is_hub=is_hub)
        stop_node(folder, console)
    except NodeNotRunning:
        if not (is_hub or options.anyway):
            raise NodeNotRunning(
                _("no node is running, so the hub cannot be told that this machine leaves"),
                advice=_(
                    "lanline up --detach first; or lanline leave --anyway, and an operator removes it at the hub."
                ),
            ) from None
    _forget(folder)
    if console.wants_json:
        console.json({"left": True, "ended_room": is_hub})
    elif is_hub:
        console.line(
            _("The room has ended: its authority key is gone. The other machines leave with lanline leave --anyway.")
        )
    else:
        console.line(_("This machine is in no room any more. Its audit and its policy stay."))
    return 0


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "leave",
        console,
        _(
            "Takes this machine out of its room: the hub is told, the node stops, keys and certificates "
            "are deleted. The\n"
            "hub itself only leaves with --end-room, which ends the room for everybody."
        ),
        examples="lanline leave\nlanline leave --anyway\nlanline leave --end-room --yes",
    )
    parser.add_argument(
        "--end-room", action="store_true", help=_("on the hub: end the room, for good and for everybody")
    )
    parser.add_argument("--yes", action="store_true", help=_("do not ask before the room is ended"))
    parser.add_argument("--anyway", action="store_true", help=_("also where the hub cannot be told"))
    return parser.parse_args(arguments)


def _check_end(options: Namespace, console: Console) -> None:
    if not options.end_room:
        raise RoomError(
            _("this machine is the hub: without it the room ends"),
            advice=_("lanline leave --end-room, if that is what you want."),
        )
    question = _("End the room? Its authority key is deleted: nobody can join or be removed ever again.")
    if not options.yes and not console.confirm(question):
        raise UsageError(_("the room goes on: nothing was done"), advice="")


def _say_goodbye(folder: StateFolder, options: Namespace, *, is_hub: bool) -> None:
    """Has the hub strike this machine off the roster."""
    with connect_local(folder) as node:
        status: NodeStatus = node.ask("node.status", timeout=10.0, returns=NodeStatus)
        if is_hub or status.role == _REMOVED:
            return
        try:
            node.ask("node.leave", timeout=15.0)
        except CallError as error:
            if not options.anyway:
                raise RoomError(
                    _("the hub could not be told: {error}").format(error=error),
                    advice=_(
                        "try again when it is there; or lanline leave --anyway, and an operator removes "
                        "{name} at the hub."
                    ).format(name=status.name),
                ) from error


def _forget(folder: StateFolder) -> None:
    from lanline.room.founding import leave as forget

    with NodeLock(folder.lock):
        forget(folder)
