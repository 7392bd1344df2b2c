"""The room's certificates, checked by Python's own ssl: what lets a node in, and what does not."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.room.founding import Founded, found, the_room

from lanline.errors import JoinFailed, StateDamaged, UsageError
from lanline.room import certificates, keys
from lanline.transport.private import PRIVATE_NETWORKS

if TYPE_CHECKING:
    from lanline.room.keys import PrivateKey

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: the roster says who is in, and clocks may be a year off."""


def _context(room: Founded, folder: Path, side: int, key: PrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    """A context as the links use it: TLS 1.3, both sides with certificates, strict, no look at the time."""
    for name, data in (
        ("ca", certificates.certificate_pem(room.authority)),
        ("crt", certificates.certificate_pem(certificate)),
        ("key", keys.node_key_pem(key)),
    ):
        (folder / name).write_bytes(data)
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "crt", folder / "key")
    context.load_verify_locations(folder / "ca")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT | NO_CHECK_TIME
    return context


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both sides of one connection in memory, both certificates judged."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    joining = client.wrap_bio(down, up, server_hostname=name)
    serving = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (joining, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    joining.write(b"x")
    assert serving.read(1) == b"x"
    return serving, joining


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client contexts of the node pc7."""
    room = the_room()
    return (
        _context(room, tmp_path, ssl.PROTOCOL_TLS_SERVER, room.node_key, room.node),
        _context(room, tmp_path, ssl.PROTOCOL_TLS_CLIENT, room.node_key, room.node),
    )


def test_two_nodes_of_a_room_shake_hands(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, _ = _handshake(*contexts, "pc7.lab.lanline.internal")
    assert serving.version() == "TLSv1.3"
    der = serving.getpeercert(binary_form=True)
    assert der is not None
    assert keys.public_key_hash(der) == keys.public_key_hash(the_room().node_key)
    told = serving.getpeercert()
    assert told is not None
    assert ("URI", "lanline://lab.lanline.internal/pc7") in told["subjectAltName"]


def test_another_nodes_name_is_refused(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _handshake(*contexts, "pc8.lab.lanline.internal")


def test_a_node_of_another_room_with_the_same_names_is_refused(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    other = found()
    stranger = _context(other, tmp_path, ssl.PROTOCOL_TLS_SERVER, other.node_key, other.node)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(stranger, contexts[1], "pc7.lab.lanline.internal")
    stranger = _context(other, tmp_path, ssl.PROTOCOL_TLS_CLIENT, other.node_key, other.node)
    stranger.load_verify_locations(cadata=the_room().authority.public_bytes(Encoding.DER))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(contexts[0], stranger, "pc7.lab.lanline.internal")


def test_a_client_without_a_certificate_is_refused(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(cadata=the_room().authority.public_bytes(Encoding.DER))
    bare.verify_flags |= NO_CHECK_TIME
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        _handshake(contexts[0], bare, "pc7.lab.lanline.internal")


def _forged(names: list[x509.GeneralName]) -> x509.Certificate:
    """A certificate that the authority's key signs and its constraints do not allow."""
    room = the_room()
    begin = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(room.authority.subject)
        .public_key(room.node_key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(room.node_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(room.authority_key.public_key()), critical=False
        )
        .sign(room.authority_key, SHA256())
    )


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("bank.example.com"),
        x509.DNSName("pc7.other.lanline.internal"),
        x509.IPAddress(ipaddress.ip_address("8.8.8.8")),
        x509.IPAddress(ipaddress.ip_address("2001:4860:4860::8888")),
    ],
)
def test_the_authority_cannot_vouch_for_names_outside_its_room(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, name: x509.GeneralName
) -> None:
    room = the_room()
    server = _context(room, tmp_path, ssl.PROTOCOL_TLS_SERVER, room.node_key, _forged([name]))
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        _handshake(server, contexts[1], str(name.value))


@pytest.mark.parametrize("address", ["192.168.1.7", "10.1.2.3", "172.20.0.1", "127.0.0.1", "::1", "fd00::7", "fe80::1"])
def test_private_addresses_may_be_added_for_the_web_page(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, address: str
) -> None:
    room = the_room()
    certificate = certificates.new_node_certificate(
        room.authority_key,
        room.authority,
        room.node_key.public_key(),
        "pc7",
        days=certificates.WEB_DAYS,
        addresses=[address],
    )
    server = _context(room, tmp_path, ssl.PROTOCOL_TLS_SERVER, room.node_key, certificate)
    assert _handshake(server, contexts[1], address)


@pytest.mark.parametrize("year", [1970, 2090])
def test_a_certificate_made_under_a_wrong_clock_still_lets_its_node_in(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, year: int
) -> None:
    room = the_room()
    certificate = certificates.new_node_certificate(
        room.authority_key, room.authority, room.node_key.public_key(), "pc7", now=datetime(year, 1, 1, tzinfo=UTC)
    )
    assert certificate.not_valid_before_utc.year >= 2024
    server = _context(room, tmp_path, ssl.PROTOCOL_TLS_SERVER, room.node_key, certificate)
    assert _handshake(server, contexts[1], "pc7.lab.lanline.internal")


def test_a_node_certificate_has_no_subject_and_critical_names() -> None:
    node = the_room().node
    assert list(node.subject) == []
    assert node.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert (node.not_valid_after_utc - node.not_valid_before_utc).days == certificates.NODE_DAYS
    assert not node.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_is_constrained_to_its_room_and_to_no_uri() -> None:
    authority = the_room().authority
    extension = authority.extensions.get_extension_for_class(x509.NameConstraints)
    permitted = extension.value.permitted_subtrees or []
    assert extension.critical
    assert not [name for name in permitted if isinstance(name, x509.UniformResourceIdentifier)]
    assert len(permitted) == 1 + len(PRIVATE_NETWORKS)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1


