"""A secret or a code that stands alone in a file: its first line, for scripts that nobody can ask at a terminal.

Rules: a secret that others can read is refused; a line is as long as a terminal's at most, and a longer one is refused,
never cut.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

from lanline.errors import StateUnsafe, UsageError
from lanline.room.disk import OWNER_ONLY
from lanline.translation import _

STANDARD_INPUT: Final = "-"
"""The name of a file that stands for standard input."""

_MAX_BYTES: Final = 4096


def read_line_of(file: str, *, what: str, is_secret: bool = False) -> str:
    """The first line of a file, without its newline.

    Args:
        file: its name; `-` is standard input.
        what: it holds, for errors.
        is_secret: refuse a regular file that others can read.

    Raises:
        UsageError: it cannot be read, or has no text. StateUnsafe: others can read it.
    """
    try:
        if file == STANDARD_INPUT:
            data = sys.stdin.buffer.readline(_MAX_BYTES)
        else:
            with open(file, "rb") as opened:
                facts = os.fstat(opened.fileno())
                if is_secret and stat.S_ISREG(facts.st_mode) and facts.st_mode & OWNER_ONLY:
                    raise StateUnsafe(
                        _("others can read {file}, which holds the {what}").format(file=file, what=what),
                        advice=f"chmod 600 {file}",
                    )
                data = opened.readline(_MAX_BYTES)
        if len(data) == _MAX_BYTES:
            raise UsageError(
                _("the first line of {file} has {max_bytes} bytes or more: that is no {what}").format(
                    file=file, max_bytes=_MAX_BYTES, what=what
                )
            )
        text = data.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise UsageError(
            _("the {what} cannot be read from {file}: {strerror}").format(
                what=what, file=file, strerror=error.strerror or error
            )
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(_("the {what} in {file} is no UTF-8 text").format(what=what, file=file)) from error
    if not text:
        raise UsageError(_("there is no {what} in {file}: its first line is empty").format(what=what, file=file))
    return text
