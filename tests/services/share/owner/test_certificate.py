"""Claims about the certificate of a share: kept, renewed, refused when damaged, accepted by those who compare it."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from lanline.errors import StateDamaged, StateUnsafe, UsageError
from lanline.room.keys import new_key
from lanline.room.paths import StateFolder
from lanline.services.share.owner import certificate
from lanline.services.share.owner.certificate import (
    MAX_NAMES,
    Identity,
    fingerprint_in,
    fingerprint_of,
    https_context,
    own_identity,
)

HOME = ["192.168.1.5", "fd00::2", "desk", "desk.local", "localhost", "127.0.0.1", "::1"]
WORK = ["10.1.2.3", "desk", "localhost", "127.0.0.1", "::1"]
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def _folder(home: Path) -> StateFolder:
    return StateFolder(home / "state" / "lanline")


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _names(file: Path) -> list[str]:
    names = _certificate(file).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(one.value) for one in names]


def test_it_is_made_once_and_stays_the_same(home: Path) -> None:
    first = own_identity(_folder(home), HOME, now=NOW)
    again = own_identity(_folder(home), HOME, now=NOW + timedelta(days=300))
    assert first.is_new and not again.is_new
    assert again.fingerprint == first.fingerprint
    assert _names(first.file) == HOME


def test_first_starts_at_the_same_moment_show_the_same(home: Path) -> None:
    folder = _folder(home)
    folder.service("share").mkdir(mode=0o700, parents=True)
    folder.path.chmod(0o700)
    together, found = threading.Barrier(6), list[Identity]()

    def start() -> None:
        together.wait()
        found.append(own_identity(folder, HOME, now=NOW))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and sum(each.is_new for each in found) == 1
    assert {each.fingerprint for each in found} == {fingerprint_in(found[0].file)}
    assert [each.name for each in found[0].file.parent.iterdir()] == ["certificate.pem"]


def test_who_finds_that_another_start_was_first_takes_what_that_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Identity] = []

    def key_while_another_starts() -> EllipticCurvePrivateKey:
        monkeypatch.setattr(certificate, "new_key", new_key)
        first.append(own_identity(_folder(home), HOME, now=NOW))
        return new_key()

    monkeypatch.setattr(certificate, "new_key", key_while_another_starts)
    second = own_identity(_folder(home), HOME, now=NOW)
    assert (first[0].is_new, second.is_new) == (True, False)
    assert second == first[0]._replace(is_new=False)


def test_only_its_owner_can_read_it(home: Path) -> None:
    file = own_identity(_folder(home), HOME, now=NOW).file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    with pytest.raises(StateUnsafe, match="others can read"):
        own_identity(_folder(home), HOME, now=NOW)


def test_it_lives_397_days_and_is_for_servers_alone(home: Path) -> None:
    certificate = _certificate(own_identity(_folder(home), HOME, now=NOW).file)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=397)
    assert certificate.not_valid_before_utc == NOW - timedelta(days=1)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_it_is_renewed_in_its_last_30_days_with_the_same_key(home: Path) -> None:
    first = own_identity(_folder(home), HOME, now=NOW)
    key = _certificate(first.file).public_key()
    renewed = own_identity(_folder(home), HOME, now=NOW + timedelta(days=367))
    assert renewed.is_new and renewed.fingerprint != first.fingerprint
    assert _certificate(renewed.file).public_key() == key


def test_between_two_networks_it_changes_once_and_never_again(home: Path) -> None:
    folder = _folder(home)
    own_identity(folder, HOME, now=NOW)
    both = own_identity(folder, WORK, now=NOW)
    assert both.is_new and set(_names(both.file)) == {*HOME, *WORK}
    assert not own_identity(folder, HOME, now=NOW).is_new
    assert own_identity(folder, WORK, now=NOW).fingerprint == both.fingerprint


def test_names_of_old_networks_go_when_there_are_too_many(home: Path) -> None:
    for number in range(3 * MAX_NAMES):
        file = own_identity(_folder(home), [f"10.0.0.{number}", "localhost"], now=NOW).file
    names = _names(file)
    assert len(names) == MAX_NAMES
    assert names[:2] == [f"10.0.0.{3 * MAX_NAMES - 1}", "localhost"]
    assert "10.0.0.0" not in names


def test_what_cannot_stand_in_a_certificate_is_left_out(home: Path) -> None:
    file = own_identity(_folder(home), ["my_desk", "Desk.Local.", "fe80::1%eth0", "", "x" * 300, "名"], now=NOW).file
    assert _names(file) == ["desk.local", "fe80::1"]


def test_a_file_with_any_byte_flipped_is_refused_with_advice(home: Path) -> None:
    file = own_identity(_folder(home), HOME, now=NOW).file
    whole = file.read_bytes()
    for position in range(0, len(whole), 7):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(StateDamaged, match="not what was written") as caught:
            own_identity(_folder(home), HOME, now=NOW)
        assert "another fingerprint" in caught.value.advice


def test_a_clock_of_1970_makes_one_that_browsers_take_later(home: Path) -> None:
    file = own_identity(_folder(home), HOME, now=datetime(1970, 1, 2, tzinfo=UTC)).file
    assert _certificate(file).not_valid_before_utc.year == 2024


def test_a_client_that_believes_it_finds_the_address_in_it_and_the_fingerprint_is_its_own(home: Path) -> None:
    identity = own_identity(_folder(home), HOME)

    async def main() -> bytes:
        async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=https_context(identity.file, identity.file))
        async with server:
            believes = ssl.create_default_context(cafile=str(identity.file))
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=believes)
            shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            await reader.read()
            writer.close()
            return shown

    shown = asyncio.run(main())
    assert identity.fingerprint == fingerprint_of(shown) == fingerprint_in(identity.file)
    assert identity.fingerprint.replace(":", "").lower() == hashlib.sha256(shown).hexdigest()
    assert len(identity.fingerprint) == 95


def test_a_file_of_ones_own_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="there is no certificate"):
        fingerprint_in(tmp_path / "key.pem")
    with pytest.raises(UsageError, match="cannot be read"):
        fingerprint_in(tmp_path / "missing.pem")
