"""The door, from both sides over real sockets: a class gets in at once, and nobody else does or learns anything."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from lanline.address import Address
from lanline.errors import AuthorityLocked, ConnectFailed, JoinFailed, StateNotSaved
from lanline.roles import Role
from lanline.room import keys
from lanline.room.door import DOOR_BURST
from lanline.room.doorway import PREFACE, SIGN, join
from lanline.room.joincode import JoinCode
from lanline.room.joining import JoinerSide, JoinRequest, Welcome
from lanline.testing.room import Room, real_room, until


@asynccontextmanager
async def hub() -> AsyncIterator[Room]:
    """A room of a hub alone."""
    async with real_room(1) as room:
        yield room


def invite(room: Room, uses: int = 1, ttl: float | None = None) -> str:
    """A fresh code."""
    return room.authority.invite(room.owner, Role.MEMBER, uses=uses, ttl=ttl).code.text


async def hung_up(reader: asyncio.StreamReader) -> bool:
    """Whether the peer ends without a word; with a reset where it has not read all that it was sent."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_a_machine_with_a_code_gets_in_and_its_node_meets_the_hub() -> None:
    async def main() -> None:
        async with hub() as room:
            node = await room.join("pc2")
            await room.wait_together()
            assert (node.name, node.role, node.hub_name) == ("pc2", Role.MEMBER, "hub-1")

    asyncio.run(main())


def test_thirty_machines_with_one_code_get_in_within_seconds() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room, uses=30)
            names = [f"pc{number}" for number in range(2, 32)]
            began = time.perf_counter()
            await asyncio.gather(*(room.join_with(code, name) for name in names))
            took = time.perf_counter() - began
            roster = room.hub.identity.book.current
            assert {member.name for member in roster.members} == {"hub-1", *names}
            assert took < 15, f"{took:.1f} s"  # about one, and what a busy machine adds
            with pytest.raises(JoinFailed, match="no invitation is open at that machine: it was used up"):
                await room.join_with(code, "late")

    asyncio.run(main())


@pytest.mark.parametrize("racing", [8])
def test_of_many_that_race_for_one_use_one_gets_in(racing: int) -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            asked = (room.join_with(code, f"pc{number}") for number in range(2, 2 + racing))
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert [outcome for outcome in outcomes if outcome is None] == [None]
            assert all(isinstance(outcome, JoinFailed) for outcome in outcomes if outcome is not None)
            assert len(room.hub.identity.book.current.members) == 2

    asyncio.run(main())


def test_a_wrong_code_is_counted_and_told_after_the_proof_alone() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
            with pytest.raises(JoinFailed, match="the code is wrong, used up or has ended"):
                await room.join_with(wrong, "pc2")
            slotless = "ZZ" if not code.startswith("ZZ") else "YY"
            with pytest.raises(JoinFailed, match="the code is wrong, used up or has ended"):
                await room.join_with(slotless + code[2:], "pc2")
            await until(lambda: room.authority.invitations.statistics()["wrong"] == 2)
            await room.join_with(code, "pc2")

    asyncio.run(main())


def test_without_an_invitation_the_port_has_no_door() -> None:
    async def main() -> None:
        async with hub() as room:
            with pytest.raises(JoinFailed, match="no invitation is open") as caught:
                await room.join_with("AA-AAAA-AAAA", "pc2")
            assert "lanline invite" in caught.value.advice

    asyncio.run(main())


def test_a_name_that_is_taken_is_told_and_the_code_is_good_for_another_try() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            key, door = keys.new_key(), room.hub.addresses[0]
            with pytest.raises(JoinFailed, match="the name hub-1 is taken"):
                await asyncio.to_thread(
                    join, door, lambda: JoinerSide(JoinCode.parse(code), key, "hub-1"), timeout=10.0
                )
            await room.join_with(code, "pc2")

    asyncio.run(main())


