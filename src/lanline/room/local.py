"""The link of a command word to the node of this machine, over its Unix socket.

Every word that needs a running node begins here. It loads no event loop and no cryptography. Rule: whatever keeps the
node from being asked is said in terms of what to do next: found or join a room, start the node.
"""

from __future__ import annotations

import errno
from typing import Final

from lanline.address import Address
from lanline.errors import ConnectFailed, NodeNotRunning, NotInRoom
from lanline.link import blocking
from lanline.room.paths import StateFolder

_NOBODY_LISTENS: Final = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)
"""No socket, or one that a node left behind which was killed."""


def connect_local(folder: StateFolder, *, timeout: float = 5.0) -> blocking.Link:
    """A link with this machine's own node: `with connect_local(folder) as node: node.ask("node.who", "@all")`.

    Args:
        folder: the state folder of the node.
        timeout: seconds until the node has let this process in.

    Raises:
        NotInRoom: the folder belongs to no room.
        NodeNotRunning: it does, and no node is running.
        StateUnsafe: the folder is another user's.
        ConnectFailed: the node is there and does not let this user in, or does not answer.
    """
    try:
        return blocking.connect_link(Address("unix", path=folder.control_socket_name), timeout=timeout)
    except ConnectFailed as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise ConnectFailed(
                f"this machine's node cannot be asked: {error}",
                advice=f"ask as the user whose node it is; where it does not answer, look at {folder.home}/node.log.",
            ) from error
        if cause.errno not in _NOBODY_LISTENS:
            raise
        if not folder.is_in_room:
            raise NotInRoom(f"this machine is in no room ({folder.home})") from error
        raise NodeNotRunning(f"no node is running on this machine ({folder.home})") from error
