"""The certificates of a room: the authority's, the nodes', and the request a joining node makes.

Certificates only prove which key speaks and under which name; who is in the room and with which role is the
roster's matter. Rules: the authority is constrained to `<room>.lanline.internal` and private addresses, so
a browser may import it without danger; times are generous, for the links do not check them (a machine with
a dead battery must get in).

Sources: RFC 5280 sections 4.2.1.6 (an empty subject makes the alternative name critical) and 4.2.1.10 (name
constraints), RFC 2986 (requests), RFC 1918, RFC 3927, RFC 4193. A constraint on URI names is left out:
Chromium refuses every certificate below one.
"""

from __future__ import annotations

import ipaddress
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from lanline.errors import JoinFailed, StateDamaged, UsageError
from lanline.room.keys import public_key_hash
from lanline.room.names import ROOM_DOMAIN, certificate_name, check_name
from lanline.transport.private import PRIVATE_NETWORKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, KeyUsage

    from lanline.room.keys import PrivateKey, PublicKey

NODE_DAYS: Final = 20 * 365
AUTHORITY_DAYS: Final = 40 * 365
WEB_DAYS: Final = 397
"""Browsers refuse longer ones from public authorities; the web page's certificate keeps to it."""

EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""No certificate begins before this, so a hub whose clock says 1970 makes certificates that browsers accept
later.
"""

MAX_REQUEST_BYTES: Final = 2048
MAX_CERTIFICATE_BYTES: Final = 8192


def new_authority_certificate(key: PrivateKey, room: str, *, now: datetime | None = None) -> Certificate:
    """The room's self-signed certificate: 40 years, constrained to its own names.

    Raises:
        UsageError: the room's name is not allowed.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    check_name(room, what="room name")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lanline room {room}")])
    permitted: list[GeneralName] = [x509.DNSName(f"{room}.{ROOM_DOMAIN}")]
    permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in PRIVATE_NETWORKS]
    builder = (
        _begin(key.public_key(), days=AUTHORITY_DAYS, now=now)
        .subject_name(subject)
        .issuer_name(subject)
        # 1, not 0: a second owner's authority can be added below this one without anybody joining again.
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
    )
    return builder.sign(key, SHA256())


def new_node_certificate(
    authority_key: PrivateKey,
    authority: Certificate,
    public_key: PublicKey,
    node: str,
    *,
    days: int = NODE_DAYS,
    addresses: Sequence[str] = (),
    now: datetime | None = None,
) -> Certificate:
    """A node's certificate: empty subject, critical names, both sides of TLS.

    Args:
        authority_key: the room's key, open.
        authority: the room's certificate; gives the room's name.
        public_key: the node's, P-256.
        node: its name.
        days: how long it says it is good; links do not look at it.
        addresses: private IP addresses to add, for the web page.
        now: the beginning; the present when None.

    Raises:
        UsageError: the name is not allowed.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    room = room_of(authority)
    dns = certificate_name(check_name(node, what="node name"), room)
    names: list[GeneralName] = [
        x509.DNSName(dns),
        x509.UniformResourceIdentifier(f"lanline://{room}.{ROOM_DOMAIN}/{node}"),
    ]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _begin(public_key, days=days, now=now)
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return builder.sign(authority_key, SHA256())


def new_request(key: PrivateKey, node: str) -> bytes:
    """A certificate request (DER) in which the node proves that it holds its key.

    The name in it is for people who look at the bytes; the hub takes the name from the join message.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, check_name(node, what="node name"))])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return request.public_bytes(Encoding.DER)


def check_request(data: bytes) -> PublicKey:
    """The public key of a request whose maker has proved to hold its private half. Everything else in it is
    ignored.

    Raises:
        JoinFailed: it is no request, not over a P-256 key, or not signed by that key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    if len(data) > MAX_REQUEST_BYTES:
        raise JoinFailed(f"certificate request of {len(data)} bytes, limit {MAX_REQUEST_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(data)
        key = request.public_key()
        signed = request.is_signature_valid
    except _library_errors() as error:
        raise JoinFailed("the certificate request cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise JoinFailed("the certificate request is not for a P-256 key")
    if not signed:
        raise JoinFailed("the certificate request is not signed by its own key")
    return key


def certificate_pem(certificate: Certificate) -> bytes:
    """The certificate as it lies on disk and travels."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def parse_authority_certificate(data: bytes) -> Certificate:
    """The room's certificate from PEM.

    Raises:
        StateDamaged: one byte differs from what was written, it is not signed by its own key, or is none of
            ours.
    """
    certificate = _parse(data, "authority certificate")
    check_issued(certificate, by=certificate)
    room_of(certificate)
    return certificate


