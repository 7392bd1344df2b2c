"""The service `run`: commands on this machine for operators of the room, and on many machines for its own people.

Two endpoints. `run.start` runs one request here; three locks stand before it: the caller's role (judged by the link,
before anything is decoded), this machine's policy, and its audit. `run.fan_out` asks `run.start` of every machine of a
target and merges the answers; it answers only to people of this machine. README.md has the conversation on a page.
Neither is declared `bulk`: much flows towards the caller only, who opens the call with the window it wants.
"""

from __future__ import annotations

from typing import Any

from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.context import Context
from lanline.services.run.fanout import FanOutRun
from lanline.services.run.host import JobHost
from lanline.services.run.outcome import Ended
from lanline.services.run.report import FanOut, Verdict
from lanline.services.run.spec import Spec


class Run(Service):
    """Runs commands on the machines of the room.

    Args:
        context: the node.
    """

    name = "run"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._host = JobHost(context)
        self._fan_outs = 0

    def __repr__(self) -> str:
        return f"<Run {self._host!r}>"

    async def on_start(self) -> None:
        """Starts the guardian of this machine's jobs."""
        await self._host.open()

    async def on_stop(self) -> None:
        """Ends every job on this machine."""
        await self._host.close()

    def figures(self) -> dict[str, Any]:
        """For `lanline status`: jobs now and since the start, how they are contained, and fan-outs from here."""
        return {**self._host.figures(), "fan_outs": self._fan_outs}

    @endpoint(role=Role.OPERATOR)
    async def start(self, spec: Spec, call: Call, caller: Caller) -> Ended:
        """Runs a command here: `Started`, its output as raw items, and how it ended. Takes `Signal` and `Stop`."""
        return await self._host.run(spec, caller, call)

    @endpoint(role=Role.GUEST, local=True)
    async def fan_out(self, request: FanOut, call: Call, caller: Caller) -> Verdict:
        """Runs a command on every machine of a target: the plan, all output, an end for each, and the verdict."""
        self._fan_outs += 1
        return await FanOutRun(self._context, self._host, request, caller, call).run()


def make(context: Context) -> Run:
    """The service, for one node."""
    return Run(context)
