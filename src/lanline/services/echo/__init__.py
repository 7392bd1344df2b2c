"""echo: sends back what it gets. The smallest service there is, and the first to ask when a link does not work."""

from __future__ import annotations

WORDS: dict[str, str] = {}

PLAIN: dict[str, str] = {"echo": "sends back what it gets, in words of your own; quit ends a client"}
"""What `lanline serve` can serve of it."""
