"""The first exchange, with guards of all minds: welcome, refusal, a newer roster on either side, a full house."""

from __future__ import annotations

from typing import Any

import pytest

from lanline.errors import ConnectFailed
from lanline.limits import LAN
from lanline.link.caller import Caller
from lanline.link.guard import Anyone, AwaitRoster, Refuse, Verdict, Welcome
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.roles import Role
from lanline.session import frames
from lanline.session.frames import Kind
from lanline.transport.base import ConnectionFacts
from tests.link.conftest import Run
from tests.link.desk import Desk, dialled, linked, until
from tests.link.puppet import HELLO, WELCOME, puppet


class Clerk(Anyone):
    """A guard with a roster number: the newer side shows its roster.

    Attributes:
        notes: what happened, in order.
    """

    def __init__(self, number: int, name: str = "peer") -> None:
        self.number = number
        self.name = name
        self.notes: list[str] = []

    def room_data(self) -> bytes:
        """The number, as text."""
        return str(self.number).encode()

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """By the numbers."""
        theirs = int(room_data)
        self.notes.append(f"judge {theirs}")
        if theirs > self.number:
            return AwaitRoster()
        return Welcome(Caller(self.name, Role.MEMBER), b"roster %d" % self.number if theirs < self.number else None)

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """Adopts it."""
        self.notes.append(f"roster {roster.decode()}")
        if roster == b"roster 13":
            return Refuse("thirteen is not signed")
        self.number = int(roster.split()[1])
        return Welcome(Caller(self.name, Role.OPERATOR))

    def welcomed(self, link: Link) -> str | None:
        """Notes it."""
        self.notes.append("welcomed")
        return None

    def lost(self, link: Link, reason: str) -> None:
        """Notes it."""
        self.notes.append(f"lost: {reason}")


@pytest.mark.parametrize(("here", "there"), [(5, 5), (5, 7), (7, 5)])
def test_the_older_side_judges_by_the_newer_roster(address: str, run: Run[Any], here: int, there: int) -> None:
    async def main() -> None:
        near, far = Clerk(here), Clerk(there)
        async with linked(address, Desk(), guard=far, client_guard=near) as link:
            assert await link.ask("desk.say", "in") == "in"
            assert near.number == far.number == max(here, there)
            for clerk, first, other in ((near, here, there), (far, there, here)):
                roster = [f"roster roster {other}"] if other > first else []
                assert clerk.notes == [f"judge {other}", *roster, "welcomed"]
            if here < there:
                assert link.caller.role is Role.OPERATOR

    run(main())


def test_a_refused_peer_is_told_why(address: str, run: Run[Any]) -> None:
    class Nobody(Anyone):
        def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
            return Refuse("this key is not in the roster")

    async def main() -> None:
        async with serve(Desk(), address, guard=Nobody()) as server:
            with pytest.raises(ConnectFailed, match="did not come about: this key is not in the roster"):
                async with dialled(server):
                    raise AssertionError("it was let in")

    run(main())


def test_the_connecting_side_refuses_too(address: str, run: Run[Any]) -> None:
    class Wary(Anyone):
        def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
            return Refuse("this is not who I called")

    async def main() -> None:
        clerk = Clerk(5)
        async with serve(Desk(), address) as server:
            with pytest.raises(ConnectFailed, match="this is not who I called"):
                async with dialled(server, guard=Wary()):
                    raise AssertionError("it was let in")
        assert clerk.notes == []

    run(main())


