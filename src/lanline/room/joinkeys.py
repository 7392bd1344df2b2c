"""The cryptography of joining: from a short code to four keys that only two machines have.

It knows nothing of what the messages mean; `joining.py` does. Two rules: an element that no honest peer sends is
refused before it is used; a key seals one message, which is why its nonce can be zero.

    transcript   = SHA-256("lanline join 1", 0, message 1, message 2)
    four keys    = HKDF-SHA256(SPAKE2 key, salt = transcript, info = "lanline join 1 keys"), 32 bytes each:
                   joiner's HMAC, joiner's AEAD, hub's HMAC, hub's AEAD
    AEAD         = ChaCha20-Poly1305, nonce zero

spake2 is not constant-time, hence the hold in `joining.py`; it and cryptography are imported only while joining.

Sources: RFC 9382 (SPAKE2; the spake2 package is an older, incompatible form of it, over Ed25519), RFC 5869 (HKDF),
RFC 8439 (ChaCha20-Poly1305).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from lanline.errors import RemoteProtocolError
from lanline.room.joincode import JoinCode

ELEMENT_BYTES: Final = 33
"""A letter for the side and a 32-byte point. Anything else is refused unseen: the library would take less."""
PROOF_BYTES: Final = 32

_NONCE: Final = bytes(12)
_PREFIX: Final = b"lanline join 1"


@dataclass(frozen=True, slots=True)
class JoinKeys:
    """What both sides have when both used the same code; 32 bytes each."""

    transcript: bytes
    joiner_proof: bytes = field(repr=False)
    joiner_seal: bytes = field(repr=False)
    hub_proof: bytes = field(repr=False)
    hub_seal: bytes = field(repr=False)


class Exchange:
    """One side of one key exchange; `start`, then `finish`, once each. Both take about 3 ms of a core.

    Args:
        code: what both sides must have.
        is_joiner: which side this is.
    """

    def __init__(self, code: JoinCode, *, is_joiner: bool) -> None:
        import spake2

        kind = spake2.SPAKE2_A if is_joiner else spake2.SPAKE2_B
        self._side: Any = kind(code.password, idA=b"lanline joiner", idB=b"lanline hub")

    def start(self) -> bytes:
        """The element to send, 33 bytes."""
        element: bytes = self._side.start()
        return element

    def finish(self, element: bytes, first: bytes, second: bytes) -> JoinKeys:
        """The keys. Whether the peer has the same ones shows at the first proof.

        Args:
            element: the peer's.
            first: message 1, whole.
            second: message 2, whole.

        Raises:
            RemoteProtocolError: an element that no honest peer sends.
        """
        from spake2 import SPAKEError
        from spake2.ed25519_basic import NotOnCurve

        if len(element) != ELEMENT_BYTES:
            raise RemoteProtocolError(f"a key exchange element of {len(element)} bytes, expected {ELEMENT_BYTES} bytes")
        try:
            shared: bytes = self._side.finish(element)
        except (SPAKEError, NotOnCurve, ValueError) as error:
            raise RemoteProtocolError("a key exchange element that is no point of the curve's group") from error
        return derive(shared, first, second)


def derive(shared: bytes, first: bytes, second: bytes) -> JoinKeys:
    """The four keys of a conversation from the shared key and its first two messages."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    transcript = hashlib.sha256(_PREFIX + b"\0" + first + second).digest()
    made = HKDF(SHA256(), 128, salt=transcript, info=_PREFIX + b" keys").derive(shared)
    return JoinKeys(transcript, made[:32], made[32:64], made[64:96], made[96:])


def proof_of(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256: that its maker has the key. Compare with `hmac.compare_digest`."""
    return hmac.digest(key, data, "sha256")


def seal_once(key: bytes, plain: bytes, additional: bytes) -> bytes:
    """Seals the one message that this key is for."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, additional)


def open_once(key: bytes, sealed: bytes, additional: bytes) -> bytes:
    """The message of `seal_once`.

    Raises:
        RemoteProtocolError: it was changed on its way.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, sealed, additional)
    except InvalidTag:
        raise RemoteProtocolError("a join message was changed on its way") from None
