"""Where a node's log goes: lines on standard error in front, a rotating file behind.

Every line is cleaned: what a peer says never moves the cursor, and never looks like a line of its own. The file is
`node.log` in the state folder, mode 0600, ten pieces of at most 10 MiB. Rule: a log that cannot be written never stops
the node.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from lanline.clean import clean

LOG_BYTES: Final = 10 * 1024 * 1024
LOG_PIECES: Final = 10
"""Files in all, the open one included."""

DEBUG_VARIABLE: Final = "LANLINE_DEBUG"


def log_to_terminal() -> None:
    """Lines on standard error, with the time of day."""
    _install(logging.StreamHandler(sys.stderr), "%H:%M:%S")


def log_to_file(path: Path) -> None:
    """Lines in a rotating file, with the date and the offset from UTC.

    Raises:
        OSError: it cannot be opened.
    """
    _install(
        _PrivateFile(path, maxBytes=LOG_BYTES, backupCount=LOG_PIECES - 1, encoding="utf-8"), "%Y-%m-%dT%H:%M:%S%z"
    )


class CleanLines(logging.Formatter):
    """One line for each record, and below it the indented lines of a traceback, where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without anything that could deceive."""
        record.message = clean(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line and the traceback."""
        first, *rest = super().format(record).split("\n")
        return "\n".join([first, *(f"    {clean(line)}" for line in rest)])


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner can read, and that is never a link to elsewhere."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


def _install(handler: logging.Handler, date_format: str) -> None:
    handler.setFormatter(CleanLines("%(asctime)s %(levelname)-7s %(message)s", date_format))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("lanline").setLevel(logging.DEBUG if os.environ.get(DEBUG_VARIABLE) else logging.INFO)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a full disk would otherwise print a traceback for every line
