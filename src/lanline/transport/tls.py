"""The `tls://` scheme: TCP with a TLS context. The contexts themselves are made in `tlscontext.py`.

In TLS 1.3 the client's handshake ends before the server has judged the client's certificate (RFC 8446 section
4.4.4): "connected" means nothing before the first message from the other side.

Source: RFC 8446.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from lanline.address import Address
from lanline.errors import UsageError
from lanline.limits import LAN, Limits
from lanline.translation import _
from lanline.transport import tcp
from lanline.transport.base import Listener, ProtocolFactory
from lanline.transport.tlscontext import client_context, mutual_context, server_context

__all__ = ["client_context", "connect", "listen", "mutual_context", "server_context"]


async def listen(
    address: Address,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
) -> Listener:
    """Serves one kind of protocol over TLS. See `tcp.listen`.

    Raises:
        UsageError: no context: a server needs a certificate.
        ListenFailed: the address cannot be served.
    """
    if tls is None:
        raise UsageError(
            _("{address} cannot be served without a certificate").format(address=address),
            advice=_("pass tls=server_context(certificate_file, key_file), or use tcp://."),
        )
    return await tcp.listen(address, factory, limits=limits, tls=tls, welcome_at_once=welcome_at_once)


async def connect(
    address: Address,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float,
    local_host: str | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects over TLS. See `tcp.connect`; without a context the authorities of this system are believed."""
    context = tls if tls is not None else client_context()
    return await tcp.connect(
        address,
        protocol_factory,
        tls=context,
        server_name=server_name,
        timeout=timeout,
        local_host=local_host,
    )
