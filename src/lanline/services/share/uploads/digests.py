"""Digests of content and of representations, as clients send and want them (RFC 9530).

`Content-Digest` is about the bytes of one request, `Repr-Digest` about the whole file. A client that sends one wants
it checked: one that cannot be read, or names no algorithm known here, is refused and not ignored. Only sha-256 and
sha-512 are known; RFC 9530 calls every other one deprecated or insecure.

Source: RFC 9530, sections 2 to 5.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lanline.http.refusal import Refusal
from lanline.services.share.uploads.fields import bytes_field, bytes_of, count_of, dictionary_of

if TYPE_CHECKING:
    from aiohttp import web

_HASHES: Final = {"sha-256": "sha256", "sha-512": "sha512"}
ALGORITHMS: Final = tuple(_HASHES)
"""The names of those known here."""

_SIZES: Final = {"sha-256": 32, "sha-512": 64}

WANTED: Final = "sha-256=10, sha-512=5"
"""What to answer in `Want-Content-Digest` or `Want-Repr-Digest` beside a refusal: sha-256 is the faster one here."""

_FIELDS: Final = ("Content-Digest", "Repr-Digest")


@dataclass(frozen=True)
class Digest:
    """One digest that a client sent: the algorithm's name, `sha-256` or `sha-512`, and its value."""

    algorithm: str
    value: bytes

    def matches(self, computed: bytes) -> bool:
        """Whether this is what was computed, in a time that tells nothing of where they differ."""
        return hmac.compare_digest(self.value, computed)


class Hasher:
    """The digest of bytes as they come.

    Args:
        algorithm: `sha-256` or `sha-512`.
    """

    __slots__ = ("algorithm", "_hash")

    def __init__(self, algorithm: str = "sha-256") -> None:
        self.algorithm = algorithm
        self._hash = hashlib.new(_HASHES[algorithm], usedforsecurity=True)

    def update(self, data: bytes | memoryview) -> None:
        """Takes the next bytes. Large ones are hashed without holding the interpreter's lock."""
        self._hash.update(data)

    def copy(self) -> Hasher:
        """Another one that has taken the same bytes."""
        other = Hasher.__new__(Hasher)
        other.algorithm, other._hash = self.algorithm, self._hash.copy()
        return other

    def value(self) -> bytes:
        """The digest of all bytes so far."""
        return self._hash.digest()

    def field(self) -> str:
        """The digest so far as a field's value."""
        return bytes_field({self.algorithm: self.value()})


def read_digest(values: Sequence[str]) -> Digest | None:
    """The digest to check of a `Content-Digest` or `Repr-Digest` field.

    Args:
        values: the field's lines, at least one.

    Returns:
        the sha-256 one, else the sha-512 one; None where the field cannot be read or has neither.
    """
    members = dictionary_of(values)
    for algorithm in _HASHES:
        if members and algorithm in members:
            value = bytes_of(members[algorithm])
            return Digest(algorithm, value) if value is not None and len(value) == _SIZES[algorithm] else None
    return None


def wanted_algorithm(values: Sequence[str]) -> str | None:
    """The algorithm that a `Want-Repr-Digest` field prefers of those known here; None where it wants none of them."""
    members: Mapping[str, str] = dictionary_of(values) or {}
    weights = {name: count_of([members[name]]) or 0 for name in _HASHES if name in members}
    best = max(weights, key=lambda name: weights[name], default=None)
    return best if best is not None and weights[best] > 0 else None


def digests_to_check(request: web.BaseRequest) -> list[Digest]:
    """The digests that the client wants compared. Raises Refusal: 400, one of them cannot be."""
    return [digest for name in _FIELDS if (digest := digest_of(request, name)) is not None]


def digest_of(request: web.BaseRequest, name: str) -> Digest | None:
    """The digest in this field; None where the request has no such field. Raises Refusal: 400, it cannot be checked."""
    values = request.headers.getall(name, [])
    if not values:
        return None
    digest = read_digest(values)
    if digest is None:
        raise Refusal(400, f"{name} has no sha-256 or sha-512 that can be read.", headers={f"Want-{name}": WANTED})
    return digest


def check_digest(digest: Digest, hasher: Hasher) -> None:
    """Passes if what came is what the client meant to send. Raises Refusal: 400."""
    if not digest.matches(hasher.value()):
        text = f"What came has another {digest.algorithm} than the request says: it was changed on its way."
        raise Refusal(400, text)
