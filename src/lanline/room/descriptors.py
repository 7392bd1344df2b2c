"""How many descriptors this process may have open: raised at the node's start, and what it was before.

A node needs one for each link and several for each job. Its jobs need the old limit: programs that use select(2) break
beyond descriptor 1023 (getrlimit(2); that is why systemd raises only the hard limit). Kept here, and not handed
around, because a process has only one such limit.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

if sys.platform != "win32":
    import resource

    _SOFT_AT_START: Final = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_descriptor_limit() -> None:
    """Lets this process have as many descriptors as the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def give_first_limit(pid: int) -> None:
    """Gives a child process the limit that this process was started with.

    Linux only: elsewhere there is no prlimit(2), and it keeps the node's. So does a program with the set-user-id bit,
    which is another user's by now: no command is refused for that.
    """
    if sys.platform != "linux":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == _SOFT_AT_START:
        return
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (_SOFT_AT_START, hard))
