"""Who a machine is, from its folder: everything fits together, or it is refused with what to do."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from lanline.errors import NotInRoom, StateDamaged, StateUnsafe
from lanline.roles import Role
from lanline.room.identity import load_identity
from lanline.room.paths import StateFolder
from lanline.testing.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Two machines of one room, on disk."""
    one = Room(tmp_path / "lab")
    one.path.mkdir()
    one.found({"pc2": Role.MEMBER})
    return one


@pytest.fixture
def other(tmp_path: Path) -> Room:
    """Another room with the same names."""
    one = Room(tmp_path / "other")
    one.path.mkdir()
    one.found({"pc2": Role.MEMBER})
    return one


def test_a_machine_knows_its_name_room_role_and_hub(room: Room) -> None:
    hub, member = (load_identity(room.folders[name]) for name in ("hub-1", "pc2"))
    assert (hub.name, hub.room, hub.is_hub, hub.hub_line.name) == ("hub-1", "lab", True, "hub-1")
    assert (member.name, member.is_hub, member.hub_line.name) == ("pc2", False, "hub-1")
    assert member.own_line is not None and member.own_line.role is Role.MEMBER
    assert "key" not in repr(member).replace("key_hash", "")


def test_links_are_tls_1_3_alone_mutual_and_never_resumed(room: Room) -> None:
    identity = load_identity(room.folders["pc2"])
    for context in (identity.accepting, identity.connecting):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
        assert context.verify_mode is ssl.CERT_REQUIRED
    assert identity.accepting.num_tickets == 0 and identity.connecting.check_hostname


def test_an_empty_folder_is_in_no_room(tmp_path: Path) -> None:
    with pytest.raises(NotInRoom):
        load_identity(StateFolder(tmp_path))


@pytest.mark.parametrize("name", ["authority.crt", "node.key", "roster"])
def test_a_missing_file_is_named_with_what_to_do(room: Room, name: str) -> None:
    (room.folders["pc2"].path / name).unlink()
    with pytest.raises(StateDamaged, match=f"{name} is missing") as caught:
        load_identity(room.folders["pc2"])
    assert "join the room again" in caught.value.advice


@pytest.mark.parametrize("name", ["authority.crt", "node.key", "node.crt", "roster"])
def test_a_file_of_another_room_does_not_fit_the_rest(room: Room, other: Room, name: str) -> None:
    shutil.copy(other.folders["pc2"].path / name, room.folders["pc2"].path / name)
    with pytest.raises(StateDamaged):
        load_identity(room.folders["pc2"])


@pytest.mark.parametrize("name", ["node.key", "node.crt"])
def test_a_file_of_another_machine_of_the_same_room_does_not_fit_the_rest(room: Room, name: str) -> None:
    shutil.copy(room.folders["hub-1"].path / name, room.folders["pc2"].path / name)
    with pytest.raises(StateDamaged):
        load_identity(room.folders["pc2"])


@pytest.mark.parametrize(
    "open_up",
    [
        lambda folder: folder.path.chmod(0o755),
        lambda folder: folder.node_key.chmod(0o640),
        lambda folder: folder.roster.chmod(0o666),
        lambda folder: (folder.path / "link").symlink_to("/etc/passwd"),
    ],
)
def test_a_folder_others_can_read_or_change_is_refused(room: Room, open_up: Callable[[StateFolder], object]) -> None:
    open_up(room.folders["pc2"])
    with pytest.raises(StateUnsafe) as caught:
        load_identity(room.folders["pc2"])
    assert caught.value.advice


@pytest.mark.parametrize("content", [b"", b"x" * (2 * 1024 * 1024)])
@pytest.mark.parametrize("name", ["authority.crt", "node.key", "node.crt", "roster"])
def test_an_empty_or_overgrown_file_is_refused(room: Room, name: str, content: bytes) -> None:
    (room.folders["pc2"].path / name).write_bytes(content)
    with pytest.raises(StateDamaged):
        load_identity(room.folders["pc2"])
