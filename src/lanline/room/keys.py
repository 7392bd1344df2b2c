"""P-256 keys: one per node, made there and never leaving it; one per room, the authority, on the hub.

It makes, stores as bytes, opens, signs and verifies; where the bytes lie is `paths.py`'s matter and
certificates are `certificates.py`'s. Two rules: a key is named by the SHA-256 of its public half in
SubjectPublicKeyInfo form, never by a certificate (whose bytes can be changed without the key: ECDSA
signatures are malleable); a signature is always over a context word and the data, so that what was signed
for one purpose never serves another.

cryptography is imported inside the functions: short-lived commands that only need a path must not pay for it.

Sources: RFC 5480 (P-256 in SubjectPublicKeyInfo), RFC 5958 (PKCS8), FIPS 186-5 (ECDSA). P-256 because
Chromium and Firefox refuse Ed25519 certificates.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeAlias

from lanline.errors import StateDamaged
from lanline.room.keybox import SCRYPT_N, lock_box, needs_passphrase, open_box

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.x509 import Certificate

    PrivateKey: TypeAlias = EllipticCurvePrivateKey
    PublicKey: TypeAlias = EllipticCurvePublicKey
    HasPublicKey: TypeAlias = PrivateKey | PublicKey | Certificate | bytes

KEY_HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
"""r and s, 32 bytes each, big-endian: a fixed size in place of DER's 70 to 72."""

_AUTHORITY_PURPOSE: Final = "authority-key"
_AUTHORITY_ADVICE: Final = "restore authority.key from a backup of the hub; the room cannot change without it."
_NODE_ADVICE: Final = "restore node.key from a backup of this machine, or move the state folder away and join again."


def new_key() -> PrivateKey:
    """A fresh P-256 key from the system's randomness."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def public_key_hash(source: HasPublicKey) -> bytes:
    """The 32 bytes by which a key is known: SHA-256 of its SubjectPublicKeyInfo in DER.

    Args:
        source: a private key, a public key, a certificate, or a certificate in DER as `ssl` hands it out.

    Raises:
        ValueError: the bytes are no certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(source, bytes):
        source = x509.load_der_x509_certificate(source)
    key = source if isinstance(source, ec.EllipticCurvePublicKey) else source.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def node_key_pem(key: PrivateKey) -> bytes:
    """The node's key as `ssl` loads it: PEM, PKCS8, not encrypted."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_node_key(data: bytes) -> PrivateKey:
    """The key of `node_key_pem`.

    Raises:
        StateDamaged: one byte differs from what was written, or the public half is not that of the private
            one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StateDamaged("the node's key is not what was written", advice=_NODE_ADVICE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StateDamaged("the node's key is not a P-256 key", advice=_NODE_ADVICE)
    _check_halves(key)
    # PEM has room for noise that parses all the same; only the exact text is ours.
    if node_key_pem(key) != data:
        raise StateDamaged("the node's key is not what was written", advice=_NODE_ADVICE)
    return key


def lock_authority_key(key: PrivateKey, passphrase: str | None, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """The authority key as it lies on disk: encrypted, or in the clear when `passphrase` is None.

    Raises:
        UsageError: the passphrase is empty.
    """
    return lock_box(private_der(key), passphrase, purpose=_AUTHORITY_PURPOSE, scrypt_n=scrypt_n)


def open_authority_key(data: bytes, passphrase: str | None = None) -> PrivateKey:
    """The authority key of `lock_authority_key`. Takes a quarter of a second when encrypted: call it in a
    thread.

    Raises:
        AuthorityLocked: the passphrase is missing or wrong.
        StateDamaged: the file is not what was written.
    """
    try:
        return parse_private_der(open_box(data, passphrase, purpose=_AUTHORITY_PURPOSE))
    except StateDamaged as error:
        raise _authority_damaged(error) from error


def is_authority_locked(data: bytes) -> bool:
    """Whether the authority key needs a passphrase.

    Raises:
        StateDamaged: the file is not what was written.
    """
    try:
        return needs_passphrase(data, purpose=_AUTHORITY_PURPOSE)
    except StateDamaged as error:
        raise _authority_damaged(error) from error


def private_der(key: PrivateKey) -> bytes:
    """The private key as PKCS8 DER, for a box."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def parse_private_der(data: bytes) -> PrivateKey:
    """The key of `private_der`.

    Raises:
        StateDamaged: it is no P-256 key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise StateDamaged("the key in the box is no private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StateDamaged("the key in the box is not a P-256 key")
    _check_halves(key)
    return key


def sign(key: PrivateKey, context: str, data: bytes) -> bytes:
    """A signature of 64 bytes (r then s) over the context word, a zero byte, and the data."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = utils.decode_dss_signature(key.sign(_signed(context, data), ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def is_signed(key: PublicKey, context: str, signature: bytes, data: bytes) -> bool:
    """Whether `signature` was made by `sign` with this key, this context and this data."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), _signed(context, data), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def short_key(key_hash: bytes) -> str:
    """The first 16 hexadecimal digits of a key hash: for people and for the audit, never for a decision."""
    return key_hash[:8].hex()


def _authority_damaged(error: StateDamaged) -> StateDamaged:
    return StateDamaged(f"the authority key cannot be used: {error}", advice=_AUTHORITY_ADVICE)


def _signed(context: str, data: bytes) -> bytes:
    return b"lanline " + context.encode() + b"\0" + data


def _check_halves(key: PrivateKey) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    numbers = key.private_numbers()
    derived = ec.derive_private_key(numbers.private_value, ec.SECP256R1()).public_key().public_numbers()
    if derived != numbers.public_numbers:
        raise StateDamaged("the two halves of a key do not belong together", advice=_NODE_ADVICE)
