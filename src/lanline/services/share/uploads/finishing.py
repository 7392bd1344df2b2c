"""The end of every upload: its bytes are on the disk, then it gets its name, in one step and against nobody's will.

Waiting for the disk happens in a thread. A condition (If-Match) is judged once more in the moment before the name is
given, and uploads with conditions get their names one after the other: of two that want to replace the same state of
a file, one is told 412.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

from lanline.errors import TakenAlready
from lanline.http.conditions import etag_of
from lanline.services.share.uploads.freenames import free_names
from lanline.services.share.uploads.pace import whole

if TYPE_CHECKING:
    from lanline.beneath import Draft, Names


class Finished(NamedTuple):
    """A file that has its name."""

    names: Names
    """From the root of the share down."""
    has_replaced: bool
    """Whether another file had the name before."""
    etag: str
    """Its strong entity tag, with quotes."""
    size: int
    """In bytes."""


class Finishing:
    """Gives names to finished drafts. One for each share."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def finish(
        self,
        draft: Draft,
        names: Names,
        *,
        may_replace: bool,
        may_rename: bool = False,
        check: Callable[[], None] | None = None,
        syncs: bool = True,
    ) -> Finished:
        """Gives a draft its name and closes it. Whatever is raised, the draft is still there.

        Args:
            draft: all of it is written.
            names: from the root down; the last is the one it is to have, in the folder it was made in.
            may_replace: whether a file of that name may be replaced.
            may_rename: whether it gets a numbered name where the name is taken.
            check: raises where it shall not get its name after all. Called in a thread.
            syncs: False leaves it to the system when the bytes reach the disk.

        Raises:
            TakenAlready: the name is in use. FileError: as `Draft.commit`. What `check` raises.
        """
        loop = asyncio.get_running_loop()
        if syncs:
            await whole(loop.run_in_executor(None, draft.sync))

        def name_it() -> Finished:
            if check is not None:
                check()
            status = os.fstat(draft.fd)
            name, has_replaced = _commit(draft, names[-1], may_replace=may_replace, may_rename=may_rename, syncs=syncs)
            return Finished((*names[:-1], name), has_replaced, etag_of(status), status.st_size)

        async with self._turn if check is not None else nullcontext():
            return await whole(loop.run_in_executor(None, name_it)) if syncs else name_it()


def _commit(draft: Draft, name: str, *, may_replace: bool, may_rename: bool, syncs: bool) -> tuple[str, bool]:
    """The name it got, and whether it replaced a file."""
    for candidate in free_names(name) if may_rename else (name,):
        try:
            return candidate, draft.commit(candidate, replaces=may_replace, syncs=syncs)
        except TakenAlready as error:
            taken = error
    raise taken
