"""What travels for one run: the request to one machine, what it answers with, and what its caller says meanwhile.

Values only, and light: the command line loads this file before its first byte. All are msgpack arrays on the wire;
fields are only ever appended, with defaults. `README.md` in this folder has the conversation on a page.

Output is not a value: it travels as raw items whose first byte says which stream it is (1 standard output, 2 standard
error), followed by at most 64 KiB less 8 bytes of it, so that one item fills one frame.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from lanline.errors import UsageError

JOB_ID_BYTES: Final = 16

OUT: Final = 1
"""First byte of an item of standard output ..."""
ERR: Final = 2
"""... and of standard error. The numbers are those of the descriptors in the command."""


class Spec(msgspec.Struct, frozen=True, array_like=True, repr_omit_defaults=True):
    """What to run, the same for every machine of a fan-out.

    Args:
        job_id: 16 bytes, chosen by whoever asks. A machine runs what bears one id at most once, ever.
        argv: the program and its arguments as UTF-8; what is no text travels as the bytes it is. `words` has them as
            Python writes them.
        variables: environment variables to set.
        cwd: the folder to start in; empty for the home of the user that the node runs as.
        timeout: seconds after which it is ended; None leaves it to the machine.
        kill_after: seconds between SIGTERM and SIGKILL when it is ended; None is the machine's 5 s.
        output_bytes: bytes of output to hand over; what comes after them is read and dropped. None is all.

    Raises:
        ValueError: a field is out of its range. From a peer it becomes an error of the message.
    """

    job_id: bytes
    argv: tuple[bytes, ...]
    variables: dict[str, str] = {}
    cwd: str = ""
    timeout: float | None = None
    kill_after: float | None = None
    output_bytes: int | None = None

    def __post_init__(self) -> None:
        if len(self.job_id) != JOB_ID_BYTES:
            raise ValueError(f"a job id of {len(self.job_id)} bytes, it takes {JOB_ID_BYTES}")
        if not self.argv:
            raise ValueError("there is no command")
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise ValueError(f"a timeout of {self.timeout} seconds makes no sense")
        if self.kill_after is not None and not 0 <= self.kill_after < math.inf:
            raise ValueError(f"killing after {self.kill_after} seconds makes no sense")
        if self.output_bytes is not None and self.output_bytes < 0:
            raise ValueError(f"{self.output_bytes} bytes of output make no sense")

    def __repr__(self) -> str:
        # Values of variables are not shown: they are where people put secrets.
        return f"<Spec {self.job_id.hex()[:8]} {self.words!r} variables={sorted(self.variables)}>"

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments as text, with what is no text as lone surrogates, as in `sys.argv`. Starting them on a machine
        with another encoding than UTF-8 writes the same text there."""
        return tuple(word.decode("utf-8", "surrogateescape") for word in self.argv)


def new_spec(
    argv: Iterable[str | bytes],
    *,
    variables: Mapping[str, str] | None = None,
    cwd: str = "",
    timeout: float | None = None,
    kill_after: float | None = None,
    output_bytes: int | None = None,
) -> Spec:
    """A request with a job id of its own. Arguments as of `Spec`.

    Raises:
        UsageError: a field is out of its range, a variable or the folder is no text.
    """
    chosen = dict(variables or {})
    for text in (*chosen, *chosen.values(), cwd):
        if not _is_text(text):
            raise UsageError(f"{text!r} is no text in this machine's encoding")
    words = tuple(word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape") for word in argv)
    try:
        return Spec(os.urandom(JOB_ID_BYTES), words, chosen, cwd, timeout, kill_after, output_bytes)
    except ValueError as error:
        raise UsageError(f"{error}") from error


def shell_argv(text: str) -> tuple[str, ...]:
    """Shell text as an argument list. It is only another way to write it, and is judged as the program `sh`."""
    return "sh", "-c", text


class Started(msgspec.Struct, frozen=True, array_like=True, tag="started"):
    """The first item of an answer: the command runs.

    Args:
        pid: of the command, on its machine.
        encoding: in which programs of that machine write, as its node declares it: `UTF-8`, `GBK`.
        at_ns: nanoseconds since 1970 by that machine's clock.
    """

    pid: int
    encoding: str
    at_ns: int


class Signal(msgspec.Struct, frozen=True, array_like=True, tag="signal"):
    """From the caller: send a signal to the command and what shares its process group.

    Args:
        name: INT, TERM, KILL, HUP, QUIT, USR1, USR2, STOP or CONT.
    """

    name: str


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """From the caller: end the job, as `cancelled`, and say how that went.

    Args:
        reason: one sentence for the outcome and the audit.
        grace: seconds between SIGTERM and SIGKILL; None is what the request said.
    """

    reason: str
    grace: float | None = None


class Go(msgspec.Struct, frozen=True, array_like=True, tag="go"):
    """From the client of a fan-out: the person has said yes to the machines of the plan."""


Word = Signal | Stop | Go
"""What a caller may say while its call lasts."""


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
