"""Whether files were changed since they were looked at: by size and time of change, asked now and then.

No inotify: a handler has few files, editors replace files in many ways, and a question a second costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_Stamp = tuple[int, int, int]


class Edits:
    """The files of one handler, as they were when it was loaded."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._stamps: dict[str, _Stamp | None] = {path: _stamp(path) for path in paths}

    def add(self, paths: Iterable[str]) -> None:
        """Looks at more files from now on; those known already stay as they were."""
        for path in paths:
            self._stamps.setdefault(path, _stamp(path))

    def take(self) -> list[str]:
        """The files that are different from the last time. One that is gone is not: editors take it away for a moment
        before the new one is there."""
        changed = []
        for path, before in self._stamps.items():
            now = _stamp(path)
            if now is not None and now != before:
                changed.append(path)
                self._stamps[path] = now
        return changed


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
