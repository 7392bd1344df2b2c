"""Which file a bare program name means, and whether somebody else could have put it there.

It decides nothing about who may run it; `policy.py` does. Two rules: a name is resolved once, and what was
judged is what is started; links in the last step are kept (`/bin/df` may be a link to busybox, which is
`sh` as well: what a file is called is what it does), links in the folders are followed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Final

STANDARD_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for when the node's environment has no PATH."""

_MAX_LINKS: Final = 40
"""As many as the kernel follows."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program on this machine, or why there is none."""

    path: str
    """Absolute; the folder without links, the last step as it is called. Empty when there is a fault."""
    fault: str = ""
    """Why it cannot be started; empty when it can."""


def find_program(name: str, search_path: str | None = None) -> Program:
    """The file that `name` means on this machine.

    Args:
        name: a bare name, looked for in `search_path`, or an absolute path. A path relative to some folder is
            refused: what it means would be the caller's choice.
        search_path: folders with `:` between; those that are not absolute are passed over. None takes the
            node's
            PATH.
    """
    if not name or "\0" in name:
        return Program("", "the command is empty or holds a zero byte")
    if "/" in name:
        if not name.startswith("/"):
            return Program("", f"{name[:200]!r} is relative: give a bare name or a path from /")
        return _executable(name) or Program("", f"{name[:200]!r} is no program here")
    where = search_path if search_path is not None else os.environ.get("PATH", STANDARD_PATH)
    for folder in where.split(":"):
        if folder.startswith("/") and (found := _executable(os.path.join(folder, name))):
            return found
    return Program("", f"there is no program {name[:200]!r} here")


def _executable(path: str) -> Program | None:
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return None
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return None
    return Program(os.path.join(os.path.realpath(folder), name))


def who_else_can_change(path: str, *, owner: int) -> str:
    """Names the step of `path` that somebody besides `owner` and root could replace; empty when there is
    none.

    Each folder from / on and each link on the way is looked at, and the file at its end.

    Args:
        path: absolute.
        owner: user id of the node.
    """
    waiting = [part for part in path.split("/") if part][::-1]
    here, links = "/", 0
    while True:
        try:
            facts = os.lstat(here)
        except OSError as error:
            return f"{here} cannot be looked at: {error.strerror or error}"
        if stat.S_ISLNK(facts.st_mode):
            links += 1
            if links > _MAX_LINKS:
                return f"{path} goes through more than {_MAX_LINKS} links"
            target = os.readlink(here)
            here = "/" if target.startswith("/") else os.path.dirname(here)
            waiting += [part for part in target.split("/") if part][::-1]
        elif why := _objection(here, facts, owner):
            return why
        if not waiting:
            return ""
        step = waiting.pop()
        if step == "..":
            here = os.path.dirname(here)
        elif step != ".":
            here = os.path.join(here, step)


def _objection(path: str, facts: os.stat_result, owner: int) -> str:
    if facts.st_uid not in (0, owner):
        return f"{path} belongs to user {facts.st_uid}"
    # In a folder with the sticky bit (/tmp) nobody replaces what is not his own.
    shared = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & 0o022 and not shared:
        return f"others can write {path}: its mode is {stat.S_IMODE(facts.st_mode):04o}"
    return ""
