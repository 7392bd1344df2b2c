"""`lanline down`: stops this machine's node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.translation import _
from lanline.ui.stopping import stop_node

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder


def down(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Stops the node and waits until it has gone."""
    WordParser(
        "down",
        console,
        _(
            "Stops the node of this machine and waits until it has gone. Jobs it runs for others are "
            "ended. A node that\n"
            "does not answer gets SIGTERM, which leaves it time to do the same."
        ),
        examples="lanline down",
    ).parse_args(arguments)
    pid = stop_node(folder, console)
    if console.wants_json:
        console.json({"stopped": pid})
    else:
        console.line(_("The node is down: process {pid} has ended. lanline up starts it again.").format(pid=pid))
    return 0
