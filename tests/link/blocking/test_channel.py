"""What all blocking channels share: one receiver, iteration, and a descriptor that is closed when nobody is inside."""

from __future__ import annotations

import pytest

from lanline.errors import ChannelClosed, LocalProtocolError
from lanline.link.blocking.channel import Channel

from .bare import InThread, channel_and_peer, until


def test_a_second_receiver_is_a_mistake_and_the_first_goes_on() -> None:
    with channel_and_peer() as (channel, peer), InThread(channel.receive) as receiving:
        until(lambda: channel._turns.is_receiving)
        with pytest.raises(LocalProtocolError, match="two threads"):
            channel.receive(timeout=0)
        peer.sendall(b"for the first\n")
        assert receiving.outcome() == b"for the first"


def test_receivers_may_take_turns() -> None:
    with channel_and_peer() as (channel, peer):
        peer.sendall(b"one\ntwo\n")
        outcomes = []
        for _ in range(2):
            with InThread(channel.receive) as receiving:
                outcomes.append(receiving.outcome())
        assert outcomes == [b"one", b"two"]


def test_iterating_ends_when_another_thread_closes() -> None:
    with channel_and_peer() as (channel, _), InThread(lambda: list(channel)) as iterating:
        until(lambda: channel._turns.is_receiving)
        channel.close()
        assert iterating.outcome() == []


def test_the_descriptor_stays_while_a_thread_is_inside() -> None:
    class Script(Channel):
        """Receives what it is told to, one step for each look; counts how often its descriptor was closed."""

        _kind = "script"
        local_address = ""
        closed: int = 0

        def send(self, message: bytes, *, timeout: float | None = None) -> None:
            self._messages.append(message)

        def send_now(self, message: bytes) -> None:
            self.send(message)

        def end(self) -> None:
            self.close()

        def close(self) -> None:
            self.abort()

        def abort(self) -> None:
            self._close_here()
            self._turns.finish()

        def fileno(self) -> int:
            return -1

        def _read_some(self, deadline: float | None) -> bool:
            self.abort()
            assert not self.closed, "closed under the feet of the one who receives"
            return True

        def _close_descriptor(self) -> None:
            self.closed += 1

    with Script("somebody") as channel:
        channel.send(b"one")
        assert channel.receive() == b"one"
        with pytest.raises(ChannelClosed):
            channel.receive()
        assert channel.closed == 1
