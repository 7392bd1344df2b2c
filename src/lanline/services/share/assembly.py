"""The one place where a share's pieces become a site. It decides nothing; whoever brings a piece adds its line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lanline.http.hosts import HostGuard
from lanline.services.share.archives.answer import Archives
from lanline.services.share.assets import assets_in, page_files, shell_in
from lanline.services.share.finishing import Finishing
from lanline.services.share.folders import Folders
from lanline.services.share.form import Forms
from lanline.services.share.pace import Pace
from lanline.services.share.put import Puts
from lanline.services.share.removal import remove
from lanline.services.share.site import Answers, Guard, Site

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared


def site_of(shared: Shared, *, host_names: Iterable[str] = (), guards: Sequence[Guard] = ()) -> Site:
    """The site of what is shared.

    Args:
        shared: a folder, a file or standard input, with what visitors may do.
        host_names: further names this server may be called by.
        guards: asked before anything is answered, in this order; see `site.Guard`.
    """
    page = page_files()
    pace, finishing = Pace(), Finishing()
    answers = Answers(
        folder=Folders(shell_in(page)).answer,
        archive=Archives().answer,
        put=Puts(pace, finishing).answer,
        form=Forms(pace, finishing).answer,
        remove=remove,
        reserved=assets_in(page),
    )
    return Site(shared, answers, HostGuard(host_names), guards)
