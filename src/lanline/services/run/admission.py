"""Whether a request is run on this machine, and in which form: the policy's word, and the audit's line before the
process starts.

It decides and writes; it starts nothing. Everything here looks at files or waits for the disk: call it in a thread.
Rules: what keeps a command from running is an outcome with its rule and an advice, never an exception; no audit, no
run; a job id that was started here before is never started again, also across restarts (the audit is the journal).
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from typing import Any

from lanline.clean import clean
from lanline.errors import LanlineError
from lanline.link.caller import Caller
from lanline.room.audit import Who
from lanline.room.context import Context
from lanline.room.policy import Refused as PolicyRefused
from lanline.room.program import find_program
from lanline.services.run.command import KILL_AFTER, Command
from lanline.services.run.outcome import Ended, Refused, SpawnFailed
from lanline.services.run.report import word_for
from lanline.services.run.runas import as_user
from lanline.services.run.spec import Spec

log = logging.getLogger("lanline.run")

RUN_REFUSED = "run.refused"
RUN_END = "run.end"
"""What the audit calls the other two events; the start is `audit.RUN_START`."""


class Admission:
    """One request before this machine's policy and audit: the `Ticket` of its job.

    Args:
        context: the node.
        spec: the request.
        caller: who asks.

    Attributes:
        output_bytes: bytes of output to hand over once it was judged; None is all.
    """

    def __init__(self, context: Context, spec: Spec, caller: Caller) -> None:
        self.output_bytes = spec.output_bytes
        self._context = context
        self._spec = spec
        self._caller = caller
        self._rule = ""
        self._command: Command | None = None
        self._is_written = False

    def judge(self) -> Command | Refused | SpawnFailed:
        """What the policy says. That there is no such program here is no refusal, and said only to whom it may answer
        at all."""
        spec = self._spec
        verdict = self._context.decide(self._caller, spec.words, spec.variables, spec.cwd)
        if isinstance(verdict, PolicyRefused):
            if not verdict.rule and verdict.why == find_program(spec.words[0]).fault:
                return SpawnFailed(errno.ENOENT, verdict.why)
            return Refused(verdict.rule or "policy", verdict.why, verdict.advice)
        limits = [seconds for seconds in (spec.timeout, verdict.timeout) if seconds is not None]
        sizes = [size for size in (spec.output_bytes, verdict.output_bytes) if size is not None]
        self.output_bytes = min(sizes, default=None)
        self._rule = verdict.rule
        command = Command(
            verdict.argv,
            program=verdict.program,
            variables=spec.variables,
            cwd=spec.cwd or None,
            timeout=min(limits, default=None),
            kill_after=KILL_AFTER if spec.kill_after is None else spec.kill_after,
        )
        changed = as_user(command, verdict.run_as, own_uid=os.geteuid()) if verdict.run_as else command
        self._command = None if isinstance(changed, Refused) else changed
        return changed

    def permit(self) -> Refused | None:
        """Puts the line of the start on disk. None: the process may start now."""
        assert self._command is not None, "what was refused is not permitted"
        details = _what(self._spec) | {"rule": self._rule, "program": self._command.program or ""}
        details |= {"from": self._caller.address} if self._caller.address else {}
        details |= {"timeout": self._command.timeout} if self._command.timeout is not None else {}
        try:
            self._is_written = self._context.audit.start_job(self._spec.job_id.hex(), _who(self._caller), details)
        except LanlineError as error:
            return Refused("audit", f"it cannot be written down, so it is not run: {error}", error.advice)
        if not self._is_written:
            return Refused("job", "this job ran here already, and no job runs twice", "the same words once more.")
        return None

    def write_end(self, ended: Ended) -> None:
        """Writes down how it went, or that it was refused. Not synced: the start was, and where its end is missing the
        power was lost."""
        outcome = ended.outcome
        details: dict[str, Any] = {"outcome": word_for(outcome)}
        details |= {name: getattr(outcome, name) for name in outcome.__struct_fields__ if name != "advice"}
        if not self._is_written:
            what = _what(self._spec) | details | {"from": self._caller.address}
            self._append(RUN_REFUSED, _who(self._caller), what)
            return
        details |= {"wall_s": round(ended.wall_s, 3), "out_bytes": ended.out_bytes, "err_bytes": ended.err_bytes}
        details |= {"left_running": ended.left_running} if ended.left_running else {}
        self._append(RUN_END, None, details)

    def _append(self, what: str, who: Who | None, details: Mapping[str, Any]) -> None:
        job = self._spec.job_id.hex()
        try:
            self._context.audit.append(what, who=who, job=job, details=details, sync=False)
        except LanlineError as error:
            log.error("%s of job %s is not in the audit: %s", what, job, clean(str(error)))


def _who(caller: Caller) -> Who:
    return Who(caller.name, caller.role.word if caller.role is not None else "", caller.key_hash)


def _what(spec: Spec) -> dict[str, Any]:
    """What was asked, for the audit: names of variables, never their values."""
    details: dict[str, Any] = {"argv": spec.words}
    details |= {"variables": sorted(spec.variables)} if spec.variables else {}
    details |= {"cwd": spec.cwd} if spec.cwd else {}
    return details
