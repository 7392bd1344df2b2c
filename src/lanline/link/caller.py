"""Who is at the other end of a link, as far as this side has judged it.

A value without behaviour: endpoints receive it in a parameter typed `Caller`, guards make it, policies read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lanline.roles import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """The peer of a link.

    Attributes:
        name: its name in the roster; empty where there is no room.
        role: what it may do; None before it was judged.
        address: where it connected from, as text.
        key_hash: SHA-256 of its public key (32 bytes); empty without TLS.
        is_local: it reached this node over the node's own Unix socket.
    """

    name: str = ""
    role: Role | None = None
    address: str = ""
    key_hash: bytes = b""
    is_local: bool = False