def test_both_certificates_come_back_from_their_files() -> None:
    room = the_room()
    authority = certificates.parse_authority_certificate(certificates.certificate_pem(room.authority))
    node = certificates.parse_node_certificate(
        certificates.certificate_pem(room.node), authority, key_hash=keys.public_key_hash(room.node_key)
    )
    assert certificates.room_of(authority) == "lab"
    assert certificates.node_of(node, authority) == "pc7"


def test_a_certificate_whose_signature_claims_fewer_bits_is_not_what_was_written() -> None:
    while True:  # until the last bit of the signature is zero, without which no library takes the claim
        made = found()
        signature = made.node.signature
        if signature[-1] % 2 == 0:
            break
    der = made.node.public_bytes(Encoding.DER)
    claiming = der[: -len(signature) - 1] + b"\x01" + signature
    assert x509.load_der_x509_certificate(claiming).signature == signature
    data = x509.load_der_x509_certificate(claiming).public_bytes(Encoding.PEM)
    with pytest.raises(StateDamaged, match="is not what was written"):
        certificates.parse_node_certificate(data, made.authority)


def test_a_certificate_of_another_room_is_refused() -> None:
    with pytest.raises(StateDamaged, match="not signed by this room"):
        certificates.parse_node_certificate(certificates.certificate_pem(found().node), the_room().authority)


def test_a_certificate_for_another_key_is_refused() -> None:
    room = the_room()
    with pytest.raises(StateDamaged, match="another key"):
        certificates.parse_node_certificate(
            certificates.certificate_pem(room.node), room.authority, key_hash=keys.public_key_hash(room.hub_key)
        )


def test_a_node_certificate_is_no_authority() -> None:
    with pytest.raises(StateDamaged):
        certificates.parse_authority_certificate(certificates.certificate_pem(the_room().node))
    with pytest.raises(StateDamaged, match="no name constraints"):
        certificates.room_of(the_room().node)


def test_a_certificate_with_two_names_is_refused() -> None:
    room = the_room()
    names: list[x509.GeneralName] = [x509.DNSName(f"{one}.lab.lanline.internal") for one in ("pc7", "pc8")]
    with pytest.raises(StateDamaged, match="expected one name"):
        certificates.node_of(_forged(names), room.authority)


def test_a_certificate_for_a_name_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(StateDamaged, match="not allowed"):
        certificates.node_of(_forged([x509.DNSName("all.lab.lanline.internal")]), the_room().authority)


def test_a_request_with_any_byte_changed_is_refused_or_proves_the_same_key(seed: int) -> None:
    key = keys.new_key()
    request = certificates.new_request(key, "pc7")
    for place in range(len(request)):
        changed = request[:place] + bytes([request[place] ^ (1 << (place + seed) % 8)]) + request[place + 1 :]
        # One byte means nothing in some requests: how many bits at the signature's end do not count, where those are 0.
        is_idle = request[place - 1 : place + 2] == bytes([request[place - 1], 0, 0x30]) and request[place - 2] == 3
        if is_idle and changed[place] < 8:
            with contextlib.suppress(JoinFailed):
                assert certificates.check_request(changed) == key.public_key()
            continue
        with pytest.raises(JoinFailed):
            certificates.check_request(changed)


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_bytes_that_are_no_certificate_are_damage(data: bytes) -> None:
    with pytest.raises(StateDamaged, match="cannot be read"):
        certificates.parse_authority_certificate(data)


@pytest.mark.parametrize("name", ["PC7", "all", "a.b", ""])
def test_a_bad_name_gets_no_certificate(name: str) -> None:
    room = the_room()
    with pytest.raises(UsageError):
        certificates.new_authority_certificate(room.authority_key, name)
    with pytest.raises(UsageError):
        certificates.new_node_certificate(room.authority_key, room.authority, room.node_key.public_key(), name)


def test_a_request_proves_the_key() -> None:
    key = keys.new_key()
    assert keys.public_key_hash(certificates.check_request(certificates.new_request(key, "pc7"))) == (
        keys.public_key_hash(key)
    )


def test_a_request_signed_by_another_key_is_refused() -> None:
    request = certificates.new_request(keys.new_key(), "pc7")
    with pytest.raises(JoinFailed, match="not signed by its own key"):
        certificates.check_request(request[:-6] + bytes([request[-6] ^ 1]) + request[-5:])


def test_a_request_for_another_kind_of_key_is_refused() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pc7")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    other = request.sign(ec.generate_private_key(ec.SECP384R1()), SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(JoinFailed, match="P-256"):
        certificates.check_request(other)


@pytest.mark.parametrize("data", [b"", b"x", bytes(2048), b"\x30" * 3000])
def test_garbage_is_no_request(data: bytes) -> None:
    with pytest.raises(JoinFailed):
        certificates.check_request(data)


def test_a_serial_number_below_one_is_refused_and_not_only_warned_of() -> None:
    room = the_room()
    der = room.node.public_bytes(Encoding.DER)
    serial = room.node.serial_number.to_bytes((room.node.serial_number.bit_length() + 7) // 8, "big")
    place = der.index(serial)
    negative = der[:place] + bytes([serial[0] | 0x80]) + der[place + 1 :]
    text = base64.encodebytes(negative).replace(b"\n", b"")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    pem = b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])
    with pytest.raises(StateDamaged):
        certificates.parse_node_certificate(pem, room.authority)
