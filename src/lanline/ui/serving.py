"""What `init`, `join` and `up` have in common: the options of a node, what they change on disk, and the start.

Rule: whatever can be found wrong is found before anything is founded, joined or written: the port, the address, the
names of programs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from lanline.address import Address
from lanline.arguments import number
from lanline.console import Painted
from lanline.errors import UsageError
from lanline.room.policyfile import add_rule, allow_run_rule, load_policy
from lanline.room.records import NodeStatus
from lanline.room.settings import DEFAULT_PORT, Settings
from lanline.translation import _
from lanline.ui.detach import start_detached

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.arguments import WordParser
    from lanline.console import Console
    from lanline.room.paths import StateFolder

EVERYWHERE: Final = "*"

_AS_ROOT: Final = _(
    "This node runs as root, so it runs nothing for others all the same: any operator of the room would be root "
    "here. Run it as a plain user, or say --allow-root as well."
)


def add_serving_options(parser: WordParser) -> None:
    """`--bind --port --allow-run --allow-root --detach`."""
    parser.add_argument(
        "--bind", metavar="IP", help=_("address of this machine to listen on; * (every one) by default")
    )
    parser.add_argument(
        "--port",
        type=number(0, 65535),
        metavar="N",
        help=_("TCP port, {default_port} by default; 0 takes any free one").format(default_port=DEFAULT_PORT),
    )
    parser.add_flag_or_words(
        "--allow-run",
        metavar="PROGRAM,...",
        help=_("let operators of the room run commands here: any, or these programs alone, as in df,uptime"),
    )
    parser.add_argument("--allow-root", action="store_true", help=_("also where this node runs as root"))
    parser.add_argument("--detach", action="store_true", help=_("serve in the background; lanline down stops it"))


def chosen_settings(options: Namespace, before: Settings) -> Settings:
    """The settings with what the options change.

    Raises:
        UsageError: `--bind` is no IP address and not `*`.
    """
    changes: dict[str, object] = {}
    if options.bind is not None:
        changes["bind"] = _checked_bind(options.bind)
    if options.port is not None:
        changes["port"] = options.port
    return msgspec.structs.replace(before, **changes)


def hub_address(text: str) -> Address:
    """The address of a hub, as it is typed.

    Raises:
        UsageError: it is none.
    """
    if text.count(":") > 1 and "://" not in text and not text.startswith("["):
        text = f"[{text}]"  # a bare IPv6 address, as ip addr shows it
    address = Address.parse(text, default_port=DEFAULT_PORT)
    if address.scheme != "tcp" or address.is_every_interface:
        raise UsageError(
            _("{text!r} is not the address of a hub").format(text=text[:80]),
            advice=_("an IP address or a name, as lanline invite shows it."),
        )
    return address


def check_port(settings: Settings) -> None:
    """Raises ListenFailed where the port cannot be had now. Nobody is served."""
    import asyncio

    from lanline.transport import tcp

    async def try_it() -> None:
        listener = await tcp.listen(Address("tcp", settings.bind, settings.port), lambda _: asyncio.Protocol())
        await listener.close()

    asyncio.run(try_it())


def check_programs(options: Namespace) -> None:
    """Raises UsageError for a name in `--allow-run=` that is none."""
    allow_run_rule(options.allow_run or ())


def grant_runs(options: Namespace, folder: StateFolder, console: Console) -> None:
    """Writes what `--allow-run` and `--allow-root` say into this machine's policy, and prints it.

    Raises:
        StateUnsafe, StateDamaged, StateNotSaved, UsageError: the policy cannot be added to.
    """
    if options.allow_run is None and not options.allow_root:
        return
    before = load_policy(folder.policy)
    rule = None if options.allow_run is None else allow_run_rule(options.allow_run)
    words = add_rule(folder.policy, rule, allow_root=options.allow_root)
    is_new = load_policy(folder.policy) != before
    console.note(Painted(_("Rule written: ") if is_new else _("Rule in force: "), "yellow"), words)
    if rule is not None and os.geteuid() == 0 and not load_policy(folder.policy).allow_root:
        console.note(Painted(_("But: "), "yellow"), _AS_ROOT)


def start_node(
    folder: StateFolder,
    passphrase: str | None,
    console: Console,
    *,
    detach: bool,
    settings: Settings | None = None,
) -> int:
    """Starts the node and says where it is reached; in front, stays until it stops.

    Args:
        folder: its state.
        passphrase: of the room's authority key, on a hub.
        console: where a person is told.
        detach: in the background.
        settings: how to serve, written to disk once it does; None for what is there.

    Raises:
        LanlineError: it did not start, or had to stop.
    """
    if detach:
        from lanline.room.local import connect_local

        start_detached(folder, passphrase, console, settings)
        with connect_local(folder) as node:
            say_up(node.ask("node.status", timeout=10.0, returns=NodeStatus), console)
        return 0
    from lanline.ui.daemon import run_node
    from lanline.ui.logs import log_to_terminal

    def is_up(status: NodeStatus) -> None:
        say_up(status, console)
        console.note(Painted(_("Ctrl-C stops it; what happens is shown below."), "dim"))
        console.flush()

    log_to_terminal()
    run_node(folder, passphrase, is_up, settings)
    return 0


def say_up(status: NodeStatus, console: Console) -> None:
    """What a person wants to know of a node that has just started."""
    if console.wants_json:
        console.json(msgspec.to_builtins(status))
        return
    up = (
        _("{name} is up as the hub of the room {room}, process {pid}.")
        if status.is_hub
        else _("{name} is up in the room {room}, process {pid}.")
    )
    console.line(up.format(name=status.name, room=status.room, pid=status.pid))
    console.line(
        _("Other machines reach it at {reachable_at}.{status}").format(
            reachable_at=_(" or ").join(status.reachable_at), status=_only_here(status)
        )
    )
    console.line(_("It runs commands for operators of the room.") if status.runs else _("It runs nothing for others."))
    if status.is_locked:
        console.line(
            Painted(_("It is locked"), "yellow"), _(". Next: lanline unlock, before machines are invited or removed.")
        )
    elif status.is_hub and status.members == 1:
        console.line(_("Next: lanline invite, and what it says on the other machines."))


def _only_here(status: NodeStatus) -> str:
    """Loopback addresses are the most usual reason for a room of one."""
    if all(place.startswith(("127.", "[::1]")) for place in status.reachable_at):
        return _(" That is this machine alone: other machines cannot reach a loopback address.")
    return ""


def _checked_bind(text: str) -> str:
    if text == EVERYWHERE:
        return text
    from ipaddress import ip_address

    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        raise UsageError(
            _("--bind {text!r} is no IP address").format(text=text[:80]),
            advice=_("an address of this machine, as ip addr shows it, or *."),
        ) from None
    return Address("tcp", text).host
