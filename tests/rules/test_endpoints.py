"""Who may ask what of a node: the table of all endpoints is a reviewed file, and dispatch obeys nothing else.

A change of the table fails here until `tests/golden/endpoints.json` is changed with it, so that no endpoint comes in or
becomes looser unnoticed:

    WRITE_GOLDEN=1 python -m pytest tests/rules/test_endpoints.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lanline.errors import CallError, Status
from lanline.link.caller import Caller
from lanline.link.client import connect_link
from lanline.link.guard import Anyone, Verdict, Welcome
from lanline.link.server import serve
from lanline.link.service import Endpoint, Service, collect
from lanline.roles import Role
from lanline.room.node import Node
from lanline.room.service import NodeService, RoomService
from lanline.testing import clock
from lanline.testing.room import memory_room
from lanline.transport.base import ConnectionFacts
from lanline.ui.services import make_services

GOLDEN = Path(__file__).parents[1] / "golden" / "endpoints.json"

NO_ARGUMENTS = b"\x81\xa1x\xc0"
"""A map where all endpoints take an array: whoever looks at it as arguments fails."""

CALLERS = [(role, is_local) for role in (None, *Role) for is_local in (False, True)]


class As(Anyone):
    """Welcomes everybody as this caller."""

    def __init__(self, role: Role | None, *, is_local: bool) -> None:
        self.caller = Caller("pc2", role, "mem://x", b"k" * 32, is_local)

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        return Welcome(self.caller)


def services_of(node: Node) -> list[Service]:
    """All that a node hosts."""
    room = RoomService(node)
    return [*make_services(node), room, NodeService(node, room)]


def rows(table: dict[str, Endpoint]) -> dict[str, dict[str, Any]]:
    """The table as it is reviewed."""
    return {
        name: {
            "role": entry.role.word if entry.role else None,
            "local": entry.is_local,
            "shape": entry.shape.value,
            "summary": entry.summary,
        }
        for name, entry in sorted(table.items())
    }


async def _table() -> dict[str, dict[str, Any]]:
    async with memory_room(1) as room:
        return rows(collect(services_of(room.hub), roles_required=True))


def test_the_table_of_endpoints_is_the_one_that_was_reviewed() -> None:
    found = clock.run(_table())
    if os.environ.get("WRITE_GOLDEN") == "1":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_endpoint_has_a_least_role_and_says_what_it_does() -> None:
    for name, row in json.loads(GOLDEN.read_text(encoding="utf-8")).items():
        assert row["role"] in {role.word for role in Role}, name
        assert row["summary"], name


def test_what_runs_commands_or_changes_the_room_is_for_operators_at_least() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    strong = ("operator", "owner")
    for name in ("run.start", "room.invite", "room.remove", "room.set_role", "node.invite", "node.remove"):
        assert golden[name]["role"] in strong, name
    assert all(row["local"] for name, row in golden.items() if name.startswith("node.") and name not in _EVERY_SERVICE)


_EVERY_SERVICE = ("node.ping", "node.describe", "node.stats")


def test_dispatch_refuses_every_endpoint_below_its_role_before_it_looks_at_the_arguments() -> None:
    async def main() -> int:
        asked = 0
        async with memory_room(1) as room:
            services = services_of(room.hub)
            table = collect(services, roles_required=True)
            for role, is_local in CALLERS:
                async with (
                    serve(services, "mem://table", guard=As(role, is_local=is_local)),
                    connect_link("mem://table") as link,
                ):
                    for name, entry in table.items():
                        may_ask = role is not None and entry.role is not None and role >= entry.role
                        may_ask = may_ask and (is_local or not entry.is_local)
                        wanted = Status.BAD_MESSAGE if may_ask else Status.REFUSED
                        assert await status_of(link, name) is wanted, (name, role, is_local)
                        asked += 1
            counted = sum(entry.counts.calls for entry in table.values())
            assert counted == asked
        return asked

    assert clock.run(main()) == len(json.loads(GOLDEN.read_text(encoding="utf-8"))) * len(CALLERS)


async def status_of(link: Any, name: str) -> Status:
    """How a call of this endpoint ends, with arguments that nobody can read."""
    async with link.open_encoded(name, NO_ARGUMENTS, last=True) as call:
        try:
            await call.receive()
        except CallError as error:
            return error.status
    raise AssertionError(f"{name} was executed")


STRANGE = (
    *("", "\x00", "room", "room.", ".ping", "room/ping", "room.ping ", "Room.ping", "room.ping.ping"),
    *("room._hub", "node._at_hub", "room.__init__", "room.endpoints", "room.on_stop", "room.figures"),
)


def test_a_name_that_is_no_endpoint_reaches_nothing_whatever_it_looks_like() -> None:
    async def main() -> None:
        async with (
            memory_room(1) as room,
            serve(services_of(room.hub), "mem://table", guard=As(Role.OWNER, is_local=True)),
            connect_link("mem://table") as link,
        ):
            for name in STRANGE:
                assert await status_of(link, name) is Status.NOT_FOUND, name

    clock.run(main())
