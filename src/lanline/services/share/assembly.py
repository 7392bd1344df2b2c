"""The one place where a share's pieces become a site. It decides nothing; whoever brings a piece adds its line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lanline.http.hosts import HostGuard
from lanline.services.share.answers.assets import assets_in, page_files, shell_in
from lanline.services.share.answers.folders import Folders
from lanline.services.share.answers.removal import remove
from lanline.services.share.archives.answer import Archives
from lanline.services.share.site import Answers, Guard, Site
from lanline.services.share.uploads.assembly import Uploads
from lanline.services.share.uploads.resumable import NAME

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared


def site_of(
    shared: Shared,
    *,
    host_names: Iterable[str] = (),
    guards: Sequence[Guard] = (),
    uploads: Uploads | None = None,
) -> Site:
    """The site of what is shared.

    Args:
        shared: a folder, a file or standard input, with what visitors may do.
        host_names: further names this server may be called by.
        guards: asked before anything is answered, in this order; see `site.Guard`.
        uploads: of the same share, where the caller keeps them clean; made here where it is not given.
    """
    page = page_files()
    answers = Answers(
        folder=Folders(shell_in(page)).answer,
        archive=Archives().answer,
        remove=remove,
        reserved=assets_in(page),
    )
    if shared.permissions.upload:
        uploads = uploads or Uploads(shared)
        reserved = {**answers.reserved, NAME: uploads.resumable}
        answers = answers._replace(put=uploads.put, form=uploads.form, begin=uploads.resumable.begin, reserved=reserved)
    return Site(shared, answers, HostGuard(host_names), guards)
