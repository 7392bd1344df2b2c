"""The endpoints of the room itself.

`room` is what members ask the hub: who is here, and (operators) invitations, removals, roles. `node` is what the people
of one machine ask their own node over its Unix socket; where only the hub can do it, the node passes it on in its own
name, which is this person's name in the room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from lanline.errors import RoomError, UsageError
from lanline.link.caller import Caller
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.hub import Hub
from lanline.room.presence import Report
from lanline.room.records import Invited, MemberLine, NodeStatus

if TYPE_CHECKING:
    from lanline.room.node import Node

_HUB_PATIENCE: Final = 10.0
"""Seconds the hub may take to answer what a person is waiting for."""


class RoomService(Service):
    """What members ask the hub."""

    name = "room"

    def __init__(self, node: Node) -> None:
        self._node = node

    def _hub(self) -> Hub:
        if self._node.hub is None:
            raise UsageError(f"{self._node.name} is not the hub of this room; the hub is {self._node.hub_name}")
        return self._node.hub

    @endpoint(role=Role.GUEST)
    async def attend(self, report: Report, caller: Caller) -> AsyncIterator[bytes]:
        """Says that the caller is here for as long as the call lives; answers with news of everybody, encoded."""
        if caller.is_local:
            raise UsageError(f"{self._node.name} is here by itself, and not by its own socket")
        self._hub()
        async for news in self._node.attendance.attend(caller, self._node.arrived(caller), report):
            yield news

    @endpoint(role=Role.OPERATOR, doing="inviting")
    async def invite(self, role: Role, uses: int, ttl: float | None, caller: Caller) -> Invited:
        """Opens an invitation; operators and owners only by an owner."""
        hub = self._hub()
        invitation = hub.invite(caller, role, uses=uses, ttl=ttl)
        lives = invitation.closes_at - time.monotonic()
        return Invited(invitation.code.text, role.word, uses, lives, self._node.reachable_at())

    @endpoint(role=Role.OPERATOR, doing="removing a member")
    async def remove(self, name: str, caller: Caller) -> None:
        """Takes a member out of the room; operators and owners only by an owner."""
        self._hub().remove(caller, name)

    @endpoint(role=Role.OWNER, doing="giving roles")
    async def set_role(self, name: str, role: Role, caller: Caller) -> None:
        """Gives a member another role."""
        self._hub().set_role(caller, name, role)

    @endpoint(role=Role.GUEST)
    async def depart(self, caller: Caller) -> None:
        """Takes the caller itself out of the room."""
        self._hub().remove(caller, caller.name)


class NodeService(Service):
    """What the people of one machine ask their own node."""

    name = "node"

    def __init__(self, node: Node, room: RoomService) -> None:
        self._node = node
        self._room = room

    @endpoint(role=Role.GUEST, local=True)
    def status(self) -> NodeStatus:
        """How this node is doing, and what it waits for."""
        return self._node.status()

    @endpoint(role=Role.GUEST, local=True)
    def who(self, target: str = "@all") -> list[MemberLine]:
        """The members a target selects, with what is known of them."""
        return self._node.member_lines(target)

    @endpoint(role=Role.GUEST, local=True)
    def stop(self) -> None:
        """Stops this node."""
        self._node.request_stop()

    @endpoint(role=Role.GUEST, local=True)
    async def unlock(self, passphrase: str, caller: Caller) -> None:
        """Opens the authority key on the hub."""
        if self._node.hub is None:
            raise UsageError(f"there is nothing to unlock here: the hub of this room is {self._node.hub_name}")
        await asyncio.to_thread(self._node.hub.unlock, passphrase, caller)

    @endpoint(role=Role.OPERATOR, local=True, doing="inviting")
    async def invite(self, role: Role, uses: int, ttl: float | None, caller: Caller) -> Invited:
        """Opens an invitation at the hub."""
        answer: Invited = await self._at_hub(self._room.invite, role, uses, ttl, caller=caller, returns=Invited)
        return answer

    @endpoint(role=Role.OPERATOR, local=True, doing="removing a member")
    async def remove(self, name: str, caller: Caller) -> None:
        """Takes a member out of the room."""
        await self._at_hub(self._room.remove, name, caller=caller)

    @endpoint(role=Role.OWNER, local=True, doing="giving roles")
    async def set_role(self, name: str, role: Role, caller: Caller) -> None:
        """Gives a member another role."""
        await self._at_hub(self._room.set_role, name, role, caller=caller)

    @endpoint(role=Role.GUEST, local=True)
    async def leave(self, caller: Caller) -> None:
        """Takes this machine out of the room. The caller then stops the node and forgets the room's files."""
        if self._node.hub is not None:
            raise RoomError(
                "this machine is the hub: without it the room ends",
                advice="lanline leave --end-room, if that is what you want.",
            )
        await self._at_hub(self._room.depart, caller=caller)

    async def _at_hub(
        self, method: Callable[..., Awaitable[Any]], *arguments: Any, caller: Caller, returns: Any = Any
    ) -> Any:
        """Calls a method of `room`: here when this is the hub, else over the link, in this node's own name."""
        if self._node.hub is not None:
            return await method(*arguments, caller)
        link = await self._node.link_to(self._node.hub_name)
        return await link.ask(
            f"{self._room.name}.{method.__name__}", *arguments, timeout=_HUB_PATIENCE, returns=returns
        )
