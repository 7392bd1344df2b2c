"""Which datagrams are copies of one shout. Pure: the time is an argument.

A shout leaves by several ways, so a listener hears it several times: over IPv4 and IPv6, by broadcast and multicast,
through two interfaces on one network. Its bytes are plain and carry no number, so a copy is known by what all copies
share: the text, and the port it was sent from. The sender's address is no help, as it is another one for each way.

What that costs: the same text from the same port within a second is heard once. `lanline shout` takes a new port each
time, so a shout that is repeated is heard twice; of two machines that shout the same text in the same second, one in
some thirty thousand chooses the port of the other and is not heard.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

WINDOW_S: Final = 1.0
"""How long after the first the last copy may come. On a LAN they are milliseconds apart."""

_MAX_KNOWN: Final = 1024
"""Shouts whose copies are known for such; a flood of more than that within the window shows some of them twice."""


class Copies:
    """Remembers what was heard within the last second."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[int, bytes], float] = OrderedDict()

    def is_copy(self, message: bytes, port: int, now: float) -> bool:
        """Whether this was heard before; if not, it was now.

        Args:
            message: the whole datagram.
            port: its sender's.
            now: seconds that never go back.
        """
        while self._heard:
            key, since = next(iter(self._heard.items()))
            if now - since < WINDOW_S and len(self._heard) < _MAX_KNOWN:
                break
            del self._heard[key]
        key = (port, message)
        if key in self._heard:
            return True
        self._heard[key] = now
        return False
