"""Values on the wire: msgpack by msgspec, one encoder for all and one decoder per type.

Apart from `call.py` because the blocking twin needs it too, and may not load asyncio.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

encode: Final = msgspec.msgpack.Encoder().encode
"""One value as msgpack."""

_decoders: dict[Any, Any] = {}


def decoder(kind: Any) -> Any:
    """The msgpack decode function for a type, made once per type."""
    decode = _decoders.get(kind)
    if decode is None:
        decode = _decoders[kind] = msgspec.msgpack.Decoder(kind).decode
    return decode


def is_raw(value: Any) -> bool:
    """Whether a value travels as bytes as they are, not as msgpack."""
    return isinstance(value, (bytes, bytearray, memoryview))
