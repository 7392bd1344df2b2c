"""Whether a connection is over though nobody reads from it.

An event loop hears of a reset from the socket it reads from or writes to. Of a connection whose reading is paused, and
to which nothing is sent, it hears nothing. `poll` can be asked: it tells of an error and of a connection that is over
in both directions, takes nothing away, and says nothing of a peer that has only ended its own half.

Source: poll(2), POLLERR and POLLHUP.
"""

from __future__ import annotations

import asyncio
import select
from typing import Protocol, cast


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def can_be_asked(transport: asyncio.BaseTransport) -> bool:
    """Whether there is a socket below, and a system that can be asked about it."""
    return hasattr(select, "poll") and transport.get_extra_info("socket") is not None


def has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Whether the connection is over. Only where it can be asked."""
    descriptor = cast(_HasDescriptor, transport.get_extra_info("socket")).fileno()
    if descriptor < 0:
        return True
    asked = select.poll()
    asked.register(descriptor, 0)
    return bool(asked.poll(0))
