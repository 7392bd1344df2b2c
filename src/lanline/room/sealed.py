"""Sealed files: JSON that notices when a byte of it changed.

For state that lanline alone writes and that carries no signature of its own (settings, freshness, the
presence cache). The seal is a checksum against decay and accidents, not against an attacker: whoever can
write the folder can write a fresh seal. Layout, byte for byte::

    {"lanline":"<kind>","sha256":"<64 hex digits>","value":<value>}\\n

The digest covers the kind and the value's bytes, and the rest is compared with what would be written; so
there is no byte whose change goes unnoticed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from lanline.errors import StateDamaged
from lanline.room.disk import OTHERS_WRITE, quoted, read_state, write_atomic

T = TypeVar("T")

MAX_SEALED_BYTES: Final = 4 * 1024 * 1024
"""Presence of 4,096 members with several addresses each is about 1 MiB."""


def seal(kind: str, value: Any) -> bytes:
    """The bytes of a sealed file. `value` is anything msgspec writes as JSON; `kind` is one plain word."""
    body = msgspec.json.encode(value, order="deterministic")
    return _frame(kind, body)


def unseal(kind: str, data: bytes, type_: type[T]) -> T:
    """The value that was sealed.

    Raises:
        StateDamaged: a byte differs from what was written, it is another kind, or not of this type.
    """
    head = len(_frame(kind, b"")) - len(b"}\n")
    body = data[head:-2]
    if data != _frame(kind, body):
        raise StateDamaged(f"a sealed {kind} file of {len(data)} bytes is not what was written")
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError as error:
        raise StateDamaged(f"a sealed {kind} file was written by another version: {error}") from error


def save_sealed(path: Path, kind: str, value: Any) -> None:
    """Replaces `path` by the sealed value, atomically.

    Raises:
        StateNotSaved: it could not be written; the old content is still there.
    """
    write_atomic(path, seal(kind, value))


def load_sealed(path: Path, kind: str, type_: type[T], *, forbidden_mode: int = OTHERS_WRITE) -> T | None:
    """The sealed value, None when there is no such file.

    Raises:
        StateDamaged: it is not what was written; the advice says how to go on.
        StateUnsafe: others can change it.
    """
    data = read_state(path, max_bytes=MAX_SEALED_BYTES, forbidden_mode=forbidden_mode)
    if data is None:
        return None
    try:
        return unseal(kind, data, type_)
    except StateDamaged as error:
        raise StateDamaged(
            f"{path}: {error}",
            advice=f"move it away (mv {quoted(path)} {quoted(path)}.damaged) and give again what it held; "
            "it is not to be edited by hand.",
        ) from error


def load_cache(path: Path, kind: str, type_: type[T]) -> tuple[T | None, str]:
    """As `load_sealed`, for what can be learned again: damage gives None and a note saying that it was
    discarded.

    Raises:
        StateUnsafe: others can change it.
    """
    try:
        return load_sealed(path, kind, type_), ""
    except StateDamaged as error:
        return None, f"{error}; it was discarded and is learned again"


def _frame(kind: str, body: bytes) -> bytes:
    digest = hashlib.sha256(kind.encode() + b"\n" + body).hexdigest()
    return f'{{"lanline":"{kind}","sha256":"{digest}","value":'.encode() + body + b"}\n"
