"""The composition root: the one place where a node, its services, an event loop and the signals of a process meet.

It runs until somebody wants the node to stop (`lanline down`, SIGTERM, SIGINT, SIGHUP), then lets it end what is under
way. A second signal ends the process at once; the jobs' guardian and the kernel's locks see to the rest.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Final

from lanline import __version__
from lanline.errors import AuthorityLocked, LanlineError
from lanline.room.descriptors import raise_descriptor_limit
from lanline.room.hub import Hub
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.records import NodeStatus
from lanline.room.settings import Settings, save_settings
from lanline.transport.loops import loop_factory
from lanline.ui.services import make_services

log = logging.getLogger("lanline.node")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_node(
    folder: StateFolder,
    passphrase: str | None,
    is_up: Callable[[NodeStatus], None],
    settings: Settings | None = None,
) -> None:
    """Runs the node of a state folder until it is to stop.

    Args:
        folder: the node's state.
        passphrase: of the room's authority key, on a hub. None starts a hub whose key is encrypted locked.
        is_up: called once the node serves.
        settings: how to serve, kept for the next time once that has worked; None for what is on disk.

    Raises:
        LanlineError: it could not start, or had to stop by itself.
    """
    raise_descriptor_limit()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(folder, passphrase, is_up, settings))


async def _serve(
    folder: StateFolder, passphrase: str | None, is_up: Callable[[NodeStatus], None], settings: Settings | None
) -> None:
    node = Node(folder, version=__version__, settings=settings)
    try:
        node.host(make_services(node))
        _stop_on_signals(node)
        if node.hub is not None:
            await _unlock(node.hub, folder, passphrase)
        await node.start()
        if settings is not None:
            save_settings(folder, settings)
        log.info("lanline %s, node %s of the room %s, process %d", __version__, node.name, node.room, os.getpid())
        is_up(node.status())
        await node.wait_stop_wanted()
    finally:
        await node.stop()
    log.info("stopped")
    if node.failure is not None:
        raise LanlineError(f"the node had to stop: {node.failure}", advice="look at its log, and start it again.")


async def _unlock(hub: Hub, folder: StateFolder, passphrase: str | None) -> None:
    try:
        await asyncio.to_thread(hub.unlock, passphrase)
    except AuthorityLocked:
        if passphrase is not None:
            raise
        log.warning("the hub is locked: no invitations, removals or changes of roles until lanline unlock")


def _stop_on_signals(node: Node) -> None:
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)  # a second one ends this process at once
        log.info("stopping: %s", number.name)
        node.request_stop()

    for one in _SIGNALS:
        # What was told to be ignored stays so: SIGHUP under nohup, SIGINT of a background job.
        if signal.getsignal(one) is not signal.SIG_IGN:
            loop.add_signal_handler(one, stop, one)
