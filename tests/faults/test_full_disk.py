"""A disk that takes nothing more: no command runs without its line in the audit, and the node lives on.

The kernel's limit on the size of files (RLIMIT_FSIZE) stands for the full disk: writes beyond it fail with EFBIG, as
they fail with ENOSPC there, wherever the disk is.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lanline.errors import StateNotSaved
from lanline.roles import Role
from lanline.room.audit import AuditLog
from lanline.room.keys import open_authority_key
from lanline.room.roster import sign, verify
from lanline.services.run.service import make as make_run
from lanline.services.run.spec import new_spec
from lanline.testing.room import real_room, until


@contextmanager
def full_disk(most_bytes: int = 0) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_command_runs_whose_line_is_not_in_the_audit() -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(15),
            real_room(2, services=lambda node: [make_run(node)], allow_run=True) as room,
        ):
            sign = room.path / "it-ran"
            link = await room.hub.link_to("pc2")

            async def run(word: str) -> object:
                async with link.open("run.start", new_spec(["/bin/touch", f"{sign}-{word}"])) as call:
                    async for _ in call:
                        pass
                    return call.result

            await run("before")
            assert sign.with_name("it-ran-before").exists()
            # The limit counts for what is in memory alone, too: so the audit is made the largest file there is.
            room["pc2"].audit.append("padding", details={str(number): "x" * 4000 for number in range(100)})
            size = (room.folders["pc2"].audit / "00000001.jsonl").stat().st_size
            with full_disk(size):
                assert "the audit could not be written" in repr(await run("full"))
            assert not sign.with_name("it-ran-full").exists()
            await run("after")
            assert sign.with_name("it-ran-after").exists()

    asyncio.run(main())


def test_a_full_disk_changes_no_member_and_costs_no_member_its_link() -> None:
    async def main() -> None:
        async with asyncio.timeout(15), real_room(3) as room:
            with full_disk():
                for change in (
                    lambda: room.authority.remove(room.owner, "pc2"),
                    lambda: room.authority.set_role(room.owner, "pc2", Role.GUEST),
                    lambda: room.authority.invite(room.owner, Role.MEMBER, uses=1, ttl=None),
                ):
                    with pytest.raises(StateNotSaved):
                        change()
                await room.hub._saver.save_changes()
                link = await room["pc2"].link_to("pc3")
                assert await link.ask("room.ping") == "pong"
            assert room.hub.identity.book.number == 2 and not room.authority.invitations.open_now(0)
            room.authority.remove(room.owner, "pc2")
            await until(lambda: link.is_gone)

    asyncio.run(main())


def test_a_member_obeys_a_removal_that_its_disk_does_not_take() -> None:
    async def main() -> None:
        async with asyncio.timeout(15), real_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            node = room["pc3"]
            key = open_authority_key(room.folders["hub-1"].authority_key.read_bytes())
            data = sign(node.identity.book.current.without("pc2", issued_at=9), key)
            with full_disk():
                assert node.adopt(data) is None
                assert node.live_link("pc2") is None
            await until(lambda: link.is_gone)
            assert any("not on disk" in alarm for alarm in node.alarms)
            node._keeper.save_again()
            assert verify(room.folders["pc3"].roster.read_bytes(), key.public_key()).number == 3

    asyncio.run(main())


def test_what_was_on_disk_before_is_whole_after_writes_that_failed() -> None:
    async def main() -> None:
        async with asyncio.timeout(15), real_room(2) as room:
            folder = room.folders["pc2"]
            await room.stop("pc2")
            before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
            await room.start("pc2")
            await room.wait_together()
            node = room.nodes.pop("pc2")
            with full_disk():
                await node.stop()
            after = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
            assert after == before | {"node.lock": after["node.lock"]}
            await room.start("pc2")
            await room.wait_together()

    asyncio.run(main())


def test_an_audit_that_was_cut_short_by_the_disk_goes_on_when_there_is_room(home: Path) -> None:
    folder = home / "audit"
    with AuditLog(folder) as audit:
        audit.append("one")
        size = os.path.getsize(folder / "00000001.jsonl")
        for slack in (0, 1, 50):
            with full_disk(size + slack), pytest.raises(StateNotSaved):
                audit.append("two")
        audit.append("three")
    with AuditLog(folder) as audit:
        assert audit.statistics()["lines"] >= 3
