"""`lanline unlock`: opens the authority key of a hub that was started without its passphrase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.room.local import connect_local
from lanline.room.records import NodeStatus
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder


def unlock(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Asks for the passphrase and opens the key in the running hub."""
    parser = WordParser(
        "unlock",
        console,
        _("Opens the room's authority key in the running hub, so that machines can be invited and removed again."),
        examples="lanline unlock\nlanline unlock --passphrase-file /root-only/passphrase",
    )
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help=_("read the passphrase from there; - is standard input")
    )
    options = parser.parse_args(arguments)
    with connect_local(folder) as node:
        now: NodeStatus = node.ask("node.status", timeout=10.0, returns=NodeStatus)
        if now.is_hub and not now.is_locked:
            console.line(_("The hub {name} is open already.").format(name=now.name))
            return 0
        passphrase = ""
        if now.is_hub:
            passphrase = _passphrase(options.passphrase_file, console)
        node.ask("node.unlock", passphrase, timeout=30.0)
    console.line(_("The hub {name} is open: machines can be invited, removed and given roles.").format(name=now.name))
    return 0


def _passphrase(file: str | None, console: Console) -> str:
    from lanline.room.firstline import read_line_of

    if file is not None:
        return read_line_of(file, what="passphrase", is_secret=True)
    return console.secret(_("Passphrase of the room"))
