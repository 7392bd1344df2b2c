"""TLS contexts: nothing that weakens them, and files that cannot be used are named."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

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
    with pytest.raises(UsageError, match="cannot be used: key values mismatch"):
        tlscontext.server_context(hub.certificate_file, node.key_file)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        tlscontext.server_context(tmp_path / "none.pem", hub.key_file)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        tlscontext.client_context(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(UsageError, match="holds no certificate"):
        tlscontext.client_context(tmp_path / "empty.pem")
