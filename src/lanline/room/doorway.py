"""The door's I/O: the hub's side of joining over asyncio, the joiner's side over a blocking socket.

On the wire: `LANLINE` and a version byte (how the accept loop knows a stranger at the door), then messages behind their
length (4 bytes, big-endian). What they say is `joining.py`'s matter, who may try is `door.py`'s. A stranger that is
turned away, guesses wrong or speaks nonsense is hung up on without a word.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import ChannelError, JoinFailed, LanlineError, ProtocolError, RemoteProtocolError
from lanline.framing.base import Decoder
from lanline.framing.length import LengthPrefixed
from lanline.link.channel import Channel
from lanline.link.streamchannel import StreamChannel
from lanline.roles import Role
from lanline.room.door import InvitationBook, Turned
from lanline.room.joining import (
    HOLD,
    MAX_FOURTH_BYTES,
    MAX_THIRD_BYTES,
    HubSide,
    Joined,
    JoinerSide,
    JoinRequest,
    State,
    Welcome,
)
from lanline.transport import sockets
from lanline.transport.base import Arrival
from lanline.transport.entrance import DOOR_PREFIX
from lanline.transport.quiet import QuietLog

log = logging.getLogger("lanline.room")

PREFACE: Final = DOOR_PREFIX + b"\x01"
"""First bytes at the door: the prefix and the version."""

SIGN: Final = b"this is a lanline node; it talks to members of its room only (lanline join HOST on a new machine)\r\n"
"""What a node tells whoever begins with nothing it knows, before it closes. A door that is shut is not there: whoever
knocks reads this too."""

_PATIENCE: Final = 5.0
"""Seconds a stranger has for its next message."""

_FAREWELL: Final = 15.0
"""Seconds a machine that proved its code has to take the last message: a roster of 400 KiB over a poor radio link."""

_TURNED_TRIES: Final = 40
_TURNED_PAUSE: Final = (0.1, 0.4)
"""When the hub hangs up before its first answer it may only be busy with others who join: tried again after a random
pause within these seconds, about ten seconds long in all."""


@dataclass(frozen=True, slots=True)
class DoorFraming:
    """Length-prefixed messages, behind the preface in the direction to the hub. Small from strangers, up to a roster
    towards them."""

    name: str = "door"

    def encode(self, message: bytes) -> bytes:
        """A message towards the joiner."""
        return LengthPrefixed(max_message_bytes=MAX_FOURTH_BYTES).encode(message)

    def decoder(self) -> Decoder:
        """A decoder for what comes from the joiner."""
        return _AfterPreface(LengthPrefixed(max_message_bytes=MAX_THIRD_BYTES).decoder())


class _AfterPreface:
    """Checks and drops the preface, then decodes what follows."""

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self._missing = PREFACE
        self._broken: RemoteProtocolError | None = None

    @property
    def error(self) -> RemoteProtocolError | None:
        return self._broken or self._inner.error

    def receive_data(self, chunk: bytes) -> list[bytes]:
        if self._missing:
            size = min(len(chunk), len(self._missing))
            if chunk[:size] != self._missing[:size]:
                self._broken = RemoteProtocolError("this door speaks another version of joining")
                raise self._broken
            self._missing, chunk = self._missing[size:], chunk[size:]
        return self._inner.receive_data(chunk)

    def receive_eof(self) -> list[bytes]:
        return self._inner.receive_eof()


class Doorkeeper:
    """The hub's side of the door.

    Args:
        invitations: who may try.
        admit: makes a member of a machine that proved its code: `(request, role) -> Welcome`. Raises LanlineError with
            a sentence for the joiner when it cannot (name taken, authority locked).
    """

    def __init__(self, invitations: InvitationBook, admit: Callable[[JoinRequest, Role], Welcome]) -> None:
        self._invitations = invitations
        self._admit = admit
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet = QuietLog(log)

    def is_open(self) -> bool:
        """Whether strangers are listened to at all."""
        return self._invitations.is_open(time.monotonic())

    def new_channel(self, arrival: Arrival) -> asyncio.Protocol:
        """The protocol for one stranger: the factory of the door's entrance."""

        def begin(channel: Channel) -> None:
            task = asyncio.get_running_loop().create_task(self._attend(channel, arrival))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return StreamChannel(DoorFraming(), arrival=arrival, on_connected=begin)

    async def close(self) -> None:
        """Hangs up on everybody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _attend(self, channel: Channel, arrival: Arrival) -> None:
        async with channel:
            await self._hear(channel, arrival)

    async def _hear(self, channel: Channel, arrival: Arrival) -> None:
        try:
            attempt = self._invitations.begin(arrival.host, time.monotonic())
            if isinstance(attempt, Turned):
                self._quiet.warn("turned", f"the door turned {arrival.host} away: {attempt.why}", time.monotonic())
                return
            arrival.welcomed()
            hub = HubSide(attempt)
            try:
                await self._converse(channel, hub)
            finally:
                hub.ended(time.monotonic())
        except (ChannelError, ProtocolError, TimeoutError, JoinFailed) as error:
            words = clean(str(error)) or "too slow"
            self._quiet.warn("failed", f"joining from {arrival.host} came to nothing: {words}", time.monotonic())
        except Exception:
            log.exception("joining from %s failed on this side", clean(arrival.host))

    async def _converse(self, channel: Channel, hub: HubSide) -> None:
        loop = asyncio.get_running_loop()
        first = await asyncio.wait_for(channel.receive(), _PATIENCE)
        answer_at = loop.time() + HOLD
        # In a thread: the key exchange computes for some milliseconds, and links must not wait for strangers. The
        # invitations are asked here, in the loop's turn.
        second = await loop.run_in_executor(None, hub.begin(first, time.monotonic()))
        await asyncio.sleep(answer_at - loop.time())
        await channel.send(second)
        third = await asyncio.wait_for(channel.receive(), _PATIENCE)
        hub.receive(third, time.monotonic())
        assert hub.invitation is not None, "a proved code has an invitation"
        try:
            fourth = hub.welcome(self._admit(hub.request, hub.invitation.role))
        except LanlineError as error:
            fourth = hub.decline(str(error))
        await asyncio.wait_for(channel.send(fourth), _FAREWELL)


def join(address: Address, side: Callable[[], JoinerSide], *, timeout: float = 15.0) -> Joined:
    """Joins at a hub, blocking.

    Args:
        address: the hub's, tcp.
        side: makes the joiner's side anew for each try.
        timeout: seconds for one try.

    Raises:
        ConnectFailed: the hub cannot be reached.
        JoinFailed: it did not let this machine in, and why.
    """
    for left in reversed(range(_TURNED_TRIES)):
        sock = sockets.connect(address, timeout=timeout)
        try:
            return _converse(sock, side(), time.monotonic() + timeout)
        except _HungUp as error:
            if not left:
                raise JoinFailed(str(error), advice=error.advice) from error
        finally:
            sock.close()
        time.sleep(random.uniform(*_TURNED_PAUSE))  # noqa: S311 - spreads tries, guards nothing
    raise AssertionError("the last try returns or raises")


class _HungUp(JoinFailed):
    """The hub closed before its first answer."""


def _converse(sock: socket.socket, joiner: JoinerSide, deadline: float) -> Joined:
    framing = LengthPrefixed(max_message_bytes=MAX_FOURTH_BYTES)
    decoder = framing.decoder()
    head = held = b""
    try:
        sock.sendall(PREFACE + framing.encode(joiner.start()))
        while joiner.state is not State.DONE:
            # Less each time: whoever sends a byte now and then would otherwise hold this machine for ever.
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = sock.recv(64 * 1024)
            if not chunk:
                raise _ended(joiner)
            head = (head + chunk)[: len(SIGN)]
            if head == SIGN:
                raise _shut()
            held += chunk
            if SIGN.startswith(head):  # never a message: that begins with the high byte of its length, 0
                continue
            for message in decoder.receive_data(held):
                answer = joiner.receive(message)
                if answer is not None:
                    sock.sendall(framing.encode(answer))
            held = b""
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise JoinFailed("the hub did not answer in time") from error
        raise _ended(joiner) from error
    except RemoteProtocolError as error:
        raise _no_hub(head, error) from error
    assert joiner.result is not None, "a joiner that is done has a result"
    return joiner.result


def _shut() -> JoinFailed:
    return JoinFailed(
        "no invitation is open at that machine: it was used up or has ended, or it is not the hub",
        advice="open one with lanline invite on the hub, and use the address that it shows.",
    )


def _no_hub(head: bytes, error: RemoteProtocolError) -> JoinFailed:
    """Whoever answers there says what no hub of this version says."""
    if head.startswith(b"\0"):
        return JoinFailed(
            f"the hub's answer cannot be read: {error}", advice="look for another version of lanline there."
        )
    begins = repr(clean(head[:40].decode("ascii", "backslashreplace").strip()))
    return JoinFailed(
        f"something else than lanline answers there: it begins with {begins}",
        advice="check the address and the port: lanline invite on the hub shows both.",
    )


def _ended(joiner: JoinerSide) -> JoinFailed:
    was_heard = joiner.state is State.PROVING
    error = joiner.ended()
    return error if was_heard else _HungUp(str(error), advice=error.advice)
