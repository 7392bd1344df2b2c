"""`lanline init`: founds a room with this machine as its hub, and serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.room.founding import check_free, found
from lanline.room.names import check_name, name_from_hostname
from lanline.room.settings import Settings
from lanline.ui.passphrase import new_passphrase
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
    room = check_name(options.room, what="room name")
    name = check_name(options.name or name_from_hostname(os.uname().nodename), what="node name")
    settings = chosen_settings(options, Settings())
    check_programs(options)
    check_free(folder)
    folder.ensure()
    check_port(settings)
    passphrase = None if options.no_passphrase else new_passphrase(console, options.passphrase_file)
    found(folder, room, name, settings, passphrase)
    console.note(f"The room {room} is founded; its state is in {folder.home}.")
    grant_runs(options, folder, console)
    return start_node(folder, passphrase, console, detach=options.detach)


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "init",
        console,
        "Founds a room with this machine as its hub and owner, and serves. A passphrase protects the key that lets\n"
        "machines in; it is asked for twice, and once at each start of the hub.",
        examples="lanline init --allow-run\nlanline init --room lab3 --name desk --detach\n"
        "lanline init --allow-run=df,uptime --no-passphrase --detach",
    )
    parser.add_argument(
        "--room", default=DEFAULT_ROOM, metavar="NAME", help=f"the room's name; {DEFAULT_ROOM} by default"
    )
    parser.add_argument("--name", metavar="NAME", help="this machine's name in the room; its host name by default")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--passphrase-file", metavar="FILE", help="take the passphrase from there; - is standard input")
    either.add_argument("--no-passphrase", action="store_true", help="leave the key in the clear on this disk")
    add_serving_options(parser)
    return parser.parse_args(arguments)
