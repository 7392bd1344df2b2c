"""How tests ask for runs: over links of a real room, or one job at a time, and what they get for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from lanline.link.call import Call
from lanline.link.link import Link
from lanline.link.service import Service
from lanline.roles import Role
from lanline.room.context import Context
from lanline.room.node import Node
from lanline.services.echo.service import Echo
from lanline.services.run.outcome import Ended, Outcome
from lanline.services.run.report import INDEX, FanOut, MemberEnded, MemberStarted, Plan, Report, Verdict
from lanline.services.run.service import Run
from lanline.services.run.spec import ERR, OUT, Spec, Started, new_spec
from lanline.testing.room import Room, real_room

OPERATORS = {"pc2": Role.OPERATOR, "pc3": Role.OPERATOR, "pc4": Role.OPERATOR}


def services(node: Context) -> Iterable[Service]:
    """What a node of these tests offers."""
    return Run(node), Echo()


@asynccontextmanager
async def running_room(nodes: int = 3, **more: Any) -> AsyncIterator[Room]:
    """A room of operators that run anything for each other."""
    settings: dict[str, Any] = {"roles": OPERATORS, "services": services, "allow_run": True}
    async with real_room(nodes, **(settings | more)) as room:
        yield room


class Ran(NamedTuple):
    """What one machine answered."""

    started: Started | None
    out: bytes
    err: bytes
    ended: Ended

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.ended.outcome


async def run(link: Link, *argv: str | bytes, **more: Any) -> Ran:
    """Runs a command over a link, to its end."""
    return await ask(link, new_spec(argv, **more))


async def ask(link: Link, spec: Spec) -> Ran:
    """The same for a request that was made elsewhere."""
    async with link.open("run.start", spec, items=Started) as call:
        return await rest_of(call)


async def rest_of(call: Call, started: Started | None = None) -> Ran:
    """Receives what is left of a run."""
    output = {OUT: b"", ERR: b""}
    async for item in call:
        if isinstance(item, Started):
            started = item
        else:
            output[item[0]] += item[1:]
    return Ran(started, output[OUT], output[ERR], msgspec.convert(call.result, Ended))


async def read_until(call: Call, text: bytes) -> bytes:
    """Receives until the output holds `text`."""
    heard = b""
    async with asyncio.timeout(10):
        while text not in heard:
            item = await call.receive()
            heard += item[1:] if isinstance(item, bytes) else b""
    return heard


class Asked(NamedTuple):
    """What a fan-out answered: by the names of its plan."""

    plan: Plan
    started: dict[str, Started]
    out: dict[str, bytes]
    ended: dict[str, Ended]
    verdict: Verdict

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """How each machine ended."""
        return {name: ended.outcome for name, ended in self.ended.items()}


async def fan_out(
    person: Link, target: str, *argv: str, during: Callable[[Call, Any], Any] | None = None, **more: Any
) -> Asked:
    """Runs a command on many machines.

    Args:
        person: a link over a control socket.
        target, argv: which, and what.
        during: awaited with the call and each item.
        more: fields of FanOut; and `spec`, where another one is wanted.
    """
    request = FanOut(target, more.pop("spec", None) or new_spec(argv), **more)
    async with person.open("run.fan_out", request, items=Report) as call:
        plan = await call.receive()
        asked = Asked(plan, {}, {}, {}, Verdict(-1, ""))
        if during is not None:
            await during(call, plan)
        async for item in call:
            if isinstance(item, MemberStarted):
                asked.started[plan.names[item.index]] = item.started
            elif isinstance(item, MemberEnded):
                name = plan.names[item.index]
                assert name not in asked.ended, "a machine ended twice"
                asked.ended[name] = item.ended
            else:
                name = plan.names[INDEX.unpack_from(item)[0]]
                asked.out[name] = asked.out.get(name, b"") + item[3:]
            if during is not None:
                await during(call, item)
        return asked._replace(verdict=msgspec.convert(call.result, Verdict))


def audit_of(node: Node) -> list[dict[str, Any]]:
    """The records of a node's audit about runs, oldest first."""
    text = "".join(path.read_text() for path in sorted(node.audit.folder.glob("*.jsonl")))
    records = [json.loads(line) for line in text.splitlines()]
    return [record for record in records if record["what"].startswith("run.")]