def parse_node_certificate(data: bytes, authority: Certificate, *, key_hash: bytes | None = None) -> Certificate:
    """A node's certificate from PEM.

    Args:
        data: PEM.
        authority: the room's certificate, which must have signed it.
        key_hash: when given, the hash of the key it must be for.

    Raises:
        StateDamaged: it is not what was written, of another room, or for another key.
    """
    certificate = _parse(data, "node certificate")
    check_issued(certificate, by=authority)
    node_of(certificate, authority)
    if key_hash is not None and public_key_hash(certificate) != key_hash:
        raise StateDamaged("the node's certificate is for another key than this node's")
    return certificate


def check_issued(certificate: Certificate, *, by: Certificate) -> None:
    """Refuses a certificate that the authority `by` did not sign.

    Raises:
        StateDamaged: with that sentence.
    """
    try:
        certificate.verify_directly_issued_by(by)
    except _library_errors() as error:
        raise StateDamaged("the certificate is not signed by this room's authority") from error


def room_of(authority: Certificate) -> str:
    """The room's name in its authority certificate: the one DNS name it is constrained to.

    Raises:
        StateDamaged: it is no authority certificate of lanline.
    """
    from cryptography import x509

    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except _library_errors() as error:
        raise StateDamaged("the authority certificate has no name constraints") from error
    names = [name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName)]
    return _label(names, f".{ROOM_DOMAIN}", "authority certificate")


def node_of(certificate: Certificate, authority: Certificate) -> str:
    """The node's name in its certificate.

    Raises:
        StateDamaged: it has no name of this room, or several.
    """
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _library_errors() as error:
        raise StateDamaged("the certificate has no names") from error
    return _label(names.get_values_for_type(x509.DNSName), f".{room_of(authority)}.{ROOM_DOMAIN}", "certificate")


def _library_errors() -> tuple[type[Exception], ...]:
    """What cryptography raises over a certificate or request that is not in order; not all are ValueErrors."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.utils import CryptographyDeprecationWarning

    return (
        ValueError,
        CryptographyDeprecationWarning,
        TypeError,
        InvalidSignature,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.ExtensionNotFound,
        x509.UnsupportedGeneralNameType,
    )


def _label(names: Sequence[str], suffix: str, what: str) -> str:
    if len(names) != 1 or not names[0].endswith(suffix):
        raise StateDamaged(f"the {what} is for {', '.join(names)[:120] or 'nothing'}, expected one name *{suffix}")
    try:
        return check_name(names[0].removesuffix(suffix))
    except UsageError as error:
        raise StateDamaged(f"the {what} is for a name that is not allowed: {error}") from error


def _parse(data: bytes, what: str) -> Certificate:
    from cryptography import x509
    from cryptography.utils import CryptographyDeprecationWarning

    try:
        with warnings.catch_warnings():
            # What the library only warns of, such as a serial number below 1, no certificate of ours has.
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            certificate = x509.load_pem_x509_certificate(data[: MAX_CERTIFICATE_BYTES + 1])
        same = certificate_pem(certificate) == data and _has_whole_signature(certificate)
    except _library_errors() as error:
        raise StateDamaged(f"the {what} cannot be read") from error
    if not same:
        raise StateDamaged(f"the {what} is not what was written")
    return certificate


def _has_whole_signature(certificate: Certificate) -> bool:
    """Whether the signature is a bit string of whole bytes, at the end. The library also takes one that says that some
    of its last bits, if they are zero, are none: the only byte that the signature itself does not cover."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER).endswith(b"\x00" + certificate.signature)


def _begin(public_key: PublicKey, *, days: int, now: datetime | None) -> CertificateBuilder:
    from cryptography import x509

    # A day early: a peer whose clock is a little behind, in a browser, must not find it "not yet valid".
    begin = max(now or datetime.now(UTC), EARLIEST) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
