"""What to run: one frozen value, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lanline.errors import UsageError

KILL_AFTER = 5.0
"""Seconds between SIGTERM and SIGKILL where nothing else was said."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command for one machine. Nothing in it is a shell's business.

    Args:
        argv: the program and its arguments; text is encoded as this system encodes file names.
        program: the file to execute, where policy has settled which one `argv[0]` means.
        variables: environment variables asked for (see `environment.DENIED` for what is refused).
        allowed_variables: names or patterns that this node's policy lets through all the same.
        cwd: the folder to start in; None is the home of the node's user.
        timeout: seconds after which it is ended; None is no end.
        kill_after: seconds from SIGTERM to SIGKILL whenever it is ended; 0 kills at once.

    Raises:
        UsageError: a time that is not a finite number of seconds from 0 up, or a timeout of 0.
    """

    argv: tuple[str | bytes, ...]
    program: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    allowed_variables: tuple[str, ...] = ()
    cwd: str | None = None
    timeout: float | None = None
    kill_after: float = KILL_AFTER

    def __post_init__(self) -> None:
        if self.timeout is not None and not (math.isfinite(self.timeout) and self.timeout > 0):
            raise UsageError(f"a timeout of {self.timeout} seconds makes no sense")
        if not (math.isfinite(self.kill_after) and self.kill_after >= 0):
            raise UsageError(f"killing after {self.kill_after} seconds makes no sense")
