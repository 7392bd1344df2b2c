"""Questions to the person at the terminal: yes or no, a line, and secrets that are not shown while typed.

Asks at the terminal that controls this process, also when standard input or output are redirected, so that
`lanline run ... < list > result` can still ask. Where there is none, asking is an error and never a silent
yes.

Rules: what was typed before a question was shown does not answer it (pasted lines, an impatient Enter); the
terminal's settings are put back whatever happens. Sources: termios(3), tty(4).
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from lanline.clean import clean
from lanline.errors import UsageError
from lanline.translation import _

_CONTROLLING_TERMINAL = "/dev/tty"
_MAX_LINE_BYTES = 4096  # what the kernel collects of one line, N_TTY's buffer
_LOCAL_MODES = 3  # index in what tcgetattr returns


def ask_yes(question: str) -> bool:
    """Whether the person answers `y` or `yes`, in any case. The end of input is a no.

    Raises:
        UsageError: there is no terminal to ask at.
    """
    with _terminal(question) as fd:
        termios.tcflush(fd, termios.TCIFLUSH)
        _write(fd, f"{clean(question)} [y/N] ")
        answer = _read_line(fd)
        if not answer.endswith("\n"):
            _write(fd, "\n")
    return answer.strip().lower() in ("y", "yes")


def ask_line(prompt: str) -> str:
    """What the person types, shown while it is typed, without blanks around it.

    Raises:
        UsageError: there is no terminal to ask at, or the input ended before a line did.
    """
    with _terminal(prompt) as fd:
        termios.tcflush(fd, termios.TCIFLUSH)
        _write(fd, f"{clean(prompt)}: ")
        answer = _read_line(fd)
        if not answer.endswith("\n"):
            _write(fd, "\n")
            raise UsageError(_("no answer to {prompt!r}: the input ended").format(prompt=prompt))
    return answer.strip()


def ask_secret(prompt: str) -> str:
    """What the person types, unseen, without its newline.

    Raises:
        UsageError: there is no terminal to ask at, or the input ended before a line did.
    """
    with _terminal(prompt) as fd:
        before = termios.tcgetattr(fd)
        hidden = [*before]
        # ECHONL shows the Enter and nothing else. TCSAFLUSH drops what was typed while it still would be
        # shown.
        hidden[_LOCAL_MODES] = (before[_LOCAL_MODES] & ~termios.ECHO) | termios.ECHONL | termios.ICANON
        termios.tcsetattr(fd, termios.TCSAFLUSH, hidden)
        try:
            _write(fd, f"{clean(prompt)}: ")
            answer = _read_line(fd)
        finally:
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
    if not answer.endswith("\n"):
        raise UsageError(_("no answer to {prompt!r}: the input ended").format(prompt=prompt))
    return answer[:-1]


@contextmanager
def _terminal(question: str) -> Iterator[int]:
    """A descriptor of the terminal to ask at, for reading and writing."""
    fd = _open(_CONTROLLING_TERMINAL)
    if fd is None and (name := _standard_input_name()):
        fd = _open(name)  # a container may give its process a terminal that controls nothing
    if fd is None:
        raise UsageError(
            _("there is no terminal to ask at: {question!r}").format(question=question),
            advice=_("run it at a terminal, or give the answer as an option (see --help)."),
        )
    try:
        yield fd
    finally:
        os.close(fd)


def _open(name: str) -> int | None:
    try:
        return os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # ENXIO where no terminal controls this process, EACCES after su
        return None


def _standard_input_name() -> str | None:
    """The terminal that standard input is, if it is one."""
    try:
        fd = sys.stdin.fileno()
        return os.ttyname(fd) if os.isatty(fd) else None
    except (OSError, ValueError, AttributeError):  # closed, replaced by an object without descriptor, or None
        return None


def _write(fd: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(fd, data) :]


def _read_line(fd: int) -> str:
    """Bytes up to a newline or the end of input."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_LINE_BYTES:
        data = os.read(fd, 1024)
        if not data:
            break
        line += data
    return line.decode("utf-8", "surrogateescape")
