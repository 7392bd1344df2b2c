"""A byte flipped in any state file ends in "recovered" or "refused with instructions", never in "open".

Each byte of a small file is flipped, of a large one a seeded sample and its whole head. What must never happen is
that a changed file is taken for another value than the one that was written.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.room.founding import the_room

from lanline.errors import LanlineError, RemoteProtocolError, StateDamaged
from lanline.room import keys
from lanline.room.audit import AuditLog, Who
from lanline.room.backup import Backup, make_backup, open_backup
from lanline.room.book import RosterBook
from lanline.room.certificates import certificate_pem, parse_authority_certificate, parse_node_certificate
from lanline.room.chain import segment_paths
from lanline.room.freshness import KIND, Freshness, FreshnessState
from lanline.room.keybox import MIN_SCRYPT_N
from lanline.room.policy import Policy
from lanline.room.policyfile import add_rule, allow_run_rule, load_policy
from lanline.room.sealed import load_cache, load_sealed, save_sealed

SMALL = 2048
HEAD = 256
SAMPLE = 500


def flips(data: bytes, seed: int) -> Iterator[bytes]:
    """The data with one byte changed: by one bit, and to another random one; and cut at that place."""
    chance = random.Random(seed)
    places = range(len(data))
    if len(data) > SMALL:
        places = sorted({*range(HEAD), *chance.sample(range(len(data)), SAMPLE), len(data) - 1})  # type: ignore[assignment]
    for place in places:
        for mask in (1 << chance.randrange(8), chance.randrange(1, 256)):
            yield data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]
        yield data[:place]


def check_refused(data: bytes, seed: int, read: Callable[[bytes], object], *errors: type[LanlineError]) -> None:
    read(data)
    count = 0
    for changed in flips(data, seed):
        with pytest.raises(errors or StateDamaged):
            read(changed)
        count += 1
    assert count >= 3 * min(len(data), HEAD)


def test_a_flipped_node_key_is_refused(seed: int) -> None:
    check_refused(keys.node_key_pem(keys.new_key()), seed, keys.parse_node_key)


@pytest.mark.parametrize("passphrase", [None, "sesame"])
def test_a_flipped_authority_key_is_refused(seed: int, passphrase: str | None) -> None:
    data = keys.lock_authority_key(keys.new_key(), passphrase, scrypt_n=MIN_SCRYPT_N)
    check_refused(data, seed, lambda changed: keys.open_authority_key(changed, passphrase))


def test_a_flipped_backup_is_refused(seed: int) -> None:
    room = the_room()
    made = Backup(room.authority_key, certificate_pem(room.authority), room.signed)
    data = make_backup(made, "sesame", scrypt_n=MIN_SCRYPT_N)
    check_refused(data, seed, lambda changed: open_backup(changed, "sesame"))


def test_a_flipped_authority_certificate_is_refused(seed: int) -> None:
    check_refused(certificate_pem(the_room().authority), seed, parse_authority_certificate)


def test_a_flipped_node_certificate_is_refused(seed: int) -> None:
    room = the_room()
    own = keys.public_key_hash(room.node_key)
    check_refused(
        certificate_pem(room.node), seed, lambda data: parse_node_certificate(data, room.authority, key_hash=own)
    )


def test_a_flipped_roster_is_refused(seed: int) -> None:
    public = the_room().authority_key.public_key()
    check_refused(the_room().signed, seed, lambda data: RosterBook(public, data), RemoteProtocolError)


def test_flipped_settings_are_refused(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    save_sealed(path, "node", {"port": 9527, "bind": ["192.168.1.7"]})

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_sealed(path, "node", dict)

    check_refused(path.read_bytes(), seed, read)


def test_a_flipped_presence_cache_is_discarded(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "presence.json"
    save_sealed(path, "presence", {"pc7": "192.168.1.7"})
    for changed in flips(path.read_bytes(), seed):
        path.write_bytes(changed)
        value, note = load_cache(path, "presence", dict)
        assert value is None
        assert "discarded" in note


def test_a_flipped_freshness_counts_as_never_confirmed(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "freshness.json"
    save_sealed(path, KIND, FreshnessState(0.0, "boot", 5.0))
    for changed in flips(path.read_bytes(), seed):
        path.write_bytes(changed)
        state, _ = load_cache(path, KIND, FreshnessState)
        assert Freshness(state, boot="boot", now=5.0).is_stale(5.0)


def test_a_flipped_policy_closes_or_stays_the_same(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    add_rule(path, allow_run_rule(["df", "uptime"]))
    before = load_policy(path)
    closed = 0
    for changed in flips(path.read_bytes(), seed):
        path.write_bytes(changed)
        policy = load_policy(path)
        if policy.allows_something:
            # A flip in a comment, or one that makes a comment of the check: what is allowed is as written.
            assert (policy.rules, policy.allow_root) == (before.rules, before.allow_root)
        else:
            assert policy == Policy() or "policy.toml" in policy.fault
            closed += 1
    assert closed > 3 * 200


def test_a_flipped_audit_refuses_or_still_knows_every_job(seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    jobs = [f"job-{number}" for number in range(4)]
    with AuditLog(folder) as log:
        for job in jobs:
            log.start_job(job, Who("anna", "operator", bytes(32)), {"argv": ["df"]})
    (path,) = segment_paths(folder)
    data = path.read_bytes()
    refused = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << (seed + place) % 8)]) + data[place + 1 :])
        try:
            with AuditLog(folder) as log:
                assert all(map(log.seen_job, jobs)), f"byte {place}"
        except StateDamaged as error:
            assert "runs nothing" in error.advice
            refused += 1
        for later in segment_paths(folder)[1:]:
            later.unlink()
    assert refused == len(data) - 1  # the last newline is the one byte that can be mended
