"""Opening UDP sockets from within an event loop: names are looked up in a thread, so that nothing else waits.

The sockets themselves are those of `udp/datagrams.py`; this file adds only who waits for the resolver.
"""

from __future__ import annotations

import asyncio
import socket

from lanline.address import Address
from lanline.transport.failures import translate_connect, translate_listen
from lanline.transport.udp.datagrams import (
    MAX_DATAGRAM_BYTES,
    Found,
    Place,
    UdpSocket,
    find,
    open_all,
    open_connected,
)


async def open_at(address: Address, *, max_datagram_bytes: int = MAX_DATAGRAM_BYTES) -> list[UdpSocket]:
    """Bound sockets for all that an address stands for: one, or for a name each of its addresses, with one port.

    Args:
        address: scheme udp; `*` every interface, port 0 any free one.
        max_datagram_bytes: a longer datagram is told as DatagramTruncated.

    Raises:
        ListenFailed: the address cannot be served; the process that has the port is named where it can be.
        UsageError: the limit is out of range. AddressError: the scheme is another one.
    """
    try:
        found = await _find(address)
    except OSError as error:
        raise translate_listen(address, error) from error
    return open_all(address, max_datagram_bytes=max_datagram_bytes, found=found)


async def open_towards(
    address: Address, *, max_datagram_bytes: int = MAX_DATAGRAM_BYTES, timeout: float, local_host: str | None = None
) -> UdpSocket:
    """A socket connected to one peer; a name is looked up first.

    Args:
        address, max_datagram_bytes, local_host: as for `open_connected`.
        timeout: seconds for the name lookup.

    Raises:
        ConnectFailed: the name does not resolve, or there is no way there. AddressError: not an address to send to.
    """
    try:
        async with asyncio.timeout(timeout):
            found = await _find(address)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout) from error
    return open_connected(address, max_datagram_bytes=max_datagram_bytes, local_host=local_host, found=found)


async def place_of(port: UdpSocket, address: Address) -> Place:
    """As `UdpSocket.place_of`, with the resolver in a thread where it is needed."""
    try:
        return port.place_of(address, is_numeric=True)
    except OSError:
        return await asyncio.get_running_loop().run_in_executor(None, port.place_of, address)


async def _find(address: Address) -> Found:
    """What an address stands for. A numeric one is not sent through the resolver's thread."""
    try:
        return find(address, is_numeric=True)
    except socket.gaierror:
        return await asyncio.get_running_loop().run_in_executor(None, find, address)
