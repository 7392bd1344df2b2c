"""One process that serves: its event loop, its servers, its signals, and how it stops.

It is the whole of `lanline serve` without `--workers`, and one of several with it. Rules: the first signal ends
gracefully, within a limit; the second cuts everybody off; the third is the system's own and ends the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lanline.errors import UsageError
from lanline.framing.raw import Raw
from lanline.limits import PLAIN
from lanline.link.server import Server, serve
from lanline.room.stopsignals import CUT_OFF, StopSignals
from lanline.translation import _
from lanline.transport.loops import loop_factory
from lanline.ui.plain.watching import Tell, Watch, WatchedAnswers

if TYPE_CHECKING:
    import ssl

    from lanline.address import Address
    from lanline.framing.base import Framing
    from lanline.link.channel import Channel
    from lanline.transport.binding import Bound
    from lanline.ui.plain.faces import Face
    from lanline.ui.plain.headcount import Headcount

_CATCH_UP: Final = 0.5
"""Seconds after which an output that took no more is tried again."""


class Settings(NamedTuple):
    """How it is served; the same in every process."""

    framing: Framing | None
    """None leaves it to the face, and then to Raw."""

    drain: float
    """Seconds for a graceful stop."""

    is_verbose: bool
    tls: ssl.SSLContext | None
    shares: bool
    """Whether other processes serve the same sockets."""


def run_worker(
    face: Face,
    bound: tuple[Bound, ...],
    settings: Settings,
    headcount: Headcount,
    tell: Tell,
    *,
    is_ready: Callable[[], None],
    parent: int | None = None,
    catch_up: Callable[[], bool] | None = None,
) -> int:
    """Serves until a signal comes, or the parent is gone. The sockets are closed as soon as it is to stop; what a Unix
    socket leaves behind is the caller's matter.

    Args:
        face: what is served.
        bound: where.
        settings: how.
        headcount: the clients here and elsewhere.
        tell: is told each event.
        is_ready: called once it serves.
        catch_up: shows what `tell` could not show at once, and says whether something still waits. Called after each
            event, and then every 0.5 s for as long as something does.
        parent: a descriptor that becomes readable when the parent has gone; None without a parent.

    Returns:
        the exit code: 0, or 130 when everybody was cut off by a second signal.

    Raises:
        UsageError: this face cannot be served there.
    """
    _check(face, bound, settings)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(face, bound, settings, headcount, tell, is_ready, parent, catch_up))


async def _serve(
    face: Face,
    bound: tuple[Bound, ...],
    settings: Settings,
    headcount: Headcount,
    tell: Tell,
    is_ready: Callable[[], None],
    parent: int | None,
    catch_up: Callable[[], bool] | None,
) -> int:
    if catch_up is not None:
        tell = _CaughtUp(tell, catch_up).tell
    signals = StopSignals(parent)
    watch = Watch(tell, headcount, folder=face.folder, is_verbose=settings.is_verbose)
    served = _Served(face, watch, tell, headcount, is_verbose=settings.is_verbose)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(one) for one in _servers(served, bound, settings)]
        is_ready()
        await signals.first.wait()
        for server in servers:
            server.stop_accepting()
        if headcount.here:
            clients = _("1 client") if headcount.here == 1 else _("{count} clients").format(count=headcount.here)
            text = _("stopping, at most {seconds:g} s for {clients} to end; Ctrl-C again cuts off at once").format(
                clients=clients, seconds=settings.drain
            )
            tell({"event": "stopping", "text": text, "clients": headcount.here})
        is_cut_off = await _close(servers, settings.drain, signals)
        served.close()
    return CUT_OFF if is_cut_off else 0


class _CaughtUp:
    """Tells events, and looks after those that the output did not take. A server that is idle is not woken."""

    def __init__(self, tell: Tell, catch_up: Callable[[], bool]) -> None:
        self._tell = tell
        self._catch_up = catch_up
        self._loop = asyncio.get_running_loop()
        self.is_due = False
        """Whether it will look again."""

    def tell(self, event: dict[str, Any]) -> None:
        """Tells one event."""
        self._tell(event)
        if not self.is_due:
            self._look()

    def _look(self) -> None:
        # Asked now and then: not every output has an event for taking more again (a terminal after Ctrl-Q has none).
        self.is_due = self._catch_up()
        if self.is_due:
            self._loop.call_later(_CATCH_UP, self._look)


async def _close(servers: list[Server], drain: float, signals: StopSignals) -> bool:
    """Closes all servers at once; whether a second signal came meanwhile."""

    async def close_all(seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.close(drain=seconds))

    async with asyncio.TaskGroup() as group:
        closing = group.create_task(close_all(drain))
        hearing = group.create_task(signals.second.wait())
        await asyncio.wait((closing, hearing), return_when=asyncio.FIRST_COMPLETED)
        if hearing.done():
            await close_all(0.0)
        hearing.cancel()
    return signals.second.is_set()


class _Served:
    """The face as the servers get it, with somebody who looks on."""

    def __init__(self, face: Face, watch: Watch, tell: Tell, headcount: Headcount, *, is_verbose: bool) -> None:
        self.face = face
        self.handle = watch.watched(face.handler) if face.handler is not None else None
        self._answers: WatchedAnswers | None = None
        if face.answer is not None:
            self._answers = WatchedAnswers(
                face.answer,
                tell,
                headcount,
                silence=PLAIN.datagram_silence,
                folder=face.folder,
                is_verbose=is_verbose,
            )

    def close(self) -> None:
        """Senders of datagrams go when this side stops."""
        if self._answers is not None:
            self._answers.close()

    def for_streams(self) -> Any:
        """What a server of streams is given."""
        return self.face.service if self.handle is None else self.handle

    def for_datagrams(self) -> Any:
        """What a server of datagrams is given."""
        if self._answers is None:
            return self.handle
        return _Answering(self._answers.answer)


class _Answering:
    """An object with both methods, as `serve` takes it for datagrams."""

    def __init__(self, answer: Callable[[bytes, Address], bytes | None]) -> None:
        self.answer = answer

    async def handle(self, channel: Channel) -> None:
        """For whoever comes over a channel; datagrams do not."""
        raise AssertionError("every datagram is answered by `answer`")


def _servers(served: _Served, bound: tuple[Bound, ...], settings: Settings) -> list[Server]:
    framing = settings.framing or served.face.framing or Raw()
    limits = PLAIN._replace(drain=settings.drain)
    made: list[Server] = []
    for one in bound:
        what = served.for_datagrams() if one.asked.scheme == "udp" else served.for_streams()
        tls = settings.tls if one.asked.scheme == "tls" else None
        made.append(serve(what, *one.sockets, framing=framing, tls=tls, limits=limits))
    return made


def _check(face: Face, bound: tuple[Bound, ...], settings: Settings) -> None:
    datagrams = [one.asked for one in bound if one.asked.scheme == "udp"]
    if not datagrams:
        return
    if face.service is not None:
        raise UsageError(
            _("services are served over links, and {address} carries datagrams").format(address=datagrams[0]),
            advice=_("serve it at a tcp, tls or unix address."),
        )
    if settings.shares and face.answer is None:
        raise UsageError(
            _("several processes cannot share {address} for this handler").format(address=datagrams[0]),
            advice=_(
                "what a sender says would reach now one process and now another; leave --workers out, or give the "
                "object a method answer(message, sender), which needs no memory of senders."
            ),
        )
