"""Everything beneath a folder, one after the other, without a word in memory about what comes later.

Depth first, a folder before what is in it, each folder sorted by name. Only the names of the folders on the way down
are kept, and one file or folder is open at a time: neither a deep nor a wide tree costs descriptors. Nothing is walked
twice: links to folders are entered only where that is wanted, and then only into folders not seen before.

It opens by a function that it is given, which is what keeps it beneath the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator

from lanline.beneath.names import Names, as_text, is_draft
from lanline.beneath.opened import Opened
from lanline.beneath.oserrors import file_error
from lanline.errors import FileError, FolderGone, NotAFile


def tree(
    open_: Callable[[Names], Opened],
    start: Names,
    *,
    enters_links: bool,
    wants: Callable[[Names], bool] | None,
    left_out: Callable[[Names, FileError], None] | None,
) -> Generator[tuple[Names, Opened], None, None]:
    """See `Folder.walk`."""
    with open_(start) as opened:
        if not opened.is_folder:
            raise NotAFile(f"what is called {as_text(start)} is not a folder")
        entered = {_identity(opened)}
        waiting = _inside(opened, (), start)
    while waiting:
        here, is_link = waiting.pop()
        if wants is not None and not wants(here):
            continue
        try:
            with open_((*start, *here)) as opened:
                if opened.is_folder:
                    if is_link and (not enters_links or _identity(opened) in entered):
                        raise NotAFile(f"what is called {as_text(here)} is a link to a folder, which is not entered")
                    entered.add(_identity(opened))
                    waiting += _inside(opened, here, (*start, *here))
                yield here, opened
        except FolderGone:
            raise
        except FileError as error:
            if left_out is not None:
                left_out(here, error)


def _identity(opened: Opened) -> tuple[int, int]:
    return opened.status.st_dev, opened.status.st_ino


def _inside(opened: Opened, above: Names, names: Names) -> list[tuple[Names, bool]]:
    """What a folder holds: the names of each, and whether it is a link. The first by name is at the end."""
    try:
        with os.scandir(opened.listed) as listing:
            found = [((*above, each.name), each.is_symlink()) for each in listing if not is_draft(each.name)]
    except OSError as error:
        raise file_error(error, names) from error
    return sorted(found, reverse=True)
