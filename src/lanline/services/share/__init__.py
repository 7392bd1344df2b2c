"""share: a folder, a file or standard input in every browser of the network, over HTTP. No room is needed."""

from __future__ import annotations

WORDS: dict[str, str] = {"share": "put a folder into every browser of the network: read it, or add to it"}
