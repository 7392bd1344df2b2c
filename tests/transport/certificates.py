"""Certificates for the TLS tests: an authority and what it signs, made anew for each run.

The shape is that of a room: P-256, an empty subject, one critical DNS name. Nothing here is used outside tests.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lanline.transport.tls import mutual_context

NODE = "pc7.lab.lanline.internal"
HUB = "hub.lab.lanline.internal"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """Files of one machine."""

    certificate_file: Path
    key_file: Path
    der: bytes


@dataclass(frozen=True)
class Authority:
    """Signs identities into one folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """The authority's own certificate, PEM."""
        return self.folder / f"{self.name}.pem"

    def identity(self, name: str, *, label: str = "", expired: bool = False) -> Identity:
        """A certificate for this DNS name, valid for a year, or until a year ago."""
        label = label or f"{self.name}-{name}"
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        first, last = (now - 800 * _DAY, now - 400 * _DAY) if expired else (now - _DAY, now + 365 * _DAY)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        certificate_file = self.folder / f"{label}.pem"
        key_file = self.folder / f"{label}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key_file, key)
        return Identity(certificate_file, key_file, certificate.public_bytes(serialization.Encoding.DER))


@dataclass(frozen=True)
class Room:
    """The certificates most tests need."""

    authority: Authority
    other_authority: Authority
    hub: Identity
    node: Identity
    stranger: Identity
    """Of the other authority, with the hub's name."""

    expired: Identity

    def accepting(self, identity: Identity | None = None) -> ssl.SSLContext:
        """The room's context for a server."""
        who = identity or self.hub
        return mutual_context("accepting", who.certificate_file, who.key_file, self.authority.file)

    def connecting(self, identity: Identity | None = None) -> ssl.SSLContext:
        """The room's context for a client."""
        who = identity or self.node
        return mutual_context("connecting", who.certificate_file, who.key_file, self.authority.file)


def make_authority(folder: Path, name: str) -> Authority:
    """A self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} authority")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 1000 * _DAY)
        .not_valid_after(now + 1000 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority = Authority(folder, name, key, certificate)
    authority.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def make_room(folder: Path) -> Room:
    """Two authorities and four identities."""
    authority, other = make_authority(folder, "lab"), make_authority(folder, "elsewhere")
    return Room(
        authority,
        other,
        authority.identity(HUB),
        authority.identity(NODE),
        other.identity(HUB),
        authority.identity(NODE, label="expired", expired=True),
    )


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