def test_a_locked_hub_invites_nobody_and_codes_of_before_are_gone() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            await room.stop("hub-1")
            await room.start("hub-1", is_locked=True)
            with pytest.raises(JoinFailed, match="no invitation is open"):
                await room.join_with(code, "pc2")
            with pytest.raises(AuthorityLocked):
                invite(room)

    asyncio.run(main())


def test_a_fault_of_the_hub_while_admitting_gives_the_use_back_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            keeper = room.hub._doorkeeper
            assert keeper is not None
            real = keeper._admit

            def fault(request: JoinRequest, role: Role) -> Welcome:
                raise ZeroDivisionError

            keeper._admit = fault
            with pytest.raises(JoinFailed):
                await room.join_with(code, "pc2")
            keeper._admit = real
            await until(lambda: room.authority.invitations.statistics()["under_way"] == 0)
            await room.join_with(code, "pc2")

    asyncio.run(main())
    assert "failed on this side" in caplog.text


def test_strangers_that_dawdle_do_not_keep_a_class_out() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room, uses=4)
            door = room.hub.addresses[0]
            silent = [await asyncio.open_connection(door.host, door.port) for _ in range(3)]
            for _, writer in silent:
                writer.write(PREFACE)
            await until(lambda: room.authority.invitations.statistics()["under_way"] == 3)
            await asyncio.gather(*(room.join_with(code, f"pc{number}") for number in range(2, 6)))
            assert len(room.hub.identity.book.current.members) == 5
            for _, writer in silent:
                writer.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "said",
    [
        b"LANLINE\x02",
        PREFACE + b"\xff\xff\xff\xff",
        PREFACE + b"\x00\x00\x00\x00",
        PREFACE + b"\x00\x00\x00\x05hello",
        PREFACE + b"\x00\x00\x00\x24" + b"\x09" * 36,
        PREFACE + b"\x00\x00\x00\x24\x01AA" + b"A" * 33,
        PREFACE + b"\x00\x00",
    ],
)
def test_nonsense_at_the_door_is_hung_up_on_without_a_word(said: bytes) -> None:
    async def main() -> None:
        async with hub() as room:
            invite(room)
            door = room.hub.addresses[0]
            reader, writer = await asyncio.open_connection(door.host, door.port)
            writer.write(said)
            if writer.can_write_eof():
                writer.write_eof()
            assert await hung_up(reader)
            writer.close()
            await until(lambda: room.authority.invitations.statistics()["under_way"] == 0)
            assert len(room.hub.identity.book.current.members) == 1

    asyncio.run(main())


def test_sixty_wrong_guesses_from_one_address_are_mostly_not_listened_to() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)
            invitations = room.authority.invitations
            for _ in range(60):
                await _guess(room, JoinCode.parse(code).slot)
            await until(lambda: invitations.statistics()["under_way"] == 0)
            figures = invitations.statistics()
            assert figures["wrong"] <= DOOR_BURST and figures["turned"] >= 50
            assert invitations.wrong_by_address() == {"127.0.0.1": figures["wrong"]}

    asyncio.run(main())


async def _guess(room: Room, slot: str) -> None:
    """One try with a made-up secret, without the patience of `join`."""
    door = room.hub.addresses[0]
    side = JoinerSide(JoinCode(slot, "0" * 8), keys.new_key(), "pc2")
    reader, writer = await asyncio.open_connection(door.host, door.port)
    try:
        first = side.start()
        writer.write(PREFACE + len(first).to_bytes(4, "big") + first)
        second = await reader.readexactly(4 + 33)
        third = side.receive(second[4:])
        assert third is not None
        writer.write(len(third).to_bytes(4, "big") + third)
        assert await reader.read() == b""
    except (ConnectionResetError, asyncio.IncompleteReadError):
        return  # turned away
    finally:
        writer.close()


# -- the joiner's side: what answers is no hub ----------------------------------------------------------------


