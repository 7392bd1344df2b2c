"""A service with one endpoint of every shape, that writes down what happened to its handlers; and links to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from lanline.errors import CallFailed, ConnectFailed, NotAllowed, Status, UsageError
from lanline.limits import LAN, Limits
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.client import connect_link
from lanline.link.guard import Guard
from lanline.link.link import Link
from lanline.link.server import Server, serve
from lanline.link.service import Service, endpoint
from lanline.roles import Role

PATIENCE = 10.0
"""Seconds after which a test that waits for something is wrong about it."""


class Desk(Service):
    """Answers in every way there is.

    Attributes:
        notes: what happened to handlers, in order.
        changed: set after each note.
        gate: `wait` returns once it is set.
    """

    name = "desk"

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()

    def note(self, text: str) -> None:
        """Writes something down."""
        self.notes.append(text)
        self.changed.set()

    async def until(self, text: str) -> None:
        """Waits until something was written down."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.notes:
                self.changed.clear()
                await self.changed.wait()

    @endpoint
    def say(self, text: str) -> str:
        """Gives the text back, in place."""
        return text

    @endpoint
    async def later(self, text: str) -> str:
        """Gives the text back, one loop turn later."""
        await asyncio.sleep(0)
        return text

    @endpoint
    def repeat(self, text: str, times: int = 2) -> str:
        """Has a default."""
        return text * times

    @endpoint
    def nothing(self) -> None:
        """Gives nothing back."""

    @endpoint
    def raw(self, size: int) -> bytes:
        """Gives bytes back as they are."""
        return bytes(size)

    @endpoint
    async def raw_later(self, size: int) -> bytearray:
        """The same, from a task."""
        return bytearray(size)

    @endpoint
    def who(self, caller: Caller) -> str:
        """Says who asks."""
        role = caller.role.word if caller.role else "nobody"
        return f"{caller.name or '?'} {role} {'local' if caller.is_local else 'far'}"

    @endpoint
    async def wait(self, text: str) -> str:
        """Waits for the gate, and notes how that ended."""
        self.note(f"{text} begun")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.note(f"{text} cancelled")
            raise
        self.note(f"{text} done")
        return text

    @endpoint
    async def stubborn(self) -> str:
        """Takes its time to clean up when it is cancelled."""
        self.note("stubborn begun")
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            self.note("stubborn cleaned up")
        return "never"

    @endpoint
    async def tidy(self) -> str:
        """Cleans up for as long as the gate is shut."""
        self.note("tidy begun")
        try:
            await asyncio.Event().wait()
        finally:
            await self.gate.wait()
            self.note("tidy cleaned up")
        return "never"

    @endpoint
    async def much(self, size: int) -> bytes:
        """Gives bytes back once the gate opens."""
        await self.gate.wait()
        return bytes(size)

    @endpoint
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        """Streams numbers."""
        try:
            for number in range(to):
                yield number
        finally:
            self.note("count closed")

    @endpoint
    async def blocks(self, number: int, size: int) -> AsyncGenerator[bytes, None]:
        """Streams raw items, and notes each that was sent."""
        for position in range(number):
            yield bytes(size)
            self.note(f"block {position}")

    @endpoint
    async def double(self, call: Call) -> str:
        """Answers every item with twice it."""
        async for item in call:
            await call.send(item * 2)
        return "done"

    @endpoint
    async def swallow(self, call: Call, limit: int) -> int:
        """Takes some items and goes."""
        taken = 0
        while taken < limit:
            await call.receive()
            taken += 1
        return taken

    @endpoint
    async def idle(self, call: Call) -> str:
        """Takes no item until the gate opens."""
        self.note("idle begun")
        await self.gate.wait()
        return str(len([item async for item in call]))

    @endpoint(bulk=True)
    async def bulk(self, call: Call) -> str:
        """The same, for much."""
        await self.gate.wait()
        return str(len([item async for item in call]))

    @endpoint(role=Role.OPERATOR)
    def reboot(self, when: int) -> str:
        """For operators only."""
        self.note("rebooted")
        return f"in {when} s"

    @endpoint(local=True)
    def secret(self) -> str:
        """For people on this machine only."""
        return "here"

    @endpoint
    def fail(self, how: str) -> str:
        """Raises in every way there is."""
        raise _FAILURES[how]

    @endpoint
    async def fail_later(self, how: str) -> str:
        """The same, from a task."""
        await asyncio.sleep(0)
        raise _FAILURES[how]

    @endpoint
    def unsendable(self) -> object:
        """Gives back what no encoder takes."""
        return object()


_FAILURES: dict[str, Exception] = {
    "bug": ValueError("the password is hunter2"),
    "usage": UsageError("seven is no colour", advice="try red."),
    "refused": NotAllowed("only owners may"),
    "unavailable": ConnectFailed("the printer does not answer"),
    "call": CallFailed(Status.OVERLOADED, "come back later", may_have_run=False, details={"wait": "5"}),
    "surrogate": ConnectFailed("cannot open caf\udce9"),
    "long": ConnectFailed("x" * 200_000),
}


async def until(holds: Callable[[], object]) -> None:
    """Lets the loop turn until something holds of which nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # there is no event to wait for: that is what this is for
            await asyncio.sleep(0)


@asynccontextmanager
async def linked(
    address: str,
    *services: Service,
    guard: Guard | None = None,
    limits: Limits = LAN,
    client_services: Iterable[Service] = (),
    client_guard: Guard | None = None,
) -> AsyncIterator[Link]:
    """A link to these services, served at this address; both are gone afterwards."""
    async with serve(services, address, guard=guard, limits=limits) as server:
        async with dialled(server, services=client_services, guard=client_guard, limits=limits) as link:
            yield link


@asynccontextmanager
async def dialled(server: Server, **options: Any) -> AsyncIterator[Link]:
    """A link to a server."""
    async with connect_link(server.addresses[0], **options) as link:
        yield link
