"""The jobs of this machine: from a request to its last word, with every lock and every line in between.

It owns the job table and the threads that judge and write. Order of the checks: the policy, the limit on jobs, the
audit on disk, the spawn. When a member is removed, or is no operator any more, its jobs here are ended at once.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from lanline.errors import RoomError
from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room.book import Change
from lanline.room.context import Context
from lanline.services.run.admission import Admission
from lanline.services.run.conversation import Conversation, serve
from lanline.services.run.job import LOST_GRACE
from lanline.services.run.outcome import Cancelled, Ended, Refused
from lanline.services.run.spec import Spec
from lanline.services.run.table import JobTable

log = logging.getLogger("lanline.run")


class JobHost:
    """What one machine runs for others and for itself. `open` it on a running loop; `close` it before the loop ends.

    Args:
        context: the node.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scribe = ThreadPoolExecutor(1, "lanline-run-audit")
        self._table: JobTable | None = None
        self._fault = "this node has not begun to run commands yet"

    def __repr__(self) -> str:
        return f"<JobHost {self._table!r}>"

    async def open(self) -> None:
        """Starts the guardian. Where that fails the node goes on without running commands, and says why."""
        try:
            self._table = await JobTable.open(self._context.name)
        except RoomError as error:
            self._fault = f"{error}"
            log.error("no commands are run here: %s", error)
        self._context.watch_members(self._members_changed)

    async def close(self) -> None:
        """Ends every job, and returns when all are over and written down."""
        table, self._table = self._table, None
        self._fault = "this node is stopping"
        if table is not None:
            await table.close()
        await asyncio.to_thread(self._scribe.shutdown)

    async def run(self, spec: Spec, caller: Caller, call: Conversation) -> Ended:
        """Runs one request, or says why not.

        Args:
            spec: the request.
            caller: who asks, as the link or the Unix socket knows it.
            call: where output goes and words come from.
        """
        table = self._table
        if table is None:
            return Ended(Refused("node", self._fault))
        admission = Admission(self._context, spec, caller)
        job = await table.start(
            admission,
            caller=caller.name,
            job_id=spec.job_id,
            owner=caller.key_hash,
            when_ended=partial(self._write_end, admission),
        )
        return await serve(job, call, admission.output_bytes)

    def figures(self) -> dict[str, Any]:
        """Jobs now and since the start, and what finds their processes again."""
        if self._table is None:
            return {"containment": "none", "fault": self._fault}
        statistics = self._table.statistics()
        return {name: statistics[name] for name in ("containment", "jobs", "max_jobs", "started", "refused")}

    def _write_end(self, admission: Admission, ended: Ended) -> None:
        if self._table is None:  # the thread may have been let go already
            admission.write_end(ended)
        else:
            self._scribe.submit(admission.write_end, ended)

    def _members_changed(self, change: Change) -> None:
        removed = {member.key_hash for member in change.removed}
        lowered = {member.key_hash for member in change.lowered if member.role < Role.OPERATOR}
        for job in self._table.jobs() if self._table is not None else ():
            if job.owner in removed:
                job.abandon(f"{job.caller} was removed from the room")
            elif job.owner in lowered:
                job.stop(Cancelled(f"{job.caller} is no operator any more"), grace=LOST_GRACE)
