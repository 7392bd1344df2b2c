"""A state folder belongs to a room wholly or not at all, whatever step fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.room.founding import the_room

from lanline.errors import LanlineError, NotInRoom, StateNotSaved, UsageError
from lanline.roles import Role
from lanline.room import founding, keys, roster
from lanline.room.certificates import certificate_pem, new_node_certificate
from lanline.room.founding import check_free, found, keep_joined, leave, node_key_for
from lanline.room.identity import load_identity
from lanline.room.joining import Joined
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings, load_settings


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """An empty state folder, not made yet."""
    return StateFolder(tmp_path / "state")


def joined(folder: StateFolder) -> Joined:
    """What a hub would hand out to the machine of this folder."""
    room = the_room()
    key = node_key_for(folder)
    with_it = room.roster.with_member("pc8", keys.public_key_hash(key), Role.MEMBER, issued_at=3)
    return Joined(
        "lab",
        with_it.members[-1],
        certificate_pem(room.authority),
        certificate_pem(new_node_certificate(room.authority_key, room.authority, key.public_key(), "pc8")),
        with_it,
        roster.sign(with_it, room.authority_key),
        0,
        b"d" * 32,
    )


def test_a_founder_is_hub_and_owner_and_its_folder_is_private(folder: StateFolder) -> None:
    founded = found(folder, "lab", "hub-1", Settings("*", 9999), "sesame")
    identity = load_identity(folder)
    assert identity.is_hub and (identity.name, identity.room) == ("hub-1", "lab")
    assert identity.own_line is not None and identity.own_line.role is Role.OWNER
    assert founded.number == 1 and load_settings(folder) == Settings("*", 9999)
    assert keys.is_authority_locked(folder.authority_key.read_bytes())
    for path in folder.secrets:
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("room", "node"), [("Lab", "hub-1"), ("lab", "members"), ("all", "pc1"), ("lab", "../x")])
def test_a_name_that_is_not_allowed_founds_nothing(folder: StateFolder, room: str, node: str) -> None:
    with pytest.raises(UsageError, match="cannot be a"):
        found(folder, room, node, Settings(), None)
    assert not folder.is_in_room


def test_a_machine_that_is_in_a_room_founds_no_other(folder: StateFolder) -> None:
    found(folder, "lab", "hub-1", Settings(), None)
    before = folder.roster.read_bytes()
    with pytest.raises(LanlineError, match="in a room already"):
        found(folder, "other", "hub-2", Settings(), None)
    with pytest.raises(LanlineError, match="in a room already"):
        check_free(folder)
    assert folder.roster.read_bytes() == before


def test_what_the_hub_hands_out_is_kept_under_the_key_that_was_there_before(folder: StateFolder) -> None:
    handed = joined(folder)
    assert not folder.is_in_room
    keep_joined(folder, handed, Settings("*", 9527, ("10.0.0.1:9527",)))
    identity = load_identity(folder)
    assert (identity.name, identity.is_hub) == ("pc8", False)
    assert load_settings(folder).hub == ("10.0.0.1:9527",)


def test_a_key_is_made_once(folder: StateFolder) -> None:
    first = node_key_for(folder)
    assert keys.public_key_hash(node_key_for(folder)) == keys.public_key_hash(first)


def _failing_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Makes the n-th writing of founding.py fail; says how many there were."""
    counted = [0]

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def write(*arguments: object, **named: object) -> None:
            counted[0] += 1
            if counted[0] == step:
                raise StateNotSaved("the disk is full")
            real(*arguments, **named)

        return write

    for name in ("write_atomic", "create_secret", "save_sealed", "save_settings"):
        monkeypatch.setattr(founding, name, failing(getattr(founding, name)))
    return lambda: counted[0]


@pytest.mark.parametrize("step", range(1, 9))
def test_founding_that_fails_at_any_step_leaves_no_room_and_can_be_done_again(
    folder: StateFolder, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        writings = _failing_at(step, patch)
        try:
            found(folder, "lab", "hub-1", Settings(), None)
        except StateNotSaved:
            assert not folder.is_in_room
            with pytest.raises(NotInRoom):
                load_identity(folder)
        else:
            assert writings() < step, "there are fewer writings than steps"
            return
    found(folder, "lab", "hub-1", Settings(), None)
    assert load_identity(folder).is_hub


@pytest.mark.parametrize("step", range(1, 6))
def test_joining_that_fails_at_any_step_leaves_no_room_and_can_be_done_again(
    folder: StateFolder, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = joined(folder)
    with monkeypatch.context() as patch:
        _failing_at(step, patch)
        with pytest.raises(StateNotSaved):
            keep_joined(folder, handed, Settings())
    assert not folder.is_in_room
    keep_joined(folder, handed, Settings())
    assert load_identity(folder).name == "pc8"


def test_whoever_leaves_has_no_key_and_no_room_but_its_audit_and_policy(folder: StateFolder) -> None:
    found(folder, "lab", "hub-1", Settings(), None)
    folder.policy.write_text("")
    leave(folder)
    assert sorted(os.listdir(folder.path)) == ["audit", "policy.toml"]
    with pytest.raises(NotInRoom):
        load_identity(folder)
    leave(folder)
    found(folder, "lab", "hub-1", Settings(), None)
    assert load_identity(folder).is_hub
