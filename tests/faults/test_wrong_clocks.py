"""Machines whose clock is a year off, or in 1970, join, link and are judged as all others: dates decide nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lanline.roles import Role
from lanline.room import certificates, keys
from lanline.room.audit import AuditLog, Who
from lanline.room.chain import verify
from lanline.room.disk import write_atomic
from lanline.testing.room import Room, real_room

MOMENTS = {
    "1970": datetime(1970, 1, 2, tzinfo=UTC),
    "in ten years": datetime(2036, 6, 1, tzinfo=UTC),
    "in a century": datetime(2126, 6, 1, tzinfo=UTC),
}


def certified(room: Room, name: str, moment: datetime) -> None:
    """Gives a machine a certificate that was made at another time, by its own key and the same authority."""
    hub, folder = room.folders["hub-1"], room.folders[name]
    authority_key = keys.open_authority_key(hub.authority_key.read_bytes())
    authority = certificates.parse_authority_certificate(hub.authority_certificate.read_bytes())
    own = keys.parse_node_key(folder.node_key.read_bytes())
    made = certificates.new_node_certificate(authority_key, authority, own.public_key(), name, days=30, now=moment)
    write_atomic(folder.node_certificate, certificates.certificate_pem(made))


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_certificate_that_is_not_valid_yet_or_no_more_links_all_the_same(moment: datetime) -> None:
    async def main() -> None:
        async with asyncio.timeout(15), real_room(3, is_started=False) as room:
            certified(room, "pc2", moment)
            certified(room, "hub-1", moment)
            await room.start("hub-1", "pc2", "pc3")
            await room.wait_together()
            link = await room["pc2"].link_to("pc3")
            assert await link.ask("room.ping") == "pong"

    asyncio.run(main())


JOIN_AT = """
import asyncio, datetime, json, pathlib, sys, time
import lanline.room.certificates as certificates, lanline.room.civil as civil

off = float(sys.argv[1])
real = datetime.datetime

class Off(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return real.fromtimestamp(max(1.0, time.time() + off), tz)

civil.datetime = Off
certificates.datetime = Off
real_ns = time.time_ns
time.time_ns = lambda: max(1, real_ns() + int(off * 1e9))

from lanline.testing.room import real_room
from lanline.roles import Role

async def main():
    async with asyncio.timeout(12), real_room(2) as room:
        await room.join("pc7", Role.OPERATOR)
        await room.wait_together()
        link = await room["pc7"].link_to("pc2")
        answer = await link.ask("room.ping")
        room.authority.remove(room.owner, "pc2")
        await link.wait_gone()
        roster = room.hub.identity.book.current
        print(json.dumps([answer, roster.issued_at, [member.name for member in roster.members]]))

asyncio.run(main())
"""


@pytest.mark.slow  # a process
@pytest.mark.parametrize("off", [-365 * 86400.0, 365 * 86400.0, -2e9], ids=["a year slow", "a year fast", "1970"])
def test_a_whole_room_with_a_wrong_clock_founds_joins_links_and_removes(off: float) -> None:
    words = [sys.executable, "-c", JOIN_AT, str(off)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=19, check=False)
    assert done.returncode == 0, done.stderr
    answer, issued_at, members = json.loads(done.stdout)
    assert answer == "pong" and members == ["hub-1", "pc7"]
    assert abs(issued_at - datetime.now(UTC).timestamp()) > 300 * 86400


def test_an_audit_whose_clock_goes_back_is_still_whole(tmp_path: Path) -> None:
    clock = iter([10**18, 10**18 - 10**17, 5, 10**18 + 1, 6, 7, 8, 9])
    with AuditLog(tmp_path / "audit", now_ns=lambda: next(clock)) as audit:
        for number in range(3):
            assert audit.start_job(f"job-{number}", Who("pc2", Role.OPERATOR.word, bytes(32)), {})
    assert not verify(tmp_path / "audit").problem
    with AuditLog(tmp_path / "audit", now_ns=lambda: 10**18 + 2) as audit:
        assert all(audit.seen_job(f"job-{number}") for number in range(3))
