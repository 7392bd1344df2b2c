"""Limits of HTTP: what one server takes from browsers and their like, and how long it waits for them.

They stand beside `lanline.limits`, whose numbers are those of links between members; here strangers talk, and what a
link calls a frame is a header or a body. Sizes in bytes, times in seconds. Nothing that comes over the network raises
one; the owner does, with `WEB._replace(...)`.
"""

from __future__ import annotations

from typing import NamedTuple

from lanline.limits import LAN, KiB, Limits

SURPLUS_CONNECTIONS = 256
"""Connections beyond the limit that are taken all the same: to be told 503, or until those that make room for them are
gone, which takes three turns of the loop with 64 newcomers each. Whoever comes beyond these is closed."""


class HttpLimits(NamedTuple):
    """What one HTTP server accepts. Sizes in bytes, times in seconds."""

    max_connections: int = 2048
    """Open at once. Beyond it the one idle longest is closed; where none is idle, the address that has
    most gives one up to one that has less than half as many, or else the newcomer hears 503."""

    max_header_bytes: int = 32 * KiB
    """Request line and header fields together; beyond it 431. Browsers send 1 to 4 KiB."""

    max_header_fields: int = 128
    """Beyond it 431."""

    max_target_bytes: int = 8 * KiB
    """The target of a request, path and query; beyond it 414. Not more than `max_header_bytes`."""

    header: float = 20.0
    """A header must be whole this long after its first byte; else 408."""

    stall: float = 60.0
    """A body of which nothing comes for this long: 408. An answer of which nothing is taken for this long: cut off.
    A paused video takes nothing; its browser asks for the rest when it goes on."""

    body_bytes_per_second: int = 256
    """The pace that a body must keep after its first `stall` seconds, counted while it is waited for; else 408."""

    idle: float = 75.0
    """A connection without a request is closed silently after this; browsers close after 60 to 300 s."""

    linger: float = 30.0
    """How long the rest of a refused body is read and thrown away, so that the refusal is not lost to a reset."""

    max_rest_bytes: int = 256 * KiB
    """The rest of an unread body up to which a connection is kept for the next request."""

    read_bytes: int = 64 * KiB
    """Bytes of a body that wait for whoever reads it; at twice as many the sender has to wait."""

    retry_after: int = 5
    """Seconds that a 503 asks to wait."""

    drain: float = 5.0
    """How long a graceful stop waits for answers under way."""

    handshake: float = 10.0
    """From accept to the end of the TLS handshake. A phone that asks its owner about a certificate opens anew."""

    def most_connections(self, files: int | None) -> int:
        """How many connections are served: `max_connections`, or fewer where descriptors are few.

        Args:
            files: how many this process may open; None where nothing says so. Listeners use 70 % of them, and up to a
                quarter of that is surplus.
        """
        if files is None:
            return self.max_connections
        room = files * 7 // 10
        return max(1, min(self.max_connections, room - min(SURPLUS_CONNECTIONS, room // 4)))

    def of_transport(self) -> Limits:
        """The same for the listeners, which count before a byte is read."""
        most = self.max_connections + SURPLUS_CONNECTIONS
        return LAN._replace(
            max_connections=most,
            max_connections_per_address=most,
            max_strangers=min(1024, most),
            max_strangers_per_address=min(1024, most),
            handshake=self.handshake,
            drain=self.drain,
        )


WEB = HttpLimits()
"""The defaults."""
