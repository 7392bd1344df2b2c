"""A share that is served for the length of a test, with bare requests to it; see tests/http/serving.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.http.serving import PATIENCE as PATIENCE
from tests.http.serving import Reply as Reply
from tests.http.serving import Served as Served
from tests.http.serving import running

from lanline.beneath import Folder
from lanline.http.limits import WEB, HttpLimits
from lanline.services.share.assembly import site_of
from lanline.services.share.shared import Permissions, Shared

READING = Permissions()
ALL = Permissions(upload=True, overwrite=True, delete=True)


@contextmanager
def sharing(
    folder: Path,
    may: Permissions = READING,
    *,
    only: str | None = None,
    make: Callable[[Folder], Shared] | None = None,
    limits: HttpLimits = WEB,
    follows_links: bool = False,
    host_names: Sequence[str] = (),
    guards: Sequence[Any] = (),
) -> Iterator[Served]:
    """Shares a folder, or one file of it.

    Args:
        folder: on the disk.
        may: what visitors may do.
        only: the one file that is shared.
        make: what is shared, made of the held folder, in place of the folder itself.
        limits: of the server.
        follows_links: as with --follow.
        host_names: as with --host.
        guards: see `site.Guard`.
    """
    with Folder(folder, follows_links=follows_links) as held:
        shared = make(held) if make is not None else Shared(held, may, name=folder.name, only=only)
        with running(site_of(shared, host_names=host_names, guards=guards), limits=limits) as served:
            yield served
