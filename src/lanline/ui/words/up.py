"""`lanline up`: starts this machine's node again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.errors import NotInRoom
from lanline.room.lock import NodeLock
from lanline.room.policyfile import load_policy
from lanline.room.settings import load_settings, save_settings
from lanline.ui.passphrase import hub_passphrase
from lanline.ui.serving import add_serving_options, check_programs, chosen_settings, grant_runs, start_node

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder


def up(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Starts the node."""
    parser = WordParser(
        "up",
        console,
        "Starts the node of this machine again, as it was; what the options change is kept for the next time. A hub\n"
        "asks for the room's passphrase; where nobody can be asked it starts locked.",
        examples="lanline up\nlanline up --detach\nlanline up --port 9600 --allow-run=df,uptime",
    )
    add_serving_options(parser)
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="on a hub: take the passphrase from there; - is stdin"
    )
    options = parser.parse_args(arguments)
    check_programs(options)
    if not folder.is_in_room:
        raise NotInRoom(f"this machine is in no room ({folder.home})")
    with NodeLock(folder.lock):  # nothing is changed below a running node, and nobody asked for what it knows
        folder.check()
        before = load_settings(folder)
        settings = chosen_settings(options, before)
        if settings != before:
            save_settings(folder, settings)
        grant_runs(options, folder, console)
        passphrase = hub_passphrase(console, folder, options.passphrase_file)
    if fault := load_policy(folder.policy).fault:
        console.note(f"This node will run nothing for others: {fault}")
    return start_node(folder, passphrase, console, detach=options.detach)
