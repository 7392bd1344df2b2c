"""Raw: no framing at all. Whatever one read delivers is one message.

For talking to bare sockets, and for showing what TCP really does: two messages sent may arrive as one, one as
two ("sticky packets"). Where messages must keep their ends, take one of the other framings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lanline.framing.base import StreamDecoder, as_bytes


@dataclass(frozen=True, slots=True)
class Raw:
    """Every chunk is a message. Keeps nothing, limits nothing: a chunk is as large as one read."""

    name: ClassVar[str] = "raw"

    def encode(self, message: bytes) -> bytes:
        """The message as it is.

        Raises:
            TypeError: it is text, or nothing that holds bytes.
        """
        return as_bytes(message)

    def decoder(self) -> RawDecoder:
        """A decoder for one new stream."""
        return RawDecoder()


class RawDecoder(StreamDecoder):
    """Hands every chunk on; an empty one is no message."""

    __slots__ = ()

    def _decode(self, chunk: bytes) -> list[bytes]:
        return [chunk] if chunk else []
