"""run: commands on many machines, each ended for certain when nobody waits for it any more."""

from __future__ import annotations

WORDS: dict[str, str] = {"run": "run a command on machines of the room"}
