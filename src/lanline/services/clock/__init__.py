"""clock: what time it is. Here its plain face: the time to whoever asks over a bare socket, in words or as NTP."""

from __future__ import annotations

WORDS: dict[str, str] = {}

PLAIN: dict[str, str] = {"time": "the time: a line or datagram holds a format; NTP clients are answered as well"}
"""What `lanline serve` can serve of it."""
