"""Putting a share together, and serving it until it ends. The composition root of the word.

It decides little: what is shared is `given.py`'s matter, who may do what `order.py`'s, what is answered `site.py`'s.
Rules: every mistake that can be found without serving is found before a port is taken; the first signal lets answers
under way finish, the second cuts them off.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lanline.beneath import Folder
from lanline.console import Painted
from lanline.durations import show_duration
from lanline.http.exchange import set_user
from lanline.http.hosts import own_names
from lanline.http.password import PasswordGuard
from lanline.http.server import HttpServer
from lanline.room.descriptors import raise_descriptor_limit
from lanline.room.stopsignals import CUT_OFF, StopSignals
from lanline.services.share.answers.once import Once
from lanline.services.share.answers.stdin import Drained, PipeSource, source_of
from lanline.services.share.assembly import site_of
from lanline.services.share.owner.accesslog import AccessLog, tell
from lanline.services.share.owner.addresses import choose
from lanline.services.share.owner.announcement import Announcement, Served
from lanline.services.share.owner.given import STDIN, Given, check_contents, check_writable, look_at
from lanline.services.share.owner.ports import FIRST, Taken, take
from lanline.services.share.owner.secretword import password_for
from lanline.services.share.shared import Permissions, Shared
from lanline.services.share.uploads.assembly import Uploads
from lanline.sizes import show_size
from lanline.translation import _
from lanline.transport.interfaces import interfaces, outward_interface
from lanline.transport.loops import loop_factory

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

    from lanline.console import Console
    from lanline.room.paths import StateFolder
    from lanline.services.share.owner.order import Order
    from lanline.services.share.site import Guard
    from lanline.services.share.target import Target

NOT_TAKEN: Final = CUT_OFF
"""Exit code of a share for one download that was stopped before somebody had it."""


def share(order: Order, console: Console, folder: StateFolder) -> int:
    """Shares until it is stopped, or taken.

    Returns:
        the exit code of the word.

    Raises:
        UsageError: what is asked for makes no sense, or cannot be shared. ListenFailed: no port can be had.
        StateUnsafe, StateDamaged, StateNotSaved: the certificate, or a file with a password, cannot be trusted.
    """
    given = look_at(order.what, order.name)
    password = password_for(order, console, given)
    if order.changes:
        check_writable(given)
    is_protected = password is not None
    check_contents(
        given,
        folder.home,
        hidden=order.hidden,
        is_lan=order.is_lan,
        has_password=is_protected,
        makes_key=order.makes_key,
        secrets=order.secrets,
    )
    choice = choose(interfaces(), is_lan=order.is_lan, outward=outward_interface())
    tls, fingerprint, pin = _identity(order, folder, [spot.host for spot in choice.spots])
    raise_descriptor_limit()
    taken = take([spot.host for spot in choice.spots], order.port)
    try:
        if taken.in_place_of is not None:
            text = _("port {first} is taken ({why}): this is port {port}")
            why = str(taken.in_place_of).partition(":")[0]
            tell(console, order.log, text.format(first=FIRST, why=why, port=taken.port))
        spots = tuple(spot for spot in choice.spots if spot.host not in taken.absent)
        served = Served(spots, taken.port, choice.left_out, fingerprint, pin, is_protected)
        guards = [] if password is None else [_guard(PasswordGuard(password, user=order.user))]
        job = _Job(order, given, taken, tls, guards, Announcement(order, given, served), folder.home)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(job, console))
    finally:
        for one in taken.bound:
            one.close()


class _Job(NamedTuple):
    """All that serving needs."""

    order: Order
    given: Given
    taken: Taken
    tls: ssl.SSLContext | None
    guards: list[Guard]
    announcement: Announcement
    state: str
    """The state folder, which nobody reads."""


def _identity(order: Order, folder: StateFolder, hosts: list[str]) -> tuple[ssl.SSLContext | None, str, str]:
    """The TLS context, the fingerprint of its certificate, and the pin of one of our own; nothing without TLS."""
    if not order.has_tls:
        return None, "", ""
    from pathlib import Path

    from lanline.services.share.owner.certificate import fingerprint_in, https_context, own_identity

    if order.tls_cert is not None and order.tls_key is not None:
        file = Path(order.tls_cert)
        return https_context(file, Path(order.tls_key)), fingerprint_in(file), ""
    identity = own_identity(folder, [*order.hosts, *hosts, *sorted(own_names())])
    return https_context(identity.file, identity.file), identity.fingerprint, identity.pin


def _guard(passwords: PasswordGuard) -> Guard:
    def guard(request: web.BaseRequest, target: Target) -> None:
        user = passwords.check(request.headers.get("Authorization"), request.remote or "", time.monotonic())
        set_user(request, user)

    return guard


def _shared(job: _Job, stack: ExitStack) -> Shared:
    """What the site is given; a folder is held for as long as the stack."""
    order, given = job.order, job.given
    may = Permissions(order.upload, order.overwrite, order.delete, order.max_upload_bytes, order.hidden)
    if given.kind == "input":
        return Shared(None, may, name=given.name, source=source_of(STDIN, given.name))
    if given.kind == "folder":
        kept = (job.state, *order.secrets)  # `check_contents` sees what lies in the folder, not where links lead
        folder = stack.enter_context(Folder(given.path, follows_links=order.follow, without=kept))
        return Shared(folder, may, name=given.name)
    # A file that was named may be a link to anywhere: whoever named it meant what it leads to.
    folder = stack.enter_context(Folder(os.path.dirname(given.path), follows_links=True))
    return Shared(folder, may, name=given.name, only=given.name)


async def _serve(job: _Job, console: Console) -> int:
    began = time.monotonic()
    signals = StopSignals()
    log = AccessLog(console, job.order.log)
    with ExitStack() as stack:
        stack.callback(log.close)  # again, for what is said after the first time
        stack.enter_context(_logged(log))
        shared = _shared(job, stack)
        once = Once((job.given.name,)) if job.order.once and not isinstance(shared.source, PipeSource) else None
        uploads = Uploads(shared) if shared.permissions.upload else None
        async with _server(job, shared, once, uploads, log) as server, _kept_clean(uploads):
            job.announcement.show(console)
            await _wait_end(signals, once, shared)
            is_cut_off = await _close(server, signals)
        log.close()
        code = _ending(once, shared, console, job.order.log)
        if uploads is not None and uploads.unfinished:
            tell(console, job.order.log, _unfinished(uploads.unfinished))
    _sum_up(log, console, time.monotonic() - began)
    return CUT_OFF if is_cut_off and code == 0 else code


def _server(job: _Job, shared: Shared, once: Once | None, uploads: Uploads | None, log: AccessLog) -> HttpServer:
    guards = [*job.guards, *([once.guard] if once is not None else [])]
    site: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    site = site_of(shared, host_names=job.order.hosts, guards=guards, uploads=uploads)
    if once is not None:
        site = once.around(site)
    sockets = [sock for one in job.taken.bound for sock in one.sockets]
    return HttpServer(site, *sockets, tls=job.tls, heard=log.heard)


@asynccontextmanager
async def _kept_clean(uploads: Uploads | None) -> AsyncIterator[None]:
    """Unfinished uploads to which nobody comes back are removed for as long as the block lasts."""
    if uploads is None:
        yield
        return
    # Not a TaskGroup: it would wrap an error of the block, and its sentence would be lost to the person.
    keeper = asyncio.get_running_loop().create_task(uploads.keep_clean())
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})
    if not keeper.cancelled():
        keeper.result()  # a fault of ours


async def _wait_end(signals: StopSignals, once: Once | None, shared: Shared) -> None:
    """Returns when it was told to stop, or what was shared for one download is gone."""
    told = asyncio.get_running_loop().create_task(signals.first.wait())
    ends: list[asyncio.Future[Any]] = [told]
    if once is not None:
        ends.append(once.taken_by)
    if isinstance(shared.source, PipeSource):
        ends.append(shared.source.drained)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        await asyncio.wait({told})


async def _close(server: HttpServer, signals: StopSignals) -> bool:
    """Closes gracefully; whether another signal cut everybody off."""
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(server.close())
        hearing = group.create_task(signals.second.wait())
        await asyncio.wait((closing, hearing), return_when=asyncio.FIRST_COMPLETED)
        if not closing.done():
            closing.cancel()
        hearing.cancel()
    return signals.second.is_set()


def _unfinished(count: int) -> str:
    if count == 1:
        return _("1 upload is unfinished: it goes on when the folder is shared again")
    return _("{count} uploads are unfinished: they go on when the folder is shared again").format(count=count)


def _ending(once: Once | None, shared: Shared, console: Console, style: str) -> int:
    """What became of a share for one download; the exit code."""
    if isinstance(shared.source, PipeSource):
        return _tell_drained(shared.source.drained, console, style)
    if once is None:
        return 0
    if not once.taken_by.done():
        tell(console, style, _("nobody has taken it"))
        return NOT_TAKEN
    _tell_taken(once.taken_by.result(), console)
    return 0


def _tell_drained(drained: asyncio.Future[Drained], console: Console, style: str) -> int:
    if not drained.done():
        tell(console, style, _("nobody has taken it"))
        return NOT_TAKEN
    done = drained.result()
    if not done.why_not:
        _tell_taken(done.by, console)
        return 0
    reason = {
        "broken off": _("the visitor broke off"),
        "stopped": _("it was stopped"),
    }.get(done.why_not, done.why_not)
    text = _("{by} has not got all of it: {reason} after {sent_bytes} bytes ({size})").format(
        by=done.by, reason=reason, sent_bytes=done.sent_bytes, size=show_size(done.sent_bytes)
    )
    if console.wants_json:
        console.json({"event": "broken_off", "by": done.by, "sent_bytes": done.sent_bytes, "reason": done.why_not})
    tell(console, style, Painted(text, "red"))
    return 1


def _tell_taken(by: str, console: Console) -> None:
    if console.wants_json:
        console.json({"event": "taken", "by": by})
    else:
        console.line(Painted(_("{by} has all of it").format(by=by), "green"))


def _sum_up(log: AccessLog, console: Console, seconds: float) -> None:
    if console.wants_json:
        console.json(
            {
                "event": "stopped",
                "requests": log.requests,
                "files": log.files,
                "sent_bytes": log.sent_bytes,
                "received_bytes": log.received_bytes,
                "seconds": round(seconds, 3),
            }
        )
        return
    text = _("stopped after {time}: {requests}, {files}, {sent} out, {received} in").format(
        time=show_duration(seconds),
        requests=_("1 request") if log.requests == 1 else _("{count} requests").format(count=log.requests),
        files=_("1 file") if log.files == 1 else _("{count} files").format(count=log.files),
        sent=show_size(log.sent_bytes),
        received=show_size(log.received_bytes),
    )
    console.line(Painted(text, "bold"))


@contextmanager
def _logged(log: AccessLog) -> Iterator[None]:
    """Shows what the library warns of, and its mistakes, among the requests."""
    handler, logger = _Notes(log), logging.getLogger("lanline")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    """Warnings, each with its traceback where there is one. Made within the loop, heard from any thread."""

    def __init__(self, log: AccessLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Passes one on; waits for nobody."""
        if threading.get_ident() == self._thread:
            self._log.say(self.format(record))
        else:
            self._loop.call_soon_threadsafe(self._log.say, self.format(record))
