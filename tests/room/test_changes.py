"""A newer roster in force: on disk, on the links, at the watchers, even when something of that fails."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from tests.room.founding import the_room

from lanline.errors import CallRefused, ConnectFailed, StateNotSaved
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room import keys, roster
from lanline.room.alarms import Alarms
from lanline.room.audit import AuditLog
from lanline.room.book import Change, Refused, RosterBook
from lanline.room.changes import FAREWELL, RosterKeeper
from lanline.room.links import LinkBook
from lanline.room.presence import Presence, PresenceBook
from lanline.testing import clock
from lanline.testing.room import memory_room, until

ROOM = the_room()
THIRD = ROOM.roster.without("pc7", issued_at=3)


async def _nowhere(name: str) -> object:
    raise ConnectFailed(name)


class Desk:
    """A keeper over a folder, of hub-1 or of pc7."""

    def __init__(self, folder: Path, own: str = "hub-1") -> None:
        self.path = folder / "roster"
        self.path.write_bytes(ROOM.signed)
        self.book = RosterBook(ROOM.authority_key.public_key(), ROOM.signed)
        self.presence = PresenceBook()
        self.audit = AuditLog(folder / "audit")
        self.alarms = Alarms(self.audit)
        key = keys.public_key_hash(ROOM.hub_key if own == "hub-1" else ROOM.node_key)
        links = LinkBook(_nowhere)  # type: ignore[arg-type]  # it never returns
        self.keeper = RosterKeeper(self.path, self.book, key, links, self.presence, self.alarms)
        self.changes: list[Change] = []
        self.keeper.watchers.append(self.changes.append)

    def saved(self) -> bool:
        """Whether the roster in force is on disk, as the keeper knows."""
        return self.keeper.is_saved

    def fill_disk(self) -> None:
        """From here on nothing can be written to the folder."""
        self.path.parent.rename(self.path.parent.with_name("gone"))

    def free_disk(self) -> None:
        """It can again."""
        self.path.parent.with_name("gone").rename(self.path.parent)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of its own, so that it can be moved away."""
    place = tmp_path / "state"
    place.mkdir()
    return place


def signed(one: roster.Roster) -> bytes:
    """A roster as it travels."""
    return roster.sign(one, ROOM.authority_key)


def test_a_newer_roster_is_on_disk_in_force_and_told(folder: Path) -> None:
    desk = Desk(folder)
    desk.presence.set(Presence("pc7", online=True))
    assert desk.keeper.adopt(signed(THIRD)) is None
    assert roster.verify(desk.path.read_bytes(), ROOM.authority_key.public_key()).number == desk.book.number == 3
    assert [member.name for change in desk.changes for member in change.removed] == ["pc7"]
    assert desk.presence.rows() == ()
    desk.audit.close()


def test_the_same_and_an_older_roster_change_nothing(folder: Path) -> None:
    desk = Desk(folder)
    data = signed(THIRD)
    desk.keeper.adopt(data)
    assert desk.keeper.adopt(data) is None
    assert isinstance(desk.keeper.adopt(ROOM.signed), Refused)
    assert len(desk.changes) == 1 and desk.book.number == 3 and desk.path.read_bytes() == data
    desk.audit.close()


def test_two_rosters_of_one_number_are_an_alarm_and_the_first_stays(folder: Path) -> None:
    desk = Desk(folder)
    desk.keeper.adopt(signed(THIRD))
    other = signed(ROOM.roster.with_role("pc7", Role.OWNER, issued_at=3))
    assert isinstance(desk.keeper.adopt(other), Refused)
    assert "same number" in desk.alarms.texts[0]
    assert desk.book.member_for(keys.public_key_hash(ROOM.node_key)) is None
    desk.audit.close()


def test_a_removal_takes_effect_though_the_disk_takes_nothing_and_is_written_later(folder: Path) -> None:
    desk = Desk(folder)
    desk.audit.close()
    data = signed(THIRD)
    desk.fill_disk()
    assert desk.keeper.adopt(data) is None
    assert desk.book.number == 3 and len(desk.changes) == 1
    assert not desk.saved() and "not on disk" in desk.alarms.texts[0]
    desk.keeper.save_again()
    assert not desk.saved()
    desk.free_disk()
    desk.keeper.save_again()
    assert desk.saved() and desk.path.read_bytes() == data
    desk.audit.close()


def test_the_hub_changes_nothing_unless_it_is_on_disk_first(folder: Path) -> None:
    desk = Desk(folder)
    desk.audit.close()
    desk.fill_disk()
    with pytest.raises(StateNotSaved):
        desk.keeper.adopt(signed(THIRD), must_save=True)
    assert desk.book.number == 2 and desk.changes == [] and desk.saved()


def test_a_watcher_that_fails_keeps_no_other_from_being_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(folder)

    def failing(change: Change) -> None:
        raise ZeroDivisionError

    desk.keeper.watchers.insert(0, failing)
    with caplog.at_level(logging.ERROR):
        desk.keeper.adopt(signed(THIRD))
    assert len(desk.changes) == 1 and "a watcher of the roster failed" in caplog.text
    desk.audit.close()


def test_a_machine_that_was_removed_says_so(folder: Path) -> None:
    desk = Desk(folder, own="pc7")
    desk.keeper.adopt(signed(THIRD))
    assert "this machine was removed from the room lab" in desk.alarms.texts[0]
    desk.audit.close()


class Tell(Service):
    """Says who asks."""

    name = "tell"

    @endpoint(role=Role.OPERATOR)
    def operators(self) -> str:
        """For operators."""
        return "yes"


def test_a_role_counts_on_every_live_link_from_the_moment_the_roster_does() -> None:
    async def main() -> None:
        async with memory_room(3, roles={"pc2": Role.OPERATOR}, services=lambda _: [Tell()]) as room:
            link = await room["pc2"].link_to("pc3")
            assert await link.ask("tell.operators") == "yes"
            room.authority.set_role(room.owner, "pc2", Role.MEMBER)
            await room.wait_roster(3)
            with pytest.raises(CallRefused, match="needs the role operator; pc2 has member"):
                await link.ask("tell.operators")
            room.authority.set_role(room.owner, "pc2", Role.OPERATOR)
            await room.wait_roster(4)
            assert await link.ask("tell.operators") == "yes"

    clock.run(main())


def test_a_removed_member_loses_every_right_at_once_and_its_links_a_moment_later() -> None:
    async def main() -> None:
        async with memory_room(3, roles={"pc2": Role.OPERATOR}, services=lambda _: [Tell()]) as room:
            loop = asyncio.get_running_loop()
            link = await room["pc2"].link_to("pc3")
            began = loop.time()
            room.authority.remove(room.owner, "pc2")
            await until(lambda: room["pc3"].identity.book.number == 3)
            assert room["pc3"].live_link("pc2") is None
            await until(lambda: link.is_gone)
            assert loop.time() - began < 2 * FAREWELL
            await until(lambda: not room["pc3"].links() or all(one.caller.name != "pc2" for one in room["pc3"].links()))
            await until(lambda: room["pc2"].alarms)
            assert "was removed" in room["pc2"].alarms[0]

    clock.run(main())
