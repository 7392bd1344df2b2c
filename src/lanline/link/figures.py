"""What a channel counts, the same for channels with an event loop and without. No asyncio here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Messages and bytes since the channel began, and messages received that nobody has taken yet."""

    sent_messages: int
    sent_bytes: int
    received_messages: int
    received_bytes: int
    waiting_messages: int
