"""One start, from the wish to the process, in one thread: judged, written down, spawned.

It blocks: policy looks at files, the audit waits for the disk, the kernel for the program. All in one thread because
each change of thread costs some 60 us, a tenth of what `true` takes. Rules: nothing is spawned that `permit` did not
allow; what goes wrong is an outcome, never an exception.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import NamedTuple, Protocol

from lanline.services.run import environment, spawn
from lanline.services.run.command import Command
from lanline.services.run.outcome import Refused, SpawnFailed
from lanline.services.run.spawn import Spawned

log = logging.getLogger("lanline.run")


class Ticket(Protocol):
    """What stands between a wish and its process. Both are called in a thread, once, in this order."""

    def judge(self) -> Command | Refused | SpawnFailed:
        """Whether it may run, and in which form."""

    def permit(self) -> Refused | None:
        """Called right before the spawn, when nothing else is in the way: the moment to write it down. None: go."""


class Settled(NamedTuple):
    """A ticket for a command that was judged elsewhere."""

    command: Command

    def judge(self) -> Command:
        """The command as it is."""
        return self.command

    def permit(self) -> None:
        """Nothing is in the way."""


class Begun(NamedTuple):
    """How a start went.

    Args:
        command: what was permitted; None when nothing was.
        spawned: the process; None when there is none.
        failed: why there is no process.
        at: monotonic seconds right before the spawn.
    """

    command: Command | None = None
    spawned: Spawned | None = None
    failed: Refused | SpawnFailed | None = None
    at: float = 0.0


def begin(ticket: Ticket, *, job: str, node: str, mark: int) -> Begun:
    """Starts a command, or says why not.

    Args:
        ticket: judges and permits it.
        job: the job's id as text, for LANLINE_JOB.
        node: the name of this node, for LANLINE_NODE.
        mark: of its processes; 0 for none.
    """
    try:
        command = ticket.judge()
        if not isinstance(command, Command):
            return Begun(failed=command)
        variables = environment.job_environment(
            command.variables, job=job, node=node, allowed=command.allowed_variables
        )
        refused = variables if isinstance(variables, Refused) else ticket.permit()
    except Exception:
        log.exception("job %s could not be judged", job)
        return Begun(failed=Refused("node", "this machine could not decide about it; its node's log says why"))
    if refused is not None or isinstance(variables, Refused):
        return Begun(failed=refused)
    at = monotonic()
    cwd = command.cwd or environment.home_folder()
    try:
        spawned = spawn.spawn(command.argv, environment=variables, cwd=cwd, mark=mark, program=command.program)
    except (OSError, ValueError) as error:
        return Begun(command, failed=spawn.spawn_failed(error, command.argv, cwd), at=at)
    return Begun(command, spawned, at=at)
