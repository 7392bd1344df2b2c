"""`blocking.serve`: one handler at any number of addresses, each client in a thread of its own.

One more thread accepts, and one reads each UDP address, so that a server also works in the background of a test. What a
client may cost is bounded: beyond `limits.max_connections` a newcomer is refused, with a line in the log; a TLS
handshake, which runs in the client's own thread, ends after `limits.handshake` seconds.

A thread cannot be cancelled. What a server can do is shut a handler's channel: whatever it then does with the channel
ends it, by ChannelClosed. A handler that is busy with something else is left to itself once it has had its time, and
named in the log.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import ChannelError, RemoteProtocolError, UsageError
from lanline.limits import PLAIN, Limits
from lanline.link.blocking.handlers import answer_of, handler_of
from lanline.link.blocking.senders import Senders
from lanline.link.blocking.stream import StreamChannel
from lanline.translation import _
from lanline.transport import binding, given
from lanline.transport.acceptor import Acceptor
from lanline.transport.failures import tls_words
from lanline.transport.ledger import Entry, Ledger
from lanline.transport.peernames import internet_peer_text, peer_process, plain_host, unix_peer_text
from lanline.transport.quiet import QuietLog
from lanline.transport.shortage import descriptors
from lanline.transport.tuning import tune
from lanline.transport.udp import datagrams
from lanline.transport.wire import PlainWire, Wire

if TYPE_CHECKING:
    import ssl

    from lanline.framing.base import Framing
    from lanline.link.blocking.channel import Channel
    from lanline.link.blocking.datagrams import SenderChannel

log = logging.getLogger("lanline.link")

THREADS: Final[Limits] = PLAIN._replace(max_connections=2048, max_connections_per_address=2048)
"""The defaults: as those of handlers under asyncio, but for fewer clients, as each takes a thread."""


class ServerStatistics(NamedTuple):
    """Figures of a blocking server since it was started."""

    accepted: int
    """Connections taken from the listen queues, and senders of datagrams heard."""

    refused: int
    """Closed at once, over a limit or for want of descriptors or threads; datagrams not heard."""

    accept_errors: int
    """Times that accept(2) failed, nearly always for want of descriptors."""

    failed_handshakes: int
    """TLS handshakes that came to nothing."""

    peers: int
    """Clients being served now, those in their TLS handshake included."""


class _Client(Entry):
    """One client: what the ledger counts by, its thread, and what must be shut to end it."""

    __slots__ = ("wire", "channel", "thread")

    def __init__(self, host: str | None, wire: Wire | None = None, channel: Channel | None = None) -> None:
        super().__init__(host, time.monotonic())
        self.wire = wire
        self.channel = channel
        self.thread = threading.Thread(daemon=True)

    def cut_off(self) -> None:
        """Ends its handshake, or whatever its handler does with the channel."""
        if self.channel is not None:
            self.channel.abort()
        elif self.wire is not None:
            self.wire.shut()


class Server:
    """What `blocking.serve` gives: use it as `with serve(...) as server`, or `start()` and `close()` it.

    See `blocking.serve` for the arguments.
    """

    def __init__(
        self,
        what: object,
        addresses: Sequence[Address | socket.socket],
        *,
        framing: Framing,
        tls: ssl.SSLContext | None,
        limits: Limits,
    ) -> None:
        self._handler = handler_of(what)
        self._answer = answer_of(what)
        self._wanted = addresses
        self._framing = framing
        self._tls = tls
        self._limits = limits
        self._addresses: list[Address] = []
        self._bound: list[binding.Bound] = []
        self._senders: list[Senders] = []
        self._acceptor: Acceptor | None = None
        self._threads: list[threading.Thread] = []
        self._ledger: Ledger[_Client] = Ledger(limits, descriptors=descriptors(), expires=False)
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._failed_handshakes = self._refused = 0
        self._is_closing = False
        self._is_interrupted = False
        self._closer: _Client | None = None
        self._quiet = QuietLog(logging.getLogger("lanline.transport"))
        self._closed = threading.Event()

    def __repr__(self) -> str:
        where = ", ".join(map(str, self.addresses)) or "nowhere"
        return f"<Server at {where} peers={len(self._clients)}>"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with real ports."""
        return tuple(self._addresses)

    def statistics(self) -> ServerStatistics:
        """The counters, as they are now."""
        acceptor = self._acceptor
        return ServerStatistics(
            (acceptor.accepted if acceptor else 0) + sum(senders.accepted for senders in self._senders),
            (acceptor.refused if acceptor else 0) + self._refused + sum(one.refused for one in self._senders),
            acceptor.accept_errors if acceptor else 0,
            self._failed_handshakes,
            len(self._clients),
        )

    # -- beginning and ending ------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begins to listen at every address, in threads of its own; nothing is left of it if one fails.

        Raises:
            ListenFailed: an address cannot be served. UsageError: tls:// without a context.
        """
        try:
            for wanted in self._wanted:
                self._bind(wanted)
            listening = [sock for bound in self._bound for sock in bound.sockets]
            if listening:
                self._acceptor = Acceptor(listening, self._accepted)
                self._begin("accept", self._acceptor.run)
            for senders in self._senders:
                self._begin("datagrams", senders.run)
        except BaseException:
            self.close(drain=0.0)
            raise
        return self

    def wait_closed(self) -> None:
        """Serves until `close` was called from another thread, or until Ctrl-C, after which it returns as well: leaving
        the `with` block then ends the server gracefully."""
        try:
            self._closed.wait()
        except KeyboardInterrupt:
            self._is_interrupted = True
            log.info("interrupted: the server ends")

    def close(self, *, drain: float | None = None) -> None:
        """Stops accepting, gives handlers `drain` seconds to finish (`limits.drain` by default), then shuts their
        channels, which ends them, and waits for their threads. A second call does nothing more.

        A handler may call it, to serve one partner and then stop. Its own channel is closed as well, and it goes on
        without; the end of the `with` block gives it the same time for that.

        Ctrl-C meanwhile shuts them at once, and goes no further where another one has ended `wait_closed` before. A
        handler that does not end even so, for as long again, is left to itself, with a warning in the log: its thread
        ends with the process at the latest.
        """
        wait = self._limits.drain if drain is None else drain
        with self._lock:
            was_closing, self._is_closing = self._is_closing, True
            if not was_closing:
                self._closer = next((one for one in self._clients if one.thread is threading.current_thread()), None)
        if was_closing:
            self._end([one for one in self._others() if one is self._closer], wait)
            return
        try:
            self._stop_listening()
            for client in self._others():
                if client.channel is None:
                    client.cut_off()
        finally:
            self._end(self._others(), wait)
            if self._closer is not None and self._closer.channel is not None:
                self._closer.channel.close()
            self._give_back()
            self._quiet.flush(time.monotonic())
            if left := len(self._others()):
                log.warning("%d handlers do not end, though their channels are shut: they are left behind", left)
            self._closed.set()

    def __enter__(self) -> Self:
        """Starts it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it; at once when the block failed."""
        self.close(drain=0.0 if error is not None else None)

    # -- addresses -----------------------------------------------------------------------------------------

    def _bind(self, wanted: Address | socket.socket) -> None:
        if isinstance(wanted, socket.socket):
            address = given.address_of(wanted)
            if address.scheme != "udp":
                self._listen(binding.Bound(address, [address], [wanted]))
            else:
                limit = datagrams.MAX_DATAGRAM_BYTES
                self._hear(datagrams.UdpSocket(wanted, asked=address, max_datagram_bytes=limit))
        elif wanted.scheme == "udp":
            for port in datagrams.open_all(wanted):
                self._hear(port)
        elif wanted.scheme == "tls" and self._tls is None:
            raise UsageError(
                _("{wanted} cannot be served without a certificate").format(wanted=wanted),
                advice=_("pass tls=server_context(certificate_file, key_file), or use tcp://."),
            )
        else:
            self._listen(binding.bind(wanted, backlog=self._limits.backlog))

    def _listen(self, bound: binding.Bound) -> None:
        self._bound.append(bound)
        self._addresses += bound.addresses

    def _hear(self, port: datagrams.UdpSocket) -> None:
        self._senders.append(Senders(port, begin=self._heard, answer=self._answer, limits=self._limits))
        self._addresses.append(port.address)

    def _begin(self, what: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"lanline {what}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _stop_listening(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
        for senders in self._senders:
            senders.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():  # an answering function may close its own server
                thread.join()
        for bound in self._bound:
            bound.close()

    def _give_back(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for bound in self._bound:
            bound.close()
        for senders in self._senders:
            senders.release()

    # -- one client ----------------------------------------------------------------------------------------

    def _accepted(self, sock: socket.socket, listening: socket.socket) -> None:
        """In the accepting thread: a connection came."""
        try:
            tune(sock)
            host, peer = self._names(sock, listening)
        except OSError:
            sock.close()  # gone again before it was looked at
            return
        client = _Client(host, PlainWire(sock))
        refusal = self._enter(client)
        if not refusal and not self._start(client, lambda: self._serve_stream(client, sock, peer)):
            refusal = "no thread could be started for it"
        if refusal:
            self._refused += 1
            self._quiet.warn("full", f"refused {peer}: {refusal}", time.monotonic())
            sock.close()

    def _heard(self, channel: SenderChannel) -> bool:
        """In a thread that reads datagrams, or whose handler left some behind: somebody is to be served. How many there
        may be is counted there."""
        client = _Client(None, channel=channel)
        with self._lock:
            if self._is_closing:
                return False
            self._clients.add(client)
        return self._start(client, lambda: self._serve(client, channel))

    def _names(self, sock: socket.socket, listening: socket.socket) -> tuple[str | None, str]:
        """What limits count a peer by, and what it is called."""
        if sock.family == socket.AF_UNIX:
            return None, unix_peer_text(listening.getsockname(), *peer_process(sock))
        name = sock.getpeername()
        return plain_host(name[0]), internet_peer_text("tcp" if self._tls is None else "tls", name)

    def _enter(self, client: _Client) -> str:
        """Lets a newcomer in, in place of one that is still shaking hands where need be. Else says why not."""
        with self._lock:
            admission = self._ledger.admit(client)
            if admission.refusal:
                return admission.refusal
            if self._tls is None:
                self._ledger.welcome(client, None)
            self._clients.add(client)
        if admission.victim is not None:
            admission.victim.cut_off()
        return ""

    def _start(self, client: _Client, run: Callable[[], None]) -> bool:
        client.thread = threading.Thread(target=run, name="lanline client", daemon=True)
        try:
            client.thread.start()
        except RuntimeError:  # the system has no more threads
            self._leave(client)
            return False
        return True

    def _serve_stream(self, client: _Client, sock: socket.socket, peer: str) -> None:
        wire = client.wire if self._tls is None else self._shaken(client, sock, peer, self._tls)
        if wire is not None:
            client.channel = channel = StreamChannel(wire, self._framing, peer, self._limits)
            self._serve(client, channel)

    def _shaken(self, client: _Client, sock: socket.socket, peer: str, tls: ssl.SSLContext) -> Wire | None:
        """The stream after its TLS handshake; None when that came to nothing, and everything is closed."""
        from lanline.transport.tlswire import TlsWire  # here, not above: plain servers never need ssl

        try:
            wire = TlsWire(sock, tls, is_serving=True)
            wire.shake_hands(client.since + self._limits.handshake)
        except (OSError, ValueError) as error:  # ValueError: of a context that is not for servers
            self._failed_handshakes += 1
            why = "it took too long" if isinstance(error, TimeoutError) else tls_words(error)
            self._quiet.warn("handshake", f"TLS handshake with {peer} failed: {why}", time.monotonic())
            self._leave(client)
            sock.close()
            return None
        with self._lock:
            self._ledger.welcome(client, None)
        return wire

    def _serve(self, client: _Client, channel: Channel) -> None:
        """The life of one client, in its thread."""
        try:
            with channel:
                self._handler(channel)
        except (ChannelError, RemoteProtocolError, TimeoutError) as error:
            log.info("%s: %s", clean(channel.peer_address), clean(str(error)))
        except Exception:
            log.exception("the handler of %s failed", clean(channel.peer_address))
        finally:
            self._leave(client)

    def _leave(self, client: _Client) -> None:
        with self._lock:
            self._ledger.forget(client)
            self._clients.discard(client)
            self._left.notify_all()

    def _others(self) -> list[_Client]:
        """Everybody who is being served, but for whom this thread serves: a handler may close its own server."""
        with self._lock:
            return [client for client in self._clients if client.thread is not threading.current_thread()]

    def _end(self, clients: list[_Client], seconds: float) -> None:
        """Gives handlers so long, then shuts their channels, and gives them as long as a drain takes."""
        try:
            self._wait_for(clients, seconds)
        except KeyboardInterrupt:
            if not self._is_interrupted:
                raise
        finally:
            for client in self._clients.intersection(clients):
                client.cut_off()
            self._wait_for(clients, self._limits.drain)

    def _wait_for(self, clients: list[_Client], seconds: float) -> None:
        with self._left:  # not `join` alone: interrupted by Ctrl-C, that takes a thread for ended which is not
            self._left.wait_for(lambda: self._clients.isdisjoint(clients), seconds)
            ended = [client for client in clients if client not in self._clients]
        for client in ended:
            client.thread.join()
