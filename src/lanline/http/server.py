"""An HTTP server at one or more addresses: listeners of layer 3, connections of this folder, and a graceful end.

It decides nothing about requests: the site does. Rule: every listener is lanline's own, so that floods, TLS and the
words for a port in use are those of every other server of it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from lanline.address import Address
from lanline.http.answering import Site
from lanline.http.connection import Connection
from lanline.http.connectiontable import ConnectionTable
from lanline.http.exchange import Heard
from lanline.http.limits import WEB, HttpLimits
from lanline.transport import registry
from lanline.transport.base import Arrival, Listener
from lanline.transport.shortage import descriptors

if TYPE_CHECKING:
    import ssl
    from types import TracebackType


class HttpServer:
    """A server; listens from `async with` on, until that ends or `close` is called.

    Args:
        site: answers each request; see `Site`.
        addresses: tcp, unix or mem addresses, or sockets that listen already, which this server owns from now on.
        tls: makes every connection TLS.
        limits: of headers, bodies, times and connections.
        heard: called once for each request, failed ones too, when it is over; must not wait. None tells nobody.
    """

    def __init__(
        self,
        site: Site,
        *addresses: Address | socket.socket,
        tls: ssl.SSLContext | None = None,
        limits: HttpLimits = WEB,
        heard: Heard | None = None,
    ) -> None:
        self._site = site
        self._wanted = addresses
        self._tls = tls
        self._limits = limits
        self._heard = heard
        self._table: ConnectionTable | None = None
        self._listeners: list[Listener] = []

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with real ports in place of 0."""
        return tuple(address for listener in self._listeners for address in listener.addresses)

    @property
    def connections(self) -> list[Connection]:
        """Everyone connected now."""
        return [] if self._table is None else self._table.connections

    async def __aenter__(self) -> Self:
        """Listens at every address.

        Raises:
            ListenFailed: one cannot be served; then none is.
            UsageError: one is not to be served, or TLS is senseless for it.
        """
        most = self._limits.most_connections(descriptors())
        table = self._table = ConnectionTable(self._site, self._limits, most, self._heard)

        def connection(arrival: Arrival) -> Connection:
            return Connection(table, arrival)

        try:
            for wanted in self._wanted:
                listener = await registry.listen(wanted, connection, limits=self._limits.of_transport(), tls=self._tls)
                self._listeners.append(listener)
        except BaseException:
            await self.close(0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes, with the limits' time for answers under way."""
        await self.close()

    async def close(self, drain: float | None = None) -> None:
        """Stops listening, lets answers under way finish, then cuts what is left. A second call does nothing.

        Cancelled, it cuts everybody off at once; the next call waits until they are gone, for whoever closes what the
        site used must know that nothing uses it any more.

        Args:
            drain: seconds for answers under way; None is `limits.drain`, 0 cuts at once.
        """
        for listener in self._listeners:
            listener.stop_accepting()
        if self._table is not None:
            await self._table.close(self._limits.drain if drain is None else drain)
            self._table = None
        for listener in self._listeners:
            await listener.close()

    def __repr__(self) -> str:
        where = ", ".join(map(str, self.addresses))
        return f"<HttpServer {where}: {len(self.connections)} connections>"
