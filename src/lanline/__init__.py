"""lanline: a landline for your LAN. The public names, grouped by task and loaded when first used.

`import lanline` alone imports nothing else of the package (PEP 562), so a program that frames bytes or speaks
over a blocking socket never pays for asyncio. The names below are the whole promise: what is not listed here,
in `lanline.testing` or in the docs' reference can change without notice. Each name's own module says more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanline.address import Address
    from lanline.clean import clean_bytes, clean_text
    from lanline.errors import (
        AddressError,
        AuthorityLocked,
        BufferFull,
        CallError,
        CallFailed,
        CallLost,
        CallRefused,
        CallTimeout,
        ChannelBroken,
        ChannelClosed,
        ChannelEnded,
        ChannelError,
        ChannelReset,
        ConnectFailed,
        DatagramRefused,
        DatagramTruncated,
        EndedInMessage,
        InRoomAlready,
        JoinFailed,
        LanlineError,
        ListenFailed,
        LocalProtocolError,
        MessageTooLarge,
        NodeAlreadyRunning,
        NodeNotRunning,
        NotAllowed,
        NotInRoom,
        PeerSilent,
        PipeBroken,
        ProtocolError,
        RemoteProtocolError,
        RoomError,
        ShortSend,
        StateDamaged,
        StateNotSaved,
        StateUnsafe,
        Status,
        TargetError,
        TextNotBytes,
        TransportError,
        UsageError,
    )
    from lanline.framing.base import Decoder, Framing
    from lanline.framing.length import LengthPrefixed
    from lanline.framing.lines import Lines
    from lanline.framing.netstring import Netstring
    from lanline.framing.raw import Raw
    from lanline.limits import LAN, PLAIN, Limits
    from lanline.link import blocking
    from lanline.link.call import Call
    from lanline.link.caller import Caller
    from lanline.link.channel import Channel
    from lanline.link.client import connect, connect_link
    from lanline.link.datagrams.datagram import Datagram
    from lanline.link.datagrams.datagramsocket import DatagramSocket, bind
    from lanline.link.datagrams.shouts import Shouts, hear, shout
    from lanline.link.group import Group
    from lanline.link.link import Link
    from lanline.link.server import serve
    from lanline.link.service import Service, endpoint
    from lanline.roles import Role
    from lanline.transport.tlscontext import client_context, server_context
    from lanline.transport.udp.multicast import Delivery

__version__ = "0.1.0"

__all__ = [
    # Where, and with which bounds
    "Address",
    "Limits",
    "LAN",
    "PLAIN",
    # Text from a peer, made harmless for a terminal and a log
    "clean_bytes",
    "clean_text",
    # Cutting a stream into messages
    "Framing",
    "Decoder",
    "Raw",
    "Lines",
    "LengthPrefixed",
    "Netstring",
    # Plain messages with any peer
    "serve",
    "connect",
    "Channel",
    "Group",
    "bind",
    "DatagramSocket",
    "Datagram",
    # The certificates of tls://
    "server_context",
    "client_context",
    # One datagram to everybody nearby
    "shout",
    "hear",
    "Shouts",
    "Delivery",
    # All of it without an event loop
    "blocking",
    # Typed calls between programs that both have lanline
    "connect_link",
    "Link",
    "Call",
    "Service",
    "endpoint",
    "Caller",
    "Role",
    # What can go wrong, and how a call ended
    "Status",
    "LanlineError",
    "UsageError",
    "AddressError",
    "TargetError",
    "TextNotBytes",
    "ProtocolError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "MessageTooLarge",
    "EndedInMessage",
    "DatagramTruncated",
    "TransportError",
    "ConnectFailed",
    "ListenFailed",
    "ChannelError",
    "ChannelClosed",
    "ChannelEnded",
    "ChannelBroken",
    "ChannelReset",
    "PipeBroken",
    "PeerSilent",
    "DatagramRefused",
    "BufferFull",
    "ShortSend",
    "CallError",
    "CallTimeout",
    "CallRefused",
    "CallFailed",
    "CallLost",
    "RoomError",
    "NotInRoom",
    "InRoomAlready",
    "NodeNotRunning",
    "NodeAlreadyRunning",
    "StateUnsafe",
    "StateDamaged",
    "StateNotSaved",
    "AuthorityLocked",
    "JoinFailed",
    "NotAllowed",
]

# Where each name lives. The errors, half of the names, share one home.
_HOMES = {
    "Address": "lanline.address",
    "Limits": "lanline.limits",
    "LAN": "lanline.limits",
    "PLAIN": "lanline.limits",
    "clean_bytes": "lanline.clean",
    "clean_text": "lanline.clean",
    "Framing": "lanline.framing.base",
    "Decoder": "lanline.framing.base",
    "Raw": "lanline.framing.raw",
    "Lines": "lanline.framing.lines",
    "LengthPrefixed": "lanline.framing.length",
    "Netstring": "lanline.framing.netstring",
    "serve": "lanline.link.server",
    "connect": "lanline.link.client",
    "Channel": "lanline.link.channel",
    "Group": "lanline.link.group",
    "bind": "lanline.link.datagrams.datagramsocket",
    "DatagramSocket": "lanline.link.datagrams.datagramsocket",
    "Datagram": "lanline.link.datagrams.datagram",
    "server_context": "lanline.transport.tlscontext",
    "client_context": "lanline.transport.tlscontext",
    "shout": "lanline.link.datagrams.shouts",
    "hear": "lanline.link.datagrams.shouts",
    "Shouts": "lanline.link.datagrams.shouts",
    "Delivery": "lanline.transport.udp.multicast",
    "blocking": "lanline.link.blocking",
    "connect_link": "lanline.link.client",
    "Link": "lanline.link.link",
    "Call": "lanline.link.call",
    "Service": "lanline.link.service",
    "endpoint": "lanline.link.service",
    "Caller": "lanline.link.caller",
    "Role": "lanline.roles",
}
_MODULES = frozenset({"blocking"})


def __getattr__(name: str) -> object:
    """Loads a public name's module when the name is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'lanline' has no attribute {name!r}")
    module = import_module(_HOMES.get(name, "lanline.errors"))
    value: object = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not, for completion in editors and shells."""
    return sorted([*__all__, "__version__"])
