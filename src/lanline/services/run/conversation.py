"""One job and the call of whoever asked for it: output out, words in, the last word at the end.

Rules: what is not taken is not read, so a slow viewer stops this job's own pipe and nothing else; a call that is given
up or lost ends the job, by the same path as a timeout. Half-closing the call (END) is not giving it up.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from lanline.clean import clean
from lanline.errors import UsageError
from lanline.services.run.environment import job_encoding
from lanline.services.run.job import Job
from lanline.services.run.outcome import Cancelled, Ended
from lanline.services.run.output import Stream
from lanline.services.run.spec import ERR, OUT, Signal, Started, Stop, Word


class Conversation(Protocol):
    """The answering end of a call: a `Call` of a link, or its like inside one process."""

    def send(self, item: Any, *, prefix: bytes = b"") -> Awaitable[None]:
        """Sends one item, once the other side has room for it. A prefix comes before an item that is bytes."""

    def listen(self, take: Callable[[Any], object]) -> None:
        """Has each word of the caller handed to `take` as it comes, with those that have come before."""


_TAGS = {Stream.OUT: bytes((OUT,)), Stream.ERR: bytes((ERR,))}


async def serve(job: Job, call: Conversation, output_bytes: int | None = None) -> Ended:
    """Hands over what a job writes, obeys its caller, and returns the last word.

    Leaving it in any other way (the task is cancelled, the call is lost) ends the job.

    Args:
        job: just started, or refused already.
        call: of whoever asked for it.
        output_bytes: how much to hand over; what comes after it is read and dropped.
    """
    async with job:
        if job.pid is None:
            return await job.wait()
        call.listen(partial(_obey, job))
        await call.send(Started(job.pid, job_encoding(), time.time_ns()))
        dropped = await _hand_over(job, call, output_bytes)
        ended = await job.wait()
    return msgspec.structs.replace(ended, dropped_bytes=ended.dropped_bytes + dropped) if dropped else ended


async def _hand_over(job: Job, call: Conversation, left: int | None) -> int:
    """Sends all output, or as much as is wanted; says how many bytes were dropped."""
    dropped = 0
    while (piece := await job.read()) is not None:
        stream, data = piece
        if left is not None:
            dropped += max(0, len(data) - left)
            data = data[:left]
            left -= len(data)
        if data:
            await call.send(data, prefix=_TAGS[stream])
    return dropped


def _obey(job: Job, message: Any) -> None:
    try:
        match msgspec.convert(message, Word):
            case Stop(reason=reason, grace=grace):
                job.stop(Cancelled(reason), grace=None if grace is None else max(0.0, grace))
            case Signal(name=name):
                job.signal(name)
    except (msgspec.ValidationError, UsageError) as error:
        # Whoever sends what is not understood wants something that will not happen: better none of it.
        job.stop(Cancelled(f"its caller said what this machine does not understand: {clean(str(error))}"))
