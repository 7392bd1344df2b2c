"""TLS contexts: nothing that weakens them, and files that cannot be used are named."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from lanline.errors import UsageError
from lanline.transport import tlscontext

from .certificates import Room


def test_contexts_refuse_what_would_weaken_them(room: Room) -> None:
    contexts = {"accepting": room.accepting(), "connecting": room.connecting()}
    for side, context in contexts.items():
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.verify_flags & tlscontext.NO_TIME_CHECK
        assert context.check_hostname is (side == "connecting")
    assert contexts["accepting"].num_tickets == 0
    plain = tlscontext.server_context(room.hub.certificate_file, room.hub.key_file)
    assert plain.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not plain.verify_flags & tlscontext.NO_TIME_CHECK


def test_files_that_cannot_be_used_are_named(room: Room, tmp_path: Path) -> None:
    hub, node = room.hub, room.node
    with pytest.raises(UsageError, match="do not belong together"):
        tlscontext.server_context(hub.certificate_file, node.key_file)
    for certificate_file, key_file in (
        (tmp_path / "none.pem", hub.key_file),
        (hub.certificate_file, tmp_path / "none.pem"),
    ):
        with pytest.raises(UsageError, match=r"^[^ ]*none\.pem cannot be read: No such file") as missing:
            tlscontext.server_context(certificate_file, key_file)
        assert missing.value.advice == "check the path, and that this user may read the file."
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        tlscontext.client_context(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(UsageError, match="holds no certificate"):
        tlscontext.client_context(tmp_path / "empty.pem")


def test_files_in_the_wrong_order_and_files_without_what_they_should_hold_are_told_apart(
    room: Room, tmp_path: Path
) -> None:
    hub = room.hub
    (tmp_path / "text.pem").write_text("nothing of the kind")
    (tmp_path / "broken.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(UsageError, match="there is no certificate in ") as swapped:
        tlscontext.server_context(hub.key_file, hub.certificate_file)
    assert swapped.value.advice.endswith("give the two files the other way round.")
    with pytest.raises(UsageError, match=r"there is no certificate in .*text.pem") as none:
        tlscontext.server_context(tmp_path / "text.pem", hub.key_file)
    assert "BEGIN CERTIFICATE" in none.value.advice
    with pytest.raises(UsageError, match=r"there is no private key in .*text.pem"):
        tlscontext.server_context(hub.certificate_file, tmp_path / "text.pem")
    with pytest.raises(UsageError, match="cannot be used: ") as broken:
        tlscontext.server_context(hub.certificate_file, tmp_path / "broken.pem")
    assert ".c:" not in str(broken.value)
    locked = serialization.load_pem_private_key(hub.key_file.read_bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    for password in (None, "another"):
        with pytest.raises(UsageError, match="has a password, and none or another one was given"):
            tlscontext.server_context(hub.certificate_file, tmp_path / "locked.pem", password=password)
    plain = tlscontext.server_context(hub.certificate_file, tmp_path / "locked.pem", password="secret")
    assert plain.minimum_version is ssl.TLSVersion.TLSv1_2
