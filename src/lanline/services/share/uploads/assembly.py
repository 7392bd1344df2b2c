"""Everything by which visitors add to one share, put together: PUT, forms, resumable uploads, and tidying up.

It decides nothing. Whoever serves the share runs `keep_clean` beside the server, in a task of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from lanline.services.share.uploads.finishing import Finishing
from lanline.services.share.uploads.form import Forms
from lanline.services.share.uploads.pace import Pace
from lanline.services.share.uploads.put import Puts
from lanline.services.share.uploads.resumable import Resumable

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared


class Uploads:
    """The uploads of one share.

    Args:
        shared: a folder to which visitors may add.
    """

    def __init__(self, shared: Shared) -> None:
        pace, finishing = Pace(), Finishing()
        self.resumable = Resumable(shared, pace, finishing)
        """Answers below `/.lanline/uploads/`, and POST to the address of a file."""
        self.put = Puts(pace, finishing, self.resumable.begin).answer
        """Answers PUT."""
        self.form = Forms(pace, finishing).answer
        """Answers POST to a folder."""

    @property
    def unfinished(self) -> int:
        """How many uploads are unfinished, as far as is known. They stay on the disk when the server stops."""
        return self.resumable.register.count

    async def keep_clean(self) -> NoReturn:
        """Removes unfinished uploads to which nobody came back, those of earlier processes too, until cancelled."""
        await self.resumable.register.keep_clean()
