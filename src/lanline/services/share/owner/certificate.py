"""The certificate of a share: made on this machine, signed by itself, kept from one time to the next.

A browser warns of it, for nobody it knows vouches for it; what people compare is its fingerprint, so that has to stay
the same. Rules:

- Key and certificate stand in one file of the state folder, readable for its owner alone, so that they always belong
  together. A file that is damaged or that others can read is refused, never quietly replaced.
- It is made anew when it lacks a name or address that is served, or has less than 30 days left. The key stays; so do
  the names it had, up to a number, so that a machine that goes to and fro between two networks keeps its fingerprint.
- Of two first starts at the same moment one makes it, and the other takes what the first has made.
- P-256, 397 days: what every browser takes. It is no authority: who trusts it trusts this share and nothing else.

Sources: RFC 5280 sections 4.2.1.3, 4.2.1.6, 4.2.1.9 and 4.2.1.12; CA/Browser Forum, Baseline Requirements 6.3.2.
Decision 103.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lanline.errors import StateDamaged, StateNotSaved, StateUnsafe, UsageError
from lanline.room.certificates import EARLIEST, WEB_DAYS
from lanline.room.disk import create_secret, quoted, read_secret, write_atomic
from lanline.room.keys import new_key, node_key_pem, public_key_hash
from lanline.room.paths import StateFolder, ensure_folder
from lanline.translation import _

if TYPE_CHECKING:
    import ssl

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

FILE_NAME: Final = "certificate.pem"
RENEW_BEFORE: Final = timedelta(days=30)
MAX_NAMES: Final = 24
"""Names and addresses in a certificate; those of old networks go first."""

_MAX_BYTES: Final = 32 * 1024
_DNS_NAME: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Identity(NamedTuple):
    """The certificate that a share shows."""

    file: Path
    """PEM, key and certificate."""

    fingerprint: str
    """See `fingerprint_of`."""

    pin: str
    """SHA-256 of the public key in base64, as `curl --pinnedpubkey sha256//PIN` takes it. It outlives renewals."""

    is_new: bool
    """Whether it was made just now: nobody can have seen it before."""


def own_identity(folder: StateFolder, names: Sequence[str], *, now: datetime | None = None) -> Identity:
    """The certificate of this machine's shares, made or renewed where it has to be.

    Args:
        folder: the state folder; made where it is missing.
        names: names and IP addresses that are served, the most important first. What cannot stand in a certificate,
            such as a host name with an underscore, is left out.
        now: the present when None.

    Raises:
        StateUnsafe: others can read the file. StateDamaged: it is not what was written. StateNotSaved: it cannot be.
    """
    now = now or datetime.now(UTC)
    place = _place(folder)
    data = read_secret(place, max_bytes=_MAX_BYTES)
    wanted = _usable(names)
    if data is None:
        return _first(place, wanted, now) or own_identity(folder, names, now=now)
    key, old = _parse(place, data)
    if set(wanted) <= set(_names_of(old)) and _is_good(old, now):
        return Identity(place, fingerprint_of(_der(old)), _pin(old), is_new=False)
    kept = [name for name in _names_of(old) if name not in wanted]
    certificate = _make(key, [*wanted, *kept][:MAX_NAMES], now)
    write_atomic(place, node_key_pem(key) + _pem(certificate))
    return Identity(place, fingerprint_of(_der(certificate)), _pin(certificate), is_new=True)


def _first(place: Path, names: Sequence[str], now: datetime) -> Identity | None:
    """Makes key and certificate where there is no file; None where somebody else was first.

    Raises:
        StateNotSaved: it cannot be written.
    """
    key = new_key()
    certificate = _make(key, names, now)
    try:
        create_secret(place, node_key_pem(key) + _pem(certificate))
    except StateUnsafe:  # it is there by now; whether it can be trusted is judged where it is read
        return None
    return Identity(place, fingerprint_of(_der(certificate)), _pin(certificate), is_new=True)


def fingerprint_of(der: bytes) -> str:
    """SHA-256 of a certificate, in pairs of digits as browsers and openssl show it: `AB:01:...`, 95 characters."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def fingerprint_in(file: Path) -> str:
    """The fingerprint of the first certificate in a PEM file of somebody's own.

    Raises:
        UsageError: it cannot be read, or holds none.
    """
    import ssl

    try:
        text = file.read_text(encoding="latin-1")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----", begin)
        return fingerprint_of(ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----\n"))
    except OSError as error:
        raise UsageError(_("{file} cannot be read: {strerror}").format(file=file, strerror=error.strerror)) from error
    except ValueError as error:
        raise UsageError(
            _("there is no certificate in {file}").format(file=file),
            advice=_("name a PEM file: it has a line BEGIN CERTIFICATE."),
        ) from error


def https_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """For serving HTTP/1.1 over TLS 1.2 or newer.

    Raises:
        UsageError: a file cannot be read, or the two do not belong together.
    """
    from lanline.transport.tlscontext import server_context

    context = server_context(certificate_file, key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _pin(certificate: Certificate) -> str:
    return base64.b64encode(public_key_hash(certificate)).decode()


def _place(folder: StateFolder) -> Path:
    own = folder.service("share")
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateNotSaved(
            _("{path} cannot be made: {strerror}").format(path=folder.path.parent, strerror=error.strerror or error)
        ) from error
    ensure_folder(folder.path)
    ensure_folder(own)
    return own / FILE_NAME


def _usable(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for one in names:
        name = one.partition("%")[0].lower().rstrip(".")  # an address of one link stands there without its interface
        if (_ip(name) is not None or _DNS_NAME.fullmatch(name)) and name not in found:
            found.append(name)
    return found[:MAX_NAMES]


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _make(key: EllipticCurvePrivateKey, names: Collection[str], now: datetime) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    alternatives: list[GeneralName] = []
    for name in names:
        ip = _ip(name)
        alternatives.append(x509.DNSName(name) if ip is None else x509.IPAddress(ip))
    # A day early: a phone whose clock is a little behind must not find it "not yet valid".
    begin = max(now, EARLIEST) - timedelta(days=1)
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lanline share")])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)  # digital_signature
    return (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=WEB_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def _parse(place: Path, data: bytes) -> tuple[EllipticCurvePrivateKey, Certificate]:
    """The key and the certificate of the file.

    Raises:
        StateDamaged: one byte differs from what was written.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data)
        certificate.verify_directly_issued_by(certificate)
        is_whole = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
        is_whole = is_whole and node_key_pem(key) + _pem(certificate) == data  # type: ignore[arg-type]  # checked here
        is_whole = is_whole and certificate.public_key() == key.public_key()
        _names_of(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.ExtensionNotFound):
        is_whole = False
    if not is_whole:
        raise StateDamaged(
            _("{file} is not what was written").format(file=place),
            advice=_("rm {file}: the next start makes a new certificate, with another fingerprint to compare.").format(
                file=quoted(place)
            ),
        )
    return key, certificate  # type: ignore[return-value]  # checked above


def _names_of(certificate: Certificate) -> list[str]:
    from cryptography import x509

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(one.value) for one in names]


def _is_good(certificate: Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)
