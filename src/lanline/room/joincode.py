"""The code by which a machine joins: `K7-QM4T-9XWB`, made to be read aloud and typed.

Two public characters name the invitation (the slot), eight secret ones prove that somebody at the hub wants this
machine in. Letters are Crockford's base 32: no I, L, O, U. Rule: the secret is never in `repr`, a log or an
argument list.

Forty secret bits are few for a password and enough here: each guess needs a conversation with the hub, nothing can be
tried offline, and the door closes after a thousand wrong ones: a chance of 1 in 10^9.

Sources: Crockford, "Base 32" (2002).
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from lanline.errors import UsageError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SLOT_CHARACTERS: Final = 2
SECRET_CHARACTERS: Final = 8

_READ_AS: Final = str.maketrans("OIL", "011")
_FORM: Final = "a code looks like K7-QM4T-9XWB: ten letters and digits, hyphens and capitals do not matter"


@dataclass(frozen=True, slots=True)
class JoinCode:
    """A slot and its secret; `str()` shows only the slot."""

    slot: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, *, taken: Container[str] = ()) -> JoinCode:
        """A random code whose slot is not one of those taken."""
        while True:
            slot = _random(SLOT_CHARACTERS)
            if slot not in taken:
                return cls(slot, _random(SECRET_CHARACTERS))

    @classmethod
    def parse(cls, text: str) -> JoinCode:
        """The code that a person typed: any case, hyphens and blanks anywhere, O for 0, I and L for 1.

        Raises:
            UsageError: it has not ten characters, or one that no code holds. The text itself is not repeated.
        """
        # NFKC: a Chinese or Japanese keyboard may deliver full-width letters, which look the same.
        plain = unicodedata.normalize("NFKC", text[:200]).upper()
        kept = "".join(one for one in plain if one.isalnum()).translate(_READ_AS)
        strange = sorted({one for one in plain if not (one.isalnum() or one.isspace() or _is_dash(one))})
        wrong = strange or sorted(set(kept) - set(ALPHABET))
        if wrong:
            raise UsageError(f"no code holds {', '.join(map(repr, wrong[:5]))}", advice=f"type it again: {_FORM}.")
        length = SLOT_CHARACTERS + SECRET_CHARACTERS
        if len(kept) != length:
            raise UsageError(f"a code of {len(kept)} characters, expected {length}", advice=f"type it again: {_FORM}.")
        return cls(kept[:SLOT_CHARACTERS], kept[SLOT_CHARACTERS:])

    @property
    def text(self) -> str:
        """The whole code, to be shown once to the person who invites."""
        return f"{self.slot}-{self.secret[:4]}-{self.secret[4:]}"

    @property
    def password(self) -> bytes:
        """What both sides put into the key exchange."""
        return f"lanline join code {self.slot}{self.secret}".encode("ascii")

    def __str__(self) -> str:
        return f"{self.slot}-****-****"


def is_slot(text: str) -> bool:
    """Whether the text has the form of a slot."""
    return len(text) == SLOT_CHARACTERS and set(text) <= set(ALPHABET)


def _random(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def _is_dash(character: str) -> bool:
    return unicodedata.category(character) == "Pd" or character in "_.\N{MINUS SIGN}"
