"""Closing a connection politely, in bounded time.

`transport.close()` alone waits until the peer has taken everything, which a peer that is gone or hostile never does;
and over TLS asyncio waits half a minute for the peer's goodbye. So: whoever goes on taking bytes is given time, whoever
takes none for `limits.drain` seconds, or has got everything and does not close within a second, is cut off.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lanline.limits import Limits

_GOODBYE: Final = 1.0
"""Seconds that a peer has for closing its side once it has got everything."""


class Parting:
    """The closing of one transport.

    Args:
        transport: to be closed.
        limits: `drain` is used here.
    """

    def __init__(self, transport: asyncio.Transport, limits: Limits) -> None:
        self._transport = transport
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._unsent = 0
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Closes the transport. A second call does nothing, nor does one after the end."""
        if self._timer is None and not self._is_over:
            # The peer may have been first, and asyncio's TLS transport breaks when it is closed a second time.
            if not self._transport.is_closing():
                self._transport.close()
            self._wait()

    def over(self) -> None:
        """The connection is gone."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._unsent = self._transport.get_write_buffer_size()
        grace = self._limits.drain if self._unsent else _GOODBYE
        self._timer = self._loop.call_later(grace, self._judge)

    def _judge(self) -> None:
        if 0 < self._transport.get_write_buffer_size() < self._unsent:
            self._wait()
        else:
            self._transport.abort()