def test_a_roster_that_is_judged_bad_refuses_its_sender(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        far = Clerk(5)
        async with serve(Desk(), mem, guard=far) as server:
            with pytest.raises(ConnectFailed, match="thirteen is not signed"):
                async with dialled(server, guard=Clerk(13)):
                    raise AssertionError("it was let in")
        assert far.notes == ["judge 13", "roster roster 13"]

    run_once(main())


def test_a_hostile_reason_is_cleaned(mem: str, run_once: Run[Any]) -> None:
    class Rude(Anyone):
        def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
            return Refuse("\x1b[2Jno\u202e")

    async def main() -> None:
        async with serve(Desk(), mem, guard=Rude()) as server:
            with pytest.raises(ConnectFailed) as caught:
                async with dialled(server):
                    raise AssertionError("it was let in")
        assert r"\x1b[2Jno\u202e" in str(caught.value)

    run_once(main())


def test_the_listener_hears_the_name_before_the_peer_hears_that_it_is_in(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        limits = LAN._replace(max_connections_per_member=2)
        async with serve(Desk(), mem, guard=Clerk(5, "pc7"), limits=limits) as server:
            async with dialled(server, guard=Clerk(5)), dialled(server, guard=Clerk(5)) as second:
                with pytest.raises(ConnectFailed, match="pc7 has too many connections to this node already"):
                    async with dialled(server, guard=Clerk(5)):
                        raise AssertionError("a third was let in")
                assert await second.ask("desk.say", "the older ones stay") == "the older ones stay"
            await until(lambda: not server.statistics().peers)
            async with dialled(server, guard=Clerk(5)) as again:
                assert await again.ask("desk.say", "room again") == "room again"

    run_once(main())


def test_a_guard_hears_of_the_loss_only_of_who_was_in(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        clerk = Clerk(5)
        async with serve(Desk(), mem, guard=clerk) as server:
            async with puppet(server.addresses[0], greeted=False) as peer:
                peer.transport.write(_hello(b"5"))
                await peer.until(lambda: Kind.WELCOME in peer.kinds())
            await until(lambda: not server.statistics().peers)
            assert clerk.notes == ["judge 5"]
            async with dialled(server, guard=Clerk(5)) as link:
                await link.close("bye")
            await until(lambda: not server.statistics().peers)
            assert clerk.notes[1:] == ["judge 5", "welcomed", "lost: bye"]

    run_once(main())


def _hello(room: bytes) -> bytes:
    body = frames.encode_body(frames.Hello((frames.VERSION,), b"12345678", room=room))
    return frames.pack(Kind.HELLO, 0, body)


@pytest.mark.parametrize("where", ["room_data", "judge", "judge_with_roster"])
def test_a_guard_that_fails_lets_nobody_in(
    mem: str, run_once: Run[Any], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Clerk):
        pass

    def fail(*_: object) -> Any:
        raise UnicodeError("a bug in the room")

    setattr(Faulty, where, fail)

    async def main() -> None:
        async with serve(Desk(), mem, guard=Faulty(5)) as server:
            async with puppet(server.addresses[0], greeted=False) as peer:
                peer.transport.write(_hello(b"6") + frames.pack(Kind.ROSTER, 0, b"roster 6") + WELCOME)
                await peer.until_lost()
                assert Kind.WELCOME not in peer.kinds()
                assert frames.decode_farewell(peer.frames()[-1][3]).reason == "this side failed; its log says why"

    run_once(main())
    assert "a bug in the room" in caplog.text


def test_a_roster_that_nobody_waited_for_changes_who_the_peer_is(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        clerk = Clerk(5)
        async with serve(Desk(), mem, guard=clerk) as server:
            async with puppet(server.addresses[0], greeted=False) as peer:
                peer.transport.write(_hello(b"5"))
                await peer.until(lambda: Kind.WELCOME in peer.kinds())
                peer.transport.write(frames.pack(Kind.ROSTER, 0, b"roster 6") + WELCOME)
                await until(lambda: "welcomed" in clerk.notes)
                [served] = server._links
                assert (clerk.number, served.caller.role) == (6, Role.OPERATOR)
                request = frames.encode_open("desk.say", frames.encode_body(("still in",)))
                peer.send(Kind.OPEN, 1, request, frames.LAST)
                await peer.until(lambda: Kind.END in peer.kinds())
                assert peer.kinds().count(Kind.WELCOME) == 1

    run_once(main())


def test_a_peer_that_breaks_the_rules_while_it_is_judged_is_not_welcomed(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serve(Desk(), mem) as server, puppet(server.addresses[0], greeted=False) as peer:
            peer.transport.write(HELLO + b"\x00\x00\x00\x00\x63\x00\x00\x00\x00\x00")
            await peer.until_lost()
            assert peer.kinds() == [Kind.HELLO, Kind.GOAWAY]

    run_once(main())
    assert caplog.text == ""
