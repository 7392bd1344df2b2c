"""`lanline init`: founds a room with this machine as its hub, and serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.errors import UsageError
from lanline.room.founding import check_free, found
from lanline.room.names import check_name, name_from_hostname
from lanline.room.settings import Settings
from lanline.translation import _
from lanline.ui.passphrase import backup_passphrase, new_passphrase
from lanline.ui.serving import (
    add_serving_options,
    check_port,
    check_programs,
    chosen_settings,
    grant_runs,
    start_node,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder

DEFAULT_ROOM = "lan"


def init(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Founds the room and serves."""
    options = _options(arguments, console)
    if options.from_backup is not None:
        return _take_over(options, console, folder)
    room = check_name(DEFAULT_ROOM if options.room is None else options.room, what="room name")
    name = check_name(options.name or name_from_hostname(os.uname().nodename), what="node name")
    settings = chosen_settings(options, Settings())
    check_programs(options)
    check_free(folder)
    folder.ensure()
    check_port(settings)
    passphrase = None if options.no_passphrase else new_passphrase(console, options.passphrase_file)
    found(folder, room, name, settings, passphrase)
    console.note(_("The room {room} is founded; its state is in {home}.").format(room=room, home=folder.home))
    grant_runs(options, folder, console)
    return start_node(folder, passphrase, console, detach=options.detach)


def _take_over(options: Namespace, console: Console, folder: StateFolder) -> int:
    """Makes this machine the hub of a room that was backed up, and serves."""
    from lanline.room.civil import civil_date
    from lanline.room.takeover import read_backup, take_over

    if options.room is not None or options.name is not None:
        raise UsageError(
            _("a room from a backup keeps its name, and the new hub takes the name of the old: its members check that"),
            advice=_("lanline init --from-backup FILE, without --room and --name."),
        )
    settings = chosen_settings(options, Settings())
    check_programs(options)
    check_free(folder)
    data = read_backup(options.from_backup)
    folder.ensure()
    check_port(settings)
    passphrase = backup_passphrase(console, options.passphrase_file)
    taken = take_over(folder, data, passphrase, settings, is_locked=not options.no_passphrase)
    names = _("{count} members of roster {number}").format(count=len(taken.after.members), number=taken.before.number)
    console.note(
        _(
            "This machine is the hub of the room {room} now, with the {names} of {issued_at}; the key of "
            "the hub before it stays out."
        ).format(room=taken.after.room, names=names, issued_at=civil_date(taken.before.issued_at))
    )
    console.note(
        _(
            "Who has joined, left or got another role since then: lanline members, and mend it. Every "
            "other member is told once where this hub is: lanline up --hub ADDRESS."
        )
    )
    if not options.no_passphrase:
        console.note(_("The backup's passphrase is the one of this hub from now on."))
    grant_runs(options, folder, console)
    return start_node(folder, passphrase, console, detach=options.detach)


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "init",
        console,
        _(
            "Founds a room with this machine as its hub and owner, and serves. A passphrase protects the "
            "key that lets\n"
            "machines in; it is asked for twice, and once at each start of the hub."
        ),
        examples="lanline init --allow-run\nlanline init --room lab3 --name desk --detach\n"
        "lanline init --allow-run=df,uptime --no-passphrase --detach\nlanline init --from-backup room.backup --detach",
    )
    parser.add_argument(
        "--room", metavar="NAME", help=_("the room's name; {default_room} by default").format(default_room=DEFAULT_ROOM)
    )
    parser.add_argument("--name", metavar="NAME", help=_("this machine's name in the room; its host name by default"))
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--passphrase-file", metavar="FILE", help=_("take the passphrase from there; - is standard input")
    )
    either.add_argument("--no-passphrase", action="store_true", help=_("leave the key in the clear on this disk"))
    parser.add_argument(
        "--from-backup",
        metavar="FILE",
        help=_("go on with the room of a lanline backup, as its hub; --passphrase-file is the backup's then"),
    )
    add_serving_options(parser)
    return parser.parse_args(arguments)
