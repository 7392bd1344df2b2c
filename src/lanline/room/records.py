"""What a node answers to the people of its machine: records, made by endpoints and shown by words.

Values only, and quick to load. Texts in them come from other machines: a console cleans them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Invited(msgspec.Struct, frozen=True, array_like=True):
    """An open invitation. Fields: the code (secret); the role it gives; how many machines; seconds it lives; addresses
    the hub can be reached at, as `host:port`."""

    code: str
    role: str
    uses: int
    ttl: float
    addresses: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Invited role={self.role} uses={self.uses}>"


class MemberLine(msgspec.Struct, frozen=True, array_like=True):
    """One member, with what presence knows of it. Times in seconds; a negative round trip was not measured; `last_seen`
    is civil time by the hub's clock, 0 for never; `key` is the first 16 digits of the key's hash."""

    name: str
    role: str
    is_hub: bool
    is_self: bool
    online: bool
    addresses: tuple[str, ...]
    version: str
    system: str
    runs: bool
    round_trip: float
    last_seen: float
    key: str


class NodeStatus(msgspec.Struct, frozen=True):
    """What `lanline status` shows. Times in seconds."""

    name: str
    room: str
    role: str
    is_hub: bool
    pid: int
    version: str
    uptime: float
    listens: tuple[str, ...]
    waiting_for: str
    roster_number: int
    members: int
    online: int
    roster_age: float
    is_locked: bool
    invitations: int
    policy: tuple[str, ...]
    runs: bool
    links: int
    alarms: tuple[str, ...]
    services: dict[str, Any]
    hub: str = ""
    """The hub's name."""
    reachable_at: tuple[str, ...] = ()
    """Where other machines reach this one, as `host:port`."""
