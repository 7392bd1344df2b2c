"""Digests of uploads: which are read, which are refused, and which is wanted."""

from __future__ import annotations

import hashlib

import pytest

from lanline.services.share.uploads.digests import Digest, Hasher, read_digest, wanted_algorithm
from lanline.services.share.uploads.fields import bytes_field

_SHA256 = hashlib.sha256(b"hello").digest()
_SHA512 = hashlib.sha512(b"hello").digest()


def test_the_example_of_the_standard_is_read() -> None:
    # RFC 9530, appendix B.1: the 18 bytes of {"hello": "world"} and a newline.
    digest = read_digest(["sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"])
    assert digest is not None
    assert digest.matches(hashlib.sha256(b'{"hello": "world"}\n').digest())


def test_sha_256_is_taken_before_sha_512() -> None:
    field = bytes_field({"sha-512": _SHA512, "sha-256": _SHA256})
    assert read_digest([field]) == Digest("sha-256", _SHA256)
    assert read_digest([bytes_field({"sha-512": _SHA512})]) == Digest("sha-512", _SHA512)


@pytest.mark.parametrize(
    "field",
    ["", "sha-256", "sha-256=abc", "sha-256=:aGk=:", "md5=:aGk=:", "sha-256=:%%%:", "SHA-256=:" + "A" * 43 + "=:"],
)
def test_a_digest_that_cannot_be_checked_is_none(field: str) -> None:
    assert read_digest([field]) is None


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_a_hasher_tells_the_digest_of_all_it_was_given(algorithm: str) -> None:
    hasher = Hasher(algorithm)
    for part in (b"he", b"", b"llo"):
        hasher.update(part)
    assert hasher.value() == (_SHA256 if algorithm == "sha-256" else _SHA512)
    other = hasher.copy()
    other.update(b"!")
    assert other.value() != hasher.value()
    assert read_digest([hasher.field()]) == Digest(algorithm, hasher.value())


@pytest.mark.parametrize(
    ("field", "algorithm"),
    [
        ("sha-256=1", "sha-256"),
        ("sha-256=1, sha-512=3", "sha-512"),
        ("sha-256=0", None),
        ("sha-512=0, sha-256=2", "sha-256"),
        ("md5=10", None),
        ("?", None),
    ],
)
def test_the_preferred_known_algorithm_is_chosen(field: str, algorithm: str | None) -> None:
    assert wanted_algorithm([field]) == algorithm
