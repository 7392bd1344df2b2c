"""One side of questions and answers with a plain address: connects, sends, waits, and connects again where it must.

It prints nothing and imports no event loop. Rules: the clock of a round trip begins right before the send; what came
between one question and the next is no answer to the next. What a server says by itself when somebody connects, its
greeting, does count as the first answer to the first question: nothing in a stream tells the two apart, and waiting for
a greeting would hold up all who ask servers without one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from lanline.errors import ChannelError, ConnectFailed, DatagramRefused, LanlineError, ProtocolError
from lanline.limits import LAN
from lanline.link import blocking
from lanline.translation import _

if TYPE_CHECKING:
    import ssl

    from lanline.address import Address
    from lanline.framing.base import Framing
    from lanline.link.blocking.channel import Channel

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two tries to connect: a server that starts is found soon, one that does not is not pestered."""


_WITH_RETRY: Final = _("start the server first, or say --retry 10 to keep trying for 10 s.")


class Answer(NamedTuple):
    """One message that came back."""

    message: bytes
    round_trip_ns: int
    sender: str
    """The address it came from."""


class NoAnswer(LanlineError):
    """What was asked for did not come.

    Try: --wait for more time, and look at the server: it may wait for the end of a line, or for another framing."""


class Asker:
    """Whoever asks. Keeps its connection from question to question as long as the other side does.

    Args:
        address: where to.
        framing: how messages lie in a stream; datagrams need none.
        tls: for tls addresses; None believes the authorities of this system.
        server_name: the name the server's certificate must bear; None: the host of the address.
        retry: seconds for which connecting is tried again; 0: once.
    """

    def __init__(
        self,
        address: Address,
        framing: Framing,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        retry: float = 0.0,
    ) -> None:
        self._address = address
        self._framing = framing
        self._tls = tls
        self._server_name = server_name
        self._retry = retry
        self._channel: Channel | None = None

    def ask(self, message: bytes, *, count: int, wait: float) -> Iterator[Answer]:
        """Sends one message and gives the answers as they come.

        Args:
            message: what to send.
            count: how many answers to wait for; 0 sends and waits for none.
            wait: seconds to wait for each.

        Raises:
            ConnectFailed: there is no connection, and there was none within `retry` seconds. DatagramRefused: nobody
                listens at that port. NoAnswer: fewer came than were wanted. ChannelError, ProtocolError: see there.
        """
        deadline = time.monotonic() + self._retry
        while True:
            try:
                channel = self._connected(deadline)
                yield from self._exchange(channel, message, count, wait)
                return
            except DatagramRefused as error:
                if time.monotonic() + _LONGEST_PAUSE > deadline:
                    advice = None if self._retry else _WITH_RETRY
                    raise DatagramRefused(str(error), advice=advice) from error
                time.sleep(_LONGEST_PAUSE)
            except (ChannelError, ProtocolError, OSError):
                self.close()
                raise

    def close(self) -> None:
        """Closes the connection, if there is one; the next question opens another."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _exchange(self, channel: Channel, message: bytes, count: int, wait: float) -> Iterator[Answer]:
        began = time.perf_counter_ns()
        channel.send(message)
        for number in range(count):
            try:
                answer = channel.receive(timeout=wait)
            except TimeoutError as error:
                raise NoAnswer(_missing(self._address, number, count, wait)) from error
            except ChannelError as error:
                if isinstance(error, DatagramRefused):
                    raise
                self.close()
                raise NoAnswer(
                    _("{why}, after {number} of {count} answers from {address}").format(
                        why=str(error), number=number, count=count, address=self._address
                    ),
                    advice=error.advice or None,
                ) from error
            yield Answer(answer, time.perf_counter_ns() - began, channel.peer_address)

    def _connected(self, deadline: float) -> Channel:
        if self._channel is not None and _is_open(self._channel):
            return self._channel
        self.close()
        pause = _FIRST_PAUSE
        while True:
            try:
                self._channel = self._connect()
                return self._channel
            except ConnectFailed as error:
                if time.monotonic() + pause > deadline:
                    raise _with_retry(error, self._retry) from error
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)

    def _connect(self) -> Channel:
        tls = self._tls
        if self._address.scheme == "tls" and tls is None:
            from lanline.transport.tls import client_context  # here, not above: it loads ssl and an event loop

            tls = client_context()
        return blocking.connect(
            self._address, framing=self._framing, tls=tls, server_name=self._server_name, timeout=LAN.connect
        )


def _is_open(channel: Channel) -> bool:
    """Whether a kept connection is still good. Takes what came meanwhile: it answers an older question."""
    try:
        while True:
            channel.receive(timeout=0.0)
    except TimeoutError:
        return True
    except DatagramRefused:
        return True  # of the question before; the socket is none the worse for it
    except (ChannelError, ProtocolError):
        return False


def _missing(address: Address, number: int, count: int, wait: float) -> str:
    if count == 1:
        return _("no answer from {address} within {wait:g} s").format(address=address, wait=wait)
    return _("{number} of {count} answers came from {address}, and then none within {wait:g} s").format(
        number=number, count=count, address=address, wait=wait
    )


def _with_retry(error: ConnectFailed, retry: float) -> ConnectFailed:
    """The same sentence; where a server that starts later would do, the advice says how to wait for it."""
    why = error.__cause__
    if not isinstance(why, ConnectionRefusedError | FileNotFoundError) or retry:
        return error
    return ConnectFailed(str(error), advice=_WITH_RETRY)