@contextmanager
def answering(answer: bytes, *, trickle: float = 0.0) -> Iterator[Address]:
    """A server that says this to whoever connects, a byte at a time with `trickle`, and then waits."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        sock, _ = server.accept()
        with sock:
            sock.sendall(answer)
            while trickle and not done.wait(trickle):
                try:
                    sock.sendall(b"\x00")
                except OSError:
                    return
            done.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Address("tcp", *server.getsockname())
    finally:
        done.set()
        server.close()
        thread.join()


def joiner() -> JoinerSide:
    """A machine with some code."""
    return JoinerSide(JoinCode.parse("AA-AAAA-AAAA"), keys.new_key(), "pc2")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "something else than lanline answers there: it begins with 'SSH-2.0-OpenSSH_9.2'"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it begins with 'HTTP/1.1 400 Bad Request"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "something else than lanline"),
        (b"this is another program", "it begins with 'this is another program'"),
        (PREFACE, "it begins with 'LANLINE"),
        (b"\x00\x00\x00\x05hello", "the hub's answer cannot be read"),
        (b"\x00\x00\x00\x21" + b"B" * 33, "the hub's answer cannot be read"),
    ],
)
def test_what_is_no_hub_is_told_from_one(answer: bytes, says: str) -> None:
    with answering(answer) as address, pytest.raises(JoinFailed) as caught:
        join(address, joiner, timeout=15)
    assert says in str(caught.value)
    assert "address and the port" in caught.value.advice or "another version" in caught.value.advice


def test_the_sign_of_a_node_means_that_no_invitation_is_open() -> None:
    with answering(SIGN) as address, pytest.raises(JoinFailed, match="no invitation is open at that machine") as caught:
        join(address, joiner, timeout=15)
    assert "lanline invite" in caught.value.advice


def test_a_silent_or_trickling_server_holds_a_joiner_no_longer_than_it_said() -> None:
    for trickle in (0.0, 0.05):
        began = time.monotonic()
        with answering(b"", trickle=trickle) as address, pytest.raises(JoinFailed, match=r"in time|cannot be read"):
            join(address, joiner, timeout=0.3)
        assert time.monotonic() - began < 9, "the server itself gives up after ten seconds"


def test_nobody_there_is_a_failure_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("tcp", *server.getsockname())
    with pytest.raises(ConnectFailed):
        join(address, joiner, timeout=1)


def test_the_invitations_are_touched_by_the_loops_thread_alone() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room, uses=3)
            own = threading.get_ident()
            book = room.authority.invitations
            strangers: list[int] = []
            for name in ("begin", "find", "_ended", "_count_failure", "_count_wrong"):
                real = getattr(book, name)

                def watched(*arguments: object, real: Callable[..., object] = real) -> object:
                    strangers.append(threading.get_ident())
                    return real(*arguments)

                setattr(book, name, watched)
            await room.join_with(code, "pc2")
            with pytest.raises(JoinFailed):
                await room.join_with(code[:-1] + ("0" if code[-1] != "0" else "1"), "pc3")
            door = room.hub.addresses[0]
            reader, writer = await asyncio.open_connection(door.host, door.port)
            writer.write(PREFACE + b"\x00\x00\x00\x24\x01AAA" + b"\xff" * 32)
            await reader.read()
            writer.close()
            assert strangers and set(strangers) == {own}

    asyncio.run(main())


def test_a_hub_that_stops_hangs_up_on_everybody_at_the_door() -> None:
    async def main() -> None:
        async with hub() as room:
            invite(room)
            door = room.hub.addresses[0]
            reader, writer = await asyncio.open_connection(door.host, door.port)
            writer.write(PREFACE)
            await until(lambda: room.authority.invitations.statistics()["under_way"] == 1)
            await room.stop("hub-1")
            assert await hung_up(reader)
            writer.close()

    asyncio.run(main())


def test_a_disk_that_takes_nothing_is_told_to_the_machine_that_joins() -> None:
    async def main() -> None:
        async with hub() as room:
            code = invite(room)

            def full(data: bytes) -> None:
                raise StateNotSaved("the roster could not be written: No space left on device")

            room.authority._enforce = full
            with pytest.raises(JoinFailed, match="No space left on device"):
                await room.join_with(code, "pc2")

    asyncio.run(main())
