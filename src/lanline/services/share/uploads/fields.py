"""Structured header fields, as far as uploads use them: `?1`, `25000000` and `sha-256=:...:`.

Reading is strict, as the standard wants it: a field that does not parse as a whole counts as not sent, and so does one
that was sent twice where one item belongs. Parameters behind an item are allowed and ignored.

Source: RFC 9651 (Structured Field Values), sections 3 and 4.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final

_KEY: Final = r"[a-z*][a-z0-9_\-.*]*"
_BYTES: Final = r":[A-Za-z0-9+/=]*:"
_BARE: Final = (
    r"(?:-?[0-9]{1,15}(?:\.[0-9]{1,3})?"  # an integer or a decimal
    r'|"(?:[ !#-\[\]-~]|\\["\\])*"'  # a string
    rf"|{_BYTES}|\?[01]|@-?[0-9]{{1,15}}"  # bytes, a boolean, a date
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*)"  # a token
)
_PARAMETERS: Final = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_INTEGER: Final = re.compile(rf" *([0-9]{{1,15}}){_PARAMETERS} *")
_BOOLEAN: Final = re.compile(rf" *\?([01]){_PARAMETERS} *")
_MEMBER: Final = re.compile(rf"({_KEY})(?:=({_BARE}))?{_PARAMETERS}")

_COMMA: Final = re.compile(r"[ \t]*(?:,[ \t]*(?=[^ \t])|$)")
"""Between two members, or the end: a comma with nothing behind it is an error."""


def boolean_of(values: Sequence[str]) -> bool | None:
    """The boolean of an item field; None where the field is missing or is no boolean.

    Args:
        values: the field's lines, as they came.
    """
    found = _BOOLEAN.fullmatch(values[0]) if len(values) == 1 else None
    return found.group(1) == "1" if found else None


def count_of(values: Sequence[str]) -> int | None:
    """The integer of an item field, 0 to 999,999,999,999,999; None where it is missing, negative or no integer."""
    found = _INTEGER.fullmatch(values[0]) if len(values) == 1 else None
    return int(found.group(1)) if found else None


def dictionary_of(values: Sequence[str]) -> dict[str, str] | None:
    """The members of a dictionary field, each with its value as it was written; None where it does not parse.

    Lines are joined, and of a key that comes twice the last one counts. A key without a value is `?1`. Lists inside
    parentheses are not read: no field of uploads has them.
    """
    members: dict[str, str] = {}
    text = ", ".join(values).strip(" ")
    position = 0
    while position < len(text):
        found = _MEMBER.match(text, position)
        if found is None:
            return None
        members[found.group(1)] = found.group(2) or "?1"
        rest = _COMMA.match(text, found.end())
        if rest is None:
            return None
        position = rest.end()
    return members


def bytes_of(value: str) -> bytes | None:
    """What a dictionary's value `:aGVsbG8=:` stands for; None where it is no sequence of bytes."""
    if not re.fullmatch(_BYTES, value):
        return None
    try:
        return base64.b64decode(value[1:-1], validate=True)
    except binascii.Error:
        return None


def boolean_field(value: bool, /) -> str:
    """A boolean as a field's value: `?0` or `?1`."""
    return "?1" if value else "?0"


def bytes_field(members: Mapping[str, bytes]) -> str:
    """A dictionary of byte sequences as a field's value: `sha-256=:...:`."""
    return ", ".join(f"{key}=:{base64.b64encode(value).decode()}:" for key, value in members.items())
