"""The four roles of a room, in order of what they may do.

A role belongs to the roster and nowhere else: certificates and invitations only hint at it. An endpoint
declares the least role that may call it; `Role` compares accordingly.
"""

from __future__ import annotations

from enum import IntEnum

from lanline.errors import UsageError


class Role(IntEnum):
    """guest < member < operator < owner. The numbers are in signed rosters and never change."""

    GUEST = 1
    MEMBER = 2
    OPERATOR = 3
    OWNER = 4

    @property
    def word(self) -> str:
        """The role as people write it: `operator`."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Role:
        """The role that a person wrote.

        Raises:
            UsageError: for anything that is not one of the four words.
        """
        try:
            return cls[text.strip().upper()]
        except KeyError:
            words = ", ".join(role.word for role in cls)
            raise UsageError(f"there is no role {text!r}: the roles are {words}") from None
