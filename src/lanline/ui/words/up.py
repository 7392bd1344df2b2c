"""`lanline up`: starts this machine's node again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lanline.arguments import WordParser
from lanline.errors import NodeAlreadyRunning, NotInRoom, UsageError
from lanline.room.lock import NodeLock
from lanline.room.policyfile import load_policy
from lanline.room.settings import Settings, load_settings
from lanline.translation import _
from lanline.ui.passphrase import hub_passphrase
from lanline.ui.serving import (
    add_serving_options,
    check_programs,
    chosen_settings,
    grant_runs,
    hub_address,
    start_node,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder


def up(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Starts the node."""
    options = _options(arguments, console)
    check_programs(options)
    if not folder.is_in_room:
        raise NotInRoom(_("this machine is in no room ({home})").format(home=folder.home))
    try:
        with NodeLock(folder.lock):  # nothing is changed below a running node, and nobody asked for what it knows
            folder.check()
            before = load_settings(folder)
            settings = _settings(options, before, folder)
            grant_runs(options, folder, console)
            passphrase = hub_passphrase(console, folder, options.passphrase_file)
    except NodeAlreadyRunning as error:
        return _grant_while_running(options, folder, console, error)
    if fault := load_policy(folder.policy).fault:
        console.note(_("This node will run nothing for others: {fault}").format(fault=fault))
    changed = settings if settings != before else None
    return start_node(folder, passphrase, console, detach=options.detach, settings=changed)


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "up",
        console,
        _(
            "Starts the node of this machine again, as it was; what the options change is kept for the "
            "next time, once it\n"
            "has started with it. A hub asks for the room's passphrase; where nobody can be asked it "
            "starts locked. On a\n"
            "node that runs already, --allow-run and --allow-root take effect at once, and nothing else "
            "can be changed."
        ),
        examples="lanline up\nlanline up --detach\nlanline up --port 9600 --allow-run=df,uptime\n"
        "lanline up --detach --hub 192.168.1.9",
    )
    add_serving_options(parser)
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help=_("on a hub: take the passphrase from there; - is stdin")
    )
    parser.add_argument("--hub", metavar="ADDRESS", help=_("where the hub is now, if it has moved"))
    return parser.parse_args(arguments)


def _settings(options: Namespace, before: Settings, folder: StateFolder) -> Settings:
    settings = chosen_settings(options, before)
    if options.hub is None:
        return settings
    if folder.authority_key.exists():
        raise UsageError(_("this machine is the hub of its room: --hub is for its members"))
    return msgspec.structs.replace(settings, hub=(str(hub_address(options.hub)).removeprefix("tcp://"),))


def _grant_while_running(options: Namespace, folder: StateFolder, console: Console, running: NodeAlreadyRunning) -> int:
    """A running node reads its policy again by itself; everything else takes a start."""
    grants = options.allow_run is not None or options.allow_root
    others = (options.bind, options.port, options.hub, options.passphrase_file)
    if not grants:
        raise running
    if any(one is not None for one in others):
        raise NodeAlreadyRunning(
            str(running), advice=_("lanline down first: only --allow-run and --allow-root change a node that runs.")
        )
    grant_runs(options, folder, console)
    console.note(_("The node that runs here goes by it from now on."))
    return 0
