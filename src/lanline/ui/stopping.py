"""Stopping the node of this machine, and waiting until it has really gone.

It is asked over its socket. Where it does not answer, the process that holds the folder's lock gets SIGTERM. Rule: no
process is signalled that was not seen to hold the lock, and only by its pidfd, for ids are given out again.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING, Final

from lanline.errors import CallError, ConnectFailed, LanlineError, NodeNotRunning
from lanline.room.local import connect_local
from lanline.room.lock import is_held_by, is_locked, last_holder
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder

ANSWER: Final = 10.0
"""Seconds for a node to say that it will."""

PATIENCE: Final = 30.0
"""Seconds for a node to end what is under way; beyond it the person decides."""

_STEP: Final = 0.25


def stop_node(folder: StateFolder, console: Console) -> int:
    """Has the node stop and returns once its process is gone and the folder is free.

    Returns:
        The process id it had.

    Raises:
        NodeNotRunning, NotInRoom: there is none. LanlineError: it did not stop in time, or it does not answer and
            cannot be told from another process.
    """
    pid = last_holder(folder.lock)
    process = _handle(pid)
    try:
        try:
            _ask(folder)
        except (CallError, ConnectFailed, NodeNotRunning) as error:
            _end(folder, pid, process, error, console)
        wait_gone(pid, process, console)
    finally:
        console.progress("")
        if process is not None:
            os.close(process)
    if is_locked(folder.lock):
        raise LanlineError(
            _("another node has started with {home} meanwhile").format(home=folder.home), advice="lanline status"
        )
    return pid


def _ask(folder: StateFolder) -> None:
    with connect_local(folder, timeout=ANSWER) as node:
        node.ask("node.stop", timeout=ANSWER)


def _end(folder: StateFolder, pid: int, process: int | None, why: LanlineError, console: Console) -> None:
    """Ends a node that cannot be asked by a signal, if it is sure that this process is the node.

    Raises:
        NodeNotRunning: nobody holds the folder. LanlineError: who does cannot be told.
    """
    if isinstance(why, NodeNotRunning) and not is_locked(folder.lock):
        raise why
    if process is None or not is_held_by(folder.lock, pid):
        raise LanlineError(
            _("the node does not answer, and process {pid} cannot be seen to be it: {why}").format(pid=pid, why=why),
            advice=_("look at that process, and end it if it is the node: kill {pid}").format(pid=pid),
        ) from why
    console.note(
        _("The node, process {pid}, does not answer ({why}). It is told to end by SIGTERM.").format(pid=pid, why=why)
    )
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return  # it has ended meanwhile
    except PermissionError as error:
        raise LanlineError(
            _("process {pid} is another user's and is not ended").format(pid=pid),
            advice=f"sudo kill {pid}",
        ) from error


def _handle(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None when it is not of this process's world."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def wait_gone(pid: int, process: int | None, console: Console) -> None:
    """Waits until a process has ended.

    Args:
        pid: its id.
        process: its pidfd; None where there is none to be had.

    Raises:
        LanlineError: it still runs after PATIENCE seconds.
    """
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        if process is None:
            time.sleep(_STEP)
            if not os.path.exists(f"/proc/{pid}"):
                return
        elif select.select([process], [], [], _STEP)[0]:
            return
        if waited > PATIENCE:
            raise LanlineError(
                _("the node, process {pid}, is still stopping after {patience:.0f} s").format(
                    pid=pid, patience=PATIENCE
                ),
                advice=_("wait for it, or end it at once: kill -9 {pid}").format(pid=pid),
            )
        if waited > 1.0:
            console.progress(_("waiting for process {pid} to end ({waited:.0f} s)").format(pid=pid, waited=waited))
