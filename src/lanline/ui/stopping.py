"""Stopping the node of this machine, and waiting until it has really gone."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Final

from lanline.errors import CallError, ConnectFailed, LanlineError
from lanline.room.local import connect_local
from lanline.room.lock import is_locked, last_holder

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder

ANSWER: Final = 10.0
"""Seconds for a node to say that it will."""

PATIENCE: Final = 30.0
"""Seconds for a node to end what is under way; beyond it the person decides."""

_STEP: Final = 0.25


def stop_node(folder: StateFolder, console: Console) -> int:
    """Asks the node to stop and returns once its process is gone and the folder is free.

    Returns:
        The process id it had.

    Raises:
        NodeNotRunning, NotInRoom: there is none. LanlineError: it does not answer, or did not stop in time.
    """
    pid = last_holder(folder.lock)
    process = _handle(pid)
    try:
        _ask(folder, pid)
        wait_gone(pid, process, console)
    finally:
        console.progress("")
        if process is not None:
            os.close(process)
    if is_locked(folder.lock):
        raise LanlineError(f"another node has started with {folder.home} meanwhile", advice="lanline status")
    return pid


def _ask(folder: StateFolder, pid: int) -> None:
    try:
        with connect_local(folder, timeout=ANSWER) as node:
            node.ask("node.stop", timeout=ANSWER)
    except (CallError, ConnectFailed) as error:
        raise LanlineError(f"the node, process {pid}, does not stop: {error}", advice=f"kill {pid}") from error


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
                f"the node, process {pid}, is still stopping after {PATIENCE:.0f} s",
                advice=f"wait for it, or end it at once: kill -9 {pid}",
            )
        if waited > 1.0:
            console.progress(f"waiting for process {pid} to end ({waited:.0f} s)")
