"""A small room made in memory: its authority, its hub and one more node, for the tests of this layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lanline.roles import Role
from lanline.room import certificates, keys, roster

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from lanline.room.keys import PrivateKey


@dataclass(frozen=True)
class Founded:
    """Everything about a room of two: `hub-1`, its owner, and `pc7`, an operator."""

    authority_key: PrivateKey
    authority: Certificate
    hub_key: PrivateKey
    node_key: PrivateKey
    node: Certificate
    roster: roster.Roster

    @property
    def signed(self) -> bytes:
        """The roster, signed afresh."""
        return roster.sign(self.roster, self.authority_key)


def found(room: str = "lab") -> Founded:
    """A new room with new keys."""
    authority_key, hub_key, node_key = keys.new_key(), keys.new_key(), keys.new_key()
    authority = certificates.new_authority_certificate(authority_key, room)
    node = certificates.new_node_certificate(authority_key, authority, node_key.public_key(), "pc7")
    first = roster.first_roster(
        room, authority_key.public_key(), "hub-1", keys.public_key_hash(hub_key), issued_at=1_000
    )
    both = first.with_member("pc7", keys.public_key_hash(node_key), Role.OPERATOR, issued_at=2_000)
    return Founded(authority_key, authority, hub_key, node_key, node, both)


@cache
def the_room() -> Founded:
    """One room for all tests that change nothing of it."""
    return found()
