"""TLS contexts: which versions are spoken, who shows a certificate, and who is believed. No asyncio here.

Two kinds. `server_context` and `client_context` are for plain `tls://` between any two programs: the server
shows a certificate, the client judges it by its authorities. `mutual_context` is for links between the
machines of a room, where both sides show one and only TLS 1.3 is spoken:

- `num_tickets = 0`: a resumed session skips the certificate check, so a removed member would get back in.
  Measured: full handshakes cost 1.8 ms each, so nothing is lost.
- No time check (`X509_V_FLAG_NO_CHECK_TIME`): who is in is the roster's matter, and a machine whose clock is
  years off must be able to reach the room that will tell it the time.
- The connecting side checks the name; the accepting side learns who it is from the roster by the key.

Sources: RFC 8446; OpenSSL `x509_vfy.h`; trust.md, "Identity".
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final, Literal

from lanline.errors import UsageError
from lanline.translation import _

NO_TIME_CHECK: Final = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME. Python has no name for it; OpenSSL has had it since 1.1.0."""

_CERTIFICATE: Final = re.compile(rb"^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----", re.MULTILINE)
_KEY: Final = re.compile(rb"^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----", re.MULTILINE)

Side = Literal["accepting", "connecting"]


def server_context(
    certificate_file: Path, key_file: Path, *, authority_file: Path | None = None, password: str | None = None
) -> ssl.SSLContext:
    """For serving plain `tls://`: TLS 1.2 or newer.

    Args:
        certificate_file: PEM, the server's certificate and what leads from it to the authority.
        key_file: PEM, its private key.
        authority_file: PEM; clients must show a certificate from it. None: clients need none.
        password: of the key file, where it has one.

    Raises:
        UsageError: a file cannot be read, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_common(context, ssl.TLSVersion.TLSv1_2)
    _load_identity(context, certificate_file, key_file, password)
    if authority_file is not None:
        _load_authority(context, authority_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    authority_file: Path | None = None,
    *,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
    password: str | None = None,
) -> ssl.SSLContext:
    """For connecting to plain `tls://`: TLS 1.2 or newer, the server's name and certificate are checked.

    Args:
        authority_file: PEM of whom to believe; None: the authorities of this system.
        certificate_file: PEM, what to show to a server that asks for it.
        key_file: PEM, its private key; needed with `certificate_file`.
        password: of the key file, where it has one.

    Raises:
        UsageError: a file cannot be read, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_common(context, ssl.TLSVersion.TLSv1_2)
    if authority_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authority(context, authority_file)
    if certificate_file is not None and key_file is not None:
        _load_identity(context, certificate_file, key_file, password)
    return context


def mutual_context(
    side: Side, certificate_file: Path, key_file: Path, authority_file: Path, *, password: str | None = None
) -> ssl.SSLContext:
    """For links of a room: TLS 1.3 only, both sides show a certificate of the room's authority, no tickets.

    Args:
        side: `accepting` or `connecting`; only the connecting side checks a name.
        certificate_file: PEM, this node's certificate.
        key_file: PEM, this node's key.
        authority_file: PEM, the room's authority, the only one believed.
        password: of the key file, where it has one.

    Raises:
        UsageError: a file cannot be read, or key and certificate do not belong together.
    """
    protocol = ssl.PROTOCOL_TLS_SERVER if side == "accepting" else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(protocol)
    _set_common(context, ssl.TLSVersion.TLSv1_3)
    _load_identity(context, certificate_file, key_file, password)
    _load_authority(context, authority_file)
    context.check_hostname = side == "connecting"
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= NO_TIME_CHECK
    return context


def _set_common(context: ssl.SSLContext, oldest: ssl.TLSVersion) -> None:
    context.minimum_version = oldest
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET


def _load_identity(context: ssl.SSLContext, certificate_file: Path, key_file: Path, password: str | None) -> None:
    def secret() -> str:
        # Never None: OpenSSL would ask at the terminal, in the middle of a server's start.
        return password or ""

    try:
        context.load_cert_chain(certificate_file, key_file, secret)
    except ssl.SSLError as error:
        raise _unusable(certificate_file, key_file, error) from error
    except OSError as error:
        for file in (certificate_file, key_file):
            _read(file)  # says which of them it is
        raise _unreadable(certificate_file, error) from error


def _load_authority(context: ssl.SSLContext, authority_file: Path) -> None:
    try:
        context.load_verify_locations(authority_file)
    except ssl.SSLError as error:
        raise UsageError(
            _("{authority_file} holds no certificate that can be used: {error}").format(
                authority_file=authority_file, error=_reason(error)
            ),
            advice=_("name the PEM file of the authority's certificate: it has a line BEGIN CERTIFICATE."),
        ) from error
    except OSError as error:
        raise _unreadable(authority_file, error) from error


def _unusable(certificate_file: Path, key_file: Path, error: ssl.SSLError) -> UsageError:
    """What is wrong with two files that can be read. OpenSSL itself says for most of it `PEM lib`."""
    certificates, keys = _read(certificate_file), _read(key_file)
    is_swapped = bool(_KEY.search(certificates) and _CERTIFICATE.search(keys))
    swapped = _("{key_file} holds one: give the two files the other way round.").format(key_file=key_file)
    if not _CERTIFICATE.search(certificates):
        return UsageError(
            _("there is no certificate in {file}").format(file=certificate_file),
            advice=swapped if is_swapped else _("name a PEM file: it has a line BEGIN CERTIFICATE."),
        )
    if not _KEY.search(keys):
        return UsageError(
            _("there is no private key in {file}").format(file=key_file),
            advice=_("name a PEM file: it has a line with BEGIN and PRIVATE KEY."),
        )
    if b"ENCRYPTED" in keys:
        return UsageError(
            _("the private key in {file} has a password, and none or another one was given").format(file=key_file),
            advice=_("give its password, or write it without one: openssl pkey -in {file} -out key.pem").format(
                file=key_file
            ),
        )
    if error.reason == "KEY_VALUES_MISMATCH":
        return UsageError(
            _("the certificate in {certificate_file} and the private key in {key_file} do not belong together").format(
                certificate_file=certificate_file, key_file=key_file
            ),
            advice=_("take the key that the certificate was made for."),
        )
    return UsageError(
        _("the certificate {certificate_file} and the key {key_file} cannot be used: {error}").format(
            certificate_file=certificate_file, key_file=key_file, error=_reason(error)
        ),
        advice=_("check that both files are whole."),
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        _("{file} cannot be read: {strerror}").format(file=file, strerror=error.strerror),
        advice=_("check the path, and that this user may read the file."),
    )


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's own word for it, without the line of CPython that noticed."""
    if error.reason:
        return error.reason.replace("_", " ").lower()
    return _("a part of it cannot be understood")
