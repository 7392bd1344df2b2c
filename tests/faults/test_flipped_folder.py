"""A node whose state folder has one wrong byte starts as it was, or not at all with instructions; it never opens.

`test_flipped_bytes.py` flips every byte of every kind of file for its reader; here a whole node starts on a sample.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.errors import RoomError
from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room import policy
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings
from lanline.testing.memorywire import MemoryNet
from lanline.testing.room import Room, real_room

SAMPLE = 25
"""Bytes that are flipped in each file, besides its first eight."""

IDENTITY = ("node.key", "node.crt", "authority.crt", "roster")

STRANGER = Caller("pc9", Role.OWNER, "", b"9" * 32)


def snapshot(node: Node) -> tuple[object, ...]:
    """All that somebody could be let in by."""
    allowed = node.decide(Caller("hub-1", Role.OPERATOR, "", b"h" * 32), ("/bin/true",), {}, "/")
    return (
        node.name,
        node.room,
        node.identity.key_hash,
        node.identity.book.current,
        node.settings,
        isinstance(allowed, policy.Allowed),
        node.policy.rules,
    )


def start(folder: StateFolder, net: MemoryNet) -> tuple[object, ...]:
    """A node on this folder, for a moment; what it would let in."""

    async def main() -> tuple[object, ...]:
        async with Node(folder, wire=net.wire) as node:
            assert node.identity.book.member_for(STRANGER.key_hash) is None
            return snapshot(node)

    return asyncio.run(main())


async def _a_room_that_has_lived() -> dict[str, bytes]:
    """The files of a member that has been up."""
    async with real_room(2, allow_run=True) as room:
        await room.wait_together()
        await room.stop("pc2")
        folder = room.folders["pc2"]
        files = {str(path.relative_to(folder.path)): path.read_bytes() for path in _files(folder.path)}
    return files


def _files(path: Path) -> list[Path]:
    return [one for one in sorted(path.rglob("*")) if one.is_file() and one.name not in ("node.lock", "control.sock")]


def _put(path: Path, files: dict[str, bytes]) -> StateFolder:
    folder = StateFolder(path)
    folder.ensure()
    for name, data in files.items():
        (path / name).write_bytes(data)
        (path / name).chmod(0o600)
    for extra in set(_files(path)) - {path / name for name in files}:
        extra.unlink()
    return folder


@pytest.fixture
def quick(home: Path) -> Iterator[Path]:
    """A folder in memory where there is one: each start syncs its files."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else home) as place:
        yield Path(place)


@pytest.mark.slow  # some hundreds of nodes start
def test_a_node_on_a_folder_with_one_wrong_byte_is_what_it_was_or_does_not_start(quick: Path, seed: int) -> None:
    files = asyncio.run(_a_room_that_has_lived())
    assert {*IDENTITY, "node.json", "presence.json", "policy.toml"} <= set(files)
    net, dice, outcomes = MemoryNet(), random.Random(seed), Counter[str]()
    good = start(_put(quick / "s", files), net)
    for name, data in files.items():
        places = {*range(min(8, len(data))), *dice.sample(range(len(data)), min(SAMPLE, len(data)))}
        for place in sorted(places):
            flipped = data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]
            folder = _put(quick / "s", files | {name: flipped})
            try:
                found = start(folder, net)
            except RoomError as error:
                assert error.advice, f"{name}, byte {place}: {error}"
                outcomes[f"{name} refused"] += 1
            else:
                # Closed is allowed (a policy that is in doubt), anything else must be as it was.
                assert found == good or (found[:5] == good[:5] and found[5] is False), f"{name}, byte {place}"
                outcomes[f"{name} as it was"] += 1
    print(f"seed {seed}: {dict(outcomes)}")
    assert all(outcomes[f"{name} refused"] for name in (*IDENTITY, "node.json"))
    assert all(outcomes[f"{name} as it was"] for name in ("presence.json", "freshness.json"))


@pytest.mark.parametrize("name", IDENTITY)
def test_a_missing_file_is_a_refusal_or_no_room_at_all(home: Path, name: str) -> None:
    room = Room(home / "lab")
    room.path.mkdir()
    room.found({"pc2": Role.MEMBER})
    (room.folders["pc2"].path / name).unlink()
    with pytest.raises(RoomError) as caught:
        Node(room.folders["pc2"], settings=Settings("127.0.0.3", 0))
    assert caught.value.advice
