"""`serve`: one handler, or a set of services, at any number of addresses.

What is served decides what travels: a coroutine over a Channel gets messages in the framing it was given; Service
objects get links. Every connection's handler is a task that the Server owns: it is cancelled and awaited when the
server closes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import AddressError, ChannelError, RemoteProtocolError, TransportError, UsageError
from lanline.framing.base import Framing
from lanline.framing.raw import Raw
from lanline.limits import LAN, PLAIN, Limits
from lanline.link.channel import Channel
from lanline.link.datagrams.listener import DatagramListener, is_datagrams, ports_of
from lanline.link.guard import Anyone, Guard
from lanline.link.handlers import Handled, Handler, handler_of
from lanline.link.link import Link
from lanline.link.service import Service, collect
from lanline.link.streamchannel import StreamChannel
from lanline.session.session import Side
from lanline.translation import _
from lanline.transport import registry
from lanline.transport.base import Arrival, Listener, ListenerStatistics
from lanline.transport.udp.driver import Answer

if TYPE_CHECKING:
    import ssl

log = logging.getLogger("lanline.link")


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """Figures of a server: one entry per address, and how many peers are being served now."""

    listeners: tuple[ListenerStatistics, ...]
    peers: int


class Server:
    """What `serve` gives: use it as `async with serve(...) as server`, or `start()` and `close()` it.

    See `serve` for the arguments.
    """

    def __init__(
        self,
        what: Handled | Service | Iterable[Service],
        addresses: Sequence[Address | socket.socket],
        *,
        framing: Framing,
        tls: ssl.SSLContext | None,
        guard: Guard,
        limits: Limits | None,
    ) -> None:
        self._handler: Handler | None = None
        self._services: tuple[Service, ...] = ()
        if isinstance(what, Service):
            self._services = (what,)
        elif isinstance(what, Iterable):
            self._services = tuple(what)
        else:
            self._handler = handler_of(what)
        self._table = collect(self._services)
        self._wanted = addresses
        self._framing = framing
        self._tls = tls
        self._guard = guard
        self._limits = limits or (LAN if self._handler is None else PLAIN)
        self._boot = os.urandom(8)
        self._answer: Answer | None = (
            getattr(what, "answer", None) if self._handler and not isinstance(what, type) else None
        )
        self._listeners: list[Listener] = []
        self._datagrams: list[DatagramListener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget_task = self._tasks.discard  # one object, not one for each connection
        self._links: set[Link] = set()
        self._leaving: set[Link] = set()
        self._started: list[Service] = []
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        where = ", ".join(str(address) for address in self.addresses) or "nowhere"
        return f"<Server at {where} peers={len(self._tasks) + len(self._links)}>"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with real ports."""
        return tuple(address for listener in self._listeners for address in listener.addresses)

    def statistics(self) -> ServerStatistics:
        """The counters, as they are now."""
        listeners = tuple(listener.statistics() for listener in self._listeners)
        return ServerStatistics(listeners, len(self._tasks) + len(self._links))

    async def start(self) -> Self:
        """Starts the services, then begins to listen at every address; nothing is left of it if one fails.

        Raises:
            ListenFailed: an address cannot be served.
        """
        is_plain = self._handler is not None
        factory = self._new_channel if is_plain else self._new_link
        try:
            for service in self._services:
                await service.on_start()
                self._started.append(service)
            for address in self._wanted:
                if is_datagrams(address):
                    await self._listen_to_datagrams(address)
                    continue
                tls = None if isinstance(address, Address) and address.scheme == "mem" else self._tls
                listener = await registry.listen(
                    address, factory, limits=self._limits, tls=tls, welcome_at_once=is_plain
                )
                self._listeners.append(listener)
        except BaseException:
            await self.close(drain=0.0)
            raise
        return self

    def stop_accepting(self) -> None:
        """Lets nobody new in. Who is being served stays; `close` is what ends them."""
        for listener in self._listeners:
            listener.stop_accepting()

    async def close(self, *, drain: float | None = None) -> None:
        """Stops accepting, gives calls and handlers `drain` seconds to finish (`limits.drain` by default), then cancels
        them. Nothing is left running when it returns, but for the handler that calls it: who serves one partner and
        then stops closes the server in the handler, and the end of the `async with` block waits for that one.

        Cancelled, it cancels the handlers at once, and goes on with what is left to do before it ends."""
        wait = self._limits.drain if drain is None else drain
        async with AsyncExitStack() as steps:  # the last one first; each is taken whatever becomes of those before it
            steps.callback(self._closed.set)
            while self._started:
                steps.push_async_callback(self._started.pop(0).on_stop)
            for one in self._datagrams:
                steps.push_async_callback(one.release)  # handlers send their last words through the socket they share
            steps.push_async_callback(self._end_handlers)
            self.stop_accepting()
            for listener in self._listeners:
                await listener.close()
            await asyncio.gather(*(link.drain(wait) for link in (*self._links, *self._leaving)))
            if others := self._tasks - {asyncio.current_task()}:
                await asyncio.wait(others, timeout=wait)

    async def wait_closed(self) -> None:
        """Waits until `close` was called, from here or elsewhere: serves for ever."""
        await self._closed.wait()

    async def __aenter__(self) -> Self:
        """Starts it."""
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it; at once when the block failed."""
        await self.close(drain=0.0 if error is not None else None)

    async def _end_handlers(self) -> None:
        left = self._tasks - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _listen_to_datagrams(self, address: Address | socket.socket) -> None:
        if self._handler is None:
            raise AddressError(
                _("{address} carries datagrams, and services need a stream").format(address=address),
                advice=_("serve them over tcp:// or tls://; a handler can be served over udp://."),
            )
        if self._tls is not None:
            raise UsageError(
                _("{address} carries datagrams, and TLS needs a stream").format(address=address),
                advice=_("serve it without tls."),
            )
        for port in await ports_of(address):
            one = DatagramListener(port, on_channel=self._serve_channel, answer=self._answer, limits=self._limits)
            self._datagrams.append(one)
            self._listeners.append(one)

    # -- one connection ------------------------------------------------------------------------------------

    def _new_link(self, arrival: Arrival) -> asyncio.Protocol:
        return Link(
            Side.ACCEPTING,
            self._guard,
            self._table,
            scheme=arrival.scheme,
            boot=self._boot,
            limits=self._limits,
            arrival=arrival,
            on_connected=self._links.add,
            on_lost=self._link_lost,
        ).pump

    def _link_lost(self, link: Link, reason: str) -> None:
        self._links.discard(link)
        # Handlers of a lost link are cancelled and on their way out; `close` waits for them too.
        self._leaving = {one for one in (*self._leaving, link) if one.has_handlers}

    def _new_channel(self, arrival: Arrival) -> asyncio.Protocol:
        return StreamChannel(self._framing, self._limits, arrival=arrival, on_connected=self._serve_channel)

    def _serve_channel(self, channel: Channel) -> None:
        task = asyncio.get_running_loop().create_task(self._run(channel), name="handler")
        self._tasks.add(task)
        task.add_done_callback(self._forget_task)

    async def _run(self, channel: Channel) -> None:
        assert self._handler is not None, "channels are made only where there is a handler"
        try:
            await self._handler(channel)
        except (ChannelError, RemoteProtocolError, TransportError) as error:
            log.info("%s: %s", clean(channel.peer_address), clean(str(error)))
        except Exception:
            log.exception("the handler of %s failed", clean(channel.peer_address))
        finally:
            await channel.close()


def serve(
    what: Handled | Service | Iterable[Service],
    *addresses: str | Address | socket.socket,
    framing: Framing | None = None,
    tls: ssl.SSLContext | None = None,
    guard: Guard | None = None,
    limits: Limits | None = None,
) -> Server:
    """Serves a handler or services at all these addresses: `async with serve(upper, "tcp://:9000", framing=Lines())`.

    Args:
        what: a coroutine function over a Channel; an object with `async def handle(self, channel)`, which all clients
            share; a class with that method, made anew for each client, without arguments; or one or several Service
            objects.
        addresses: `tcp://:9000` is loopback, `tcp://*:9000` every interface, port 0 any free one. A socket that
            listens already does as well (one that several processes share, or that systemd gave); the server closes it.
            Over `udp://` each sender gets a channel of its own, and the handler ends when the sender has been silent
            for `limits.datagram_silence` seconds. An object that has `def answer(self, message: bytes, sender:
            Address) -> bytes | None` beside `handle` is asked that for each datagram, at once: nothing is kept of
            senders, and None is no answer.
        framing: how a handler's messages lie in the stream; Raw (whatever one read delivers) by default. Over `udp://`
            one datagram is one message whatever it is.
        tls: makes every connection TLS; `server_context` makes one from certificate files.
        guard: judges the peers of links; everybody is a guest by default.
        limits: connections, sizes, times; by default PLAIN for handlers and LAN for services.

    Returns:
        A Server, to be entered or started.

    Raises:
        AddressError: an address is none. UsageError: no address, or a service that cannot be served.
    """
    if not addresses:
        raise UsageError(_("serve needs at least one address, such as tcp://127.0.0.1:9000"))
    parsed = [Address.parse(address) if isinstance(address, str) else address for address in addresses]
    return Server(what, parsed, framing=framing or Raw(), tls=tls, guard=guard or Anyone(), limits=limits)
