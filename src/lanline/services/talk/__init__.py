"""talk: two people, one line each whenever they like, over a bare socket. The other side needs nothing of lanline."""

from __future__ import annotations

WORDS: dict[str, str] = {"talk": "talk with whoever is at a bare socket: nc, socat, a script, another lanline"}
