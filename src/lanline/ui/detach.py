"""Starting a node in the background and waiting until it serves, or has said why it does not.

The child is a new process in a session of its own; the passphrase goes through a pipe, never through an argument or the
environment. Rule: this side returns only when the node answers, and passes the child's error on as if it were its own.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from lanline import errors
from lanline.errors import LanlineError, StateNotSaved
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.paths import StateFolder
    from lanline.room.settings import Settings

PATIENCE: Final = 60.0
"""Seconds in which a node must have started: scrypt on a slow machine, an audit of many lines."""

_QUIET: Final = 1.0
"""Seconds without a word before the person is told what is waited for."""


def start_detached(
    folder: StateFolder, passphrase: str | None, console: Console, settings: Settings | None = None
) -> None:
    """Starts the node of a state folder in the background.

    Args:
        folder, passphrase, settings: as in `daemon.run_node`.
        console: where a person is told what is waited for.

    Raises:
        LanlineError: what the node said, in the class it said it; or that it died, or did not start in time.
    """
    reading, report = os.pipe()
    secret, writing = os.pipe()
    # Before there is a reader: a passphrase is shorter than what a pipe holds, and a child that dies breaks nothing.
    with open(writing, "wb") as pipe:
        pipe.write(json.dumps([passphrase, settings and settings.as_list()]).encode())
    try:
        child = _start(folder, report, secret)
    finally:
        os.close(report)
        os.close(secret)
    try:
        _judge(_wait(reading, console), child, folder)
    except BaseException:
        child.terminate()
        raise
    finally:
        console.progress("")
        os.close(reading)
    child.returncode = 0  # it lives on, and is not this process's to wait for


def _start(folder: StateFolder, report: int, secret: int) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        log = os.open(folder.log, flags, 0o600)
    except OSError as error:
        raise StateNotSaved(
            _("{log} cannot be opened: {strerror}").format(log=folder.log, strerror=error.strerror or error)
        ) from error
    try:
        # -P: the folder somebody happens to stand in is no place to load code from.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lanline.ui.detached", folder.home, str(report), str(secret)],
            pass_fds=(report, secret),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def _wait(reading: int, console: Console) -> bytes:
    """The child's line; nothing when it died without one."""
    began = time.monotonic()
    line = b""
    while not line.endswith(b"\n"):
        waited = time.monotonic() - began
        if waited > PATIENCE:
            raise LanlineError(
                _("the node did not start within {patience:.0f} s").format(patience=PATIENCE),
                advice=_("look at its log, node.log."),
            )
        ready = select.select([reading], [], [], _QUIET)[0]
        if not ready:
            console.progress(_("starting the node ({value:.0f} s)").format(value=waited + _QUIET))
            continue
        data = os.read(reading, 65536)
        if not data:
            break
        line += data
    return line


def _judge(line: bytes, child: subprocess.Popen[bytes], folder: StateFolder) -> None:
    if not line:
        code = child.wait()
        raise LanlineError(
            _("the node ended while it was starting, exit code {code}").format(code=code),
            advice=_("look at {log}").format(log=folder.log),
        )
    told = json.loads(line)
    if "error" in told:
        child.wait()
        kind = getattr(errors, told["error"], LanlineError)
        raise _error(kind, told["text"], told["advice"] or f"look at {folder.log}")


def _error(kind: type[LanlineError], text: str, advice: str) -> LanlineError:
    """An error of the child's class; a few classes are made otherwise, and become the general one."""
    try:
        return kind(text, advice=advice)
    except TypeError:
        return LanlineError(text, advice=advice)
