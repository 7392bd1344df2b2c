"""A box for one secret on disk: encrypted with a passphrase, or in the clear where its owner spelled that out.

It does not know what is inside; `keys.py` and `backup.py` do. Two rules: the passphrase is stretched with
scrypt (PKCS8's own encryption uses PBKDF2, which needs no memory and so suits graphics cards); damage and a
wrong passphrase are told apart, for a person reacts differently to each.

The box is a sealed JSON file (see `sealed.py`) with these fields; bytes are base64::

    version     1
    purpose     what the secret is, such as "authority-key"
    kdf         "scrypt", or "none" for a secret in the clear
    n           scrypt's cost: 2^15 to 2^20 (r = 8, p = 1): 128 * n * 8 bytes of memory
    salt        16 random bytes
    nonce       12 random bytes
    secret      AES-256-GCM ciphertext and tag; additional data: purpose, kdf, n, salt

Sources: RFC 7914 (scrypt), NIST SP 800-38D (GCM), OWASP Password Storage Cheat Sheet (n = 2^17, r = 8, p =
1).
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from typing import Final

import msgspec

from lanline.errors import AuthorityLocked, StateDamaged, UsageError
from lanline.room.sealed import seal, unseal

SCRYPT_N: Final = 2**17
"""128 MiB of memory and 0.26 s on the machine this was measured on: once per start of a hub."""

MIN_SCRYPT_N: Final = 2**15
MAX_SCRYPT_N: Final = 2**20

_SCRYPT_R: Final = 8


class _Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    purpose: str
    kdf: str
    n: int
    salt: bytes
    nonce: bytes
    secret: bytes


def lock_box(secret: bytes, passphrase: str | None, *, purpose: str, scrypt_n: int = SCRYPT_N) -> bytes:
    """The bytes of a box around `secret`.

    Args:
        secret: what to keep.
        passphrase: at least one character; None keeps the secret in the clear.
        purpose: one word; a box is opened only for the purpose it was made for.
        scrypt_n: the cost, a power of two from 2^15 to 2^20.

    Raises:
        UsageError: the passphrase is empty, or the cost out of range.
    """
    if passphrase is None:
        return seal("key-box", _Box(1, purpose, "none", 0, b"", b"", secret))
    if scrypt_n not in (2**power for power in range(15, 21)):
        raise UsageError(f"scrypt_n is {scrypt_n}; it takes a power of two from {MIN_SCRYPT_N} to {MAX_SCRYPT_N}")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    key = _stretch(passphrase, salt, scrypt_n)
    ciphertext = AESGCM(key).encrypt(nonce, secret, _additional(purpose, scrypt_n, salt))
    return seal("key-box", _Box(1, purpose, "scrypt", scrypt_n, salt, nonce, ciphertext))


def open_box(data: bytes, passphrase: str | None, *, purpose: str) -> bytes:
    """The secret of a box. Takes as long as scrypt does: call it in a thread.

    Raises:
        AuthorityLocked: it needs a passphrase and none was given, or a wrong one.
        StateDamaged: the box is not what was written, or is not for this purpose.
    """
    box = _parse(data, purpose)
    if box.kdf == "none":
        return box.secret
    if passphrase is None:
        raise AuthorityLocked(f"the {purpose.replace('-', ' ')} is encrypted and needs its passphrase")
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = _stretch(passphrase, box.salt, box.n)
    try:
        return AESGCM(key).decrypt(box.nonce, box.secret, _additional(purpose, box.n, box.salt))
    except InvalidTag:
        # The seal was whole, so the bytes are those that were written: only the passphrase can be wrong.
        raise AuthorityLocked(
            f"the passphrase does not open the {purpose.replace('-', ' ')}",
            advice="type it again; capitals, and the keyboard's language, count.",
        ) from None


def needs_passphrase(data: bytes, *, purpose: str) -> bool:
    """Whether the box is encrypted.

    Raises:
        StateDamaged: as `open_box`.
    """
    return _parse(data, purpose).kdf != "none"


def _parse(data: bytes, purpose: str) -> _Box:
    box = unseal("key-box", data, _Box)
    if box.version != 1 or box.purpose != purpose:
        raise StateDamaged(f"this is a box for {box.purpose!r}, version {box.version}, and not for {purpose!r}")
    clear = box.kdf == "none" and box.n == 0
    # A box that asks for a terabyte of memory, or for next to none, was not made here.
    locked = box.kdf == "scrypt" and MIN_SCRYPT_N <= box.n <= MAX_SCRYPT_N and len(box.nonce) == 12
    if not (clear or locked):
        raise StateDamaged(f"a box for {purpose!r} with unknown encryption {box.kdf!r}, n = {box.n}")
    return box


def _stretch(passphrase: str, salt: bytes, n: int) -> bytes:
    # NFKC: the same passphrase typed on systems that compose accents differently is the same passphrase.
    typed = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    if not typed:
        raise UsageError("the passphrase is empty", advice="at least one character, or --no-passphrase.")
    memory = 128 * n * _SCRYPT_R + 1024 * 1024
    return hashlib.scrypt(typed, salt=salt, n=n, r=_SCRYPT_R, p=1, maxmem=memory, dklen=32)


def _additional(purpose: str, n: int, salt: bytes) -> bytes:
    return f"lanline key-box 1 {purpose} scrypt {n} {salt.hex()}".encode()
