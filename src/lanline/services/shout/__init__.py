"""shout: one sentence to everybody on the network, and hearing what others shout."""

from __future__ import annotations

WORDS: dict[str, str] = {"shout": "say one sentence to every machine on the network, or hear what others say"}
