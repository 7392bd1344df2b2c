"""A UDP proxy that does what bad networks do to datagrams, the same in every run: between two ends, with real sockets.

It loses, doubles, reorders, corrupts, cuts and holds back. Faults can be exchanged while it runs::

    async with DatagramProxy("udp://127.0.0.1:9529", faults=DatagramFaults(loss=0.1), seed=1) as proxy:
        async with connect(proxy.address) as channel:
            ...
        proxy.faults = DatagramFaults(loss=1.0)     # a pulled cable

What happens to a datagram is decided by the seed, the direction, the sender's turn (the first one that was heard is 0)
and the datagram's number, and by nothing else: neither by time nor by what happened to others. So the same datagrams
in the same order have the same fate in every run. Being late is counted in datagrams too, never in seconds.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from lanline.address import Address
from lanline.errors import LanlineError, UsageError
from lanline.transport.udp.datagrams import Place, open_bound, open_connected
from lanline.transport.udp.driver import UdpDriver

_MOST_SENDERS: Final = 1024
_MOST_LATE: Final = 1024


@dataclass(frozen=True, slots=True)
class DatagramFaults:
    """What happens to datagrams, in each direction alike. Nothing, by default.

    Attributes:
        loss: the share of datagrams that vanish, 0.0 to 1.0. duplicate: the share that comes twice.
        corrupt: the share of which one bit is changed; an empty one has none. truncate: the share that loses its end,
        at least one byte of it. reorder: the share that is overtaken by the next datagram of its direction; the last
        one of all is so lost, unless `release` is called. delay: so many later datagrams of its direction pass each
        one before it does, 0 to 1,024: a long line. Order is kept by it.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    reorder: float = 0.0
    delay: int = 0

    def __post_init__(self) -> None:
        """Raises UsageError for a share that is none, or a delay out of range."""
        for name in ("loss", "duplicate", "corrupt", "truncate", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name} is {getattr(self, name)}: a share is 0.0 to 1.0")
        if not 0 <= self.delay <= _MOST_LATE:
            raise UsageError(f"delay is {self.delay} datagrams: 0 to {_MOST_LATE}")


@dataclass(slots=True)
class DatagramProxyStatistics:
    """Datagrams of one direction since the start."""

    received: int = 0
    passed: int = 0
    """Sent on, doubles included."""

    lost: int = 0
    """By the faults, or because this machine's network would not take them: too large for the way there, too many."""

    doubled: int = 0
    corrupted: int = 0
    truncated: int = 0
    reordered: int = 0


class Line:
    """One direction of one sender: what becomes of each datagram. It sends nothing itself.

    Args:
        seed: what decides.
        send: called with each datagram that gets through. One that it raises a LanlineError for is lost.
        figures: counted here.
    """

    def __init__(self, seed: str, send: Callable[[bytes], None], figures: DatagramProxyStatistics) -> None:
        self._seed = seed
        self._send = send
        self._figures = figures
        self._number = 0
        self._overtaken: list[bytes] = []
        self._late: deque[bytes] = deque()

    def take(self, message: bytes, faults: DatagramFaults) -> None:
        """One datagram came."""
        # One set of dice for each datagram, and each fault has its throw whether it is wanted or not: so that one more
        # fault, or another share of it, changes nothing about the others.
        dice = random.Random(f"{self._seed} {self._number}")  # noqa: S311 - repeatable, guards nothing
        self._number += 1
        self._figures.received += 1
        loses, doubles, corrupts, truncates, reorders = (dice.random() for _ in range(5))
        bit, length = dice.random(), dice.random()
        if loses < faults.loss:
            self._figures.lost += 1
            return
        if corrupts < faults.corrupt and message:
            message = _with_flipped_bit(message, int(bit * len(message) * 8))
            self._figures.corrupted += 1
        if truncates < faults.truncate and message:
            message = message[: int(length * len(message))]
            self._figures.truncated += 1
        copies = [message]
        if doubles < faults.duplicate:
            copies.append(message)
            self._figures.doubled += 1
        if reorders < faults.reorder and not self._overtaken:
            self._overtaken = copies
            self._figures.reordered += 1
            return
        self._line_up([*copies, *self._overtaken], faults.delay)
        self._overtaken = []

    def release(self) -> None:
        """Sends on all that was held back."""
        self._line_up(self._overtaken, 0)
        self._overtaken = []

    @property
    def held_back(self) -> int:
        """Datagrams that wait for later ones."""
        return len(self._late) + len(self._overtaken)

    def _line_up(self, messages: list[bytes], delay: int) -> None:
        self._late.extend(messages)
        while len(self._late) > delay:
            try:
                self._send(self._late.popleft())
            except LanlineError:  # a network tells nobody what it lost
                self._figures.lost += 1
            else:
                self._figures.passed += 1


class DatagramProxy:
    """Bound to a port of its own, it passes each sender's datagrams on to the target, and the answers back.

    The target sees another sender for each, as behind a NAT.

    Args:
        target: where datagrams lead.
        faults: in force from the start; exchange the attribute at any time.
        seed: of all that is random.
        address: to be bound to.
    """

    def __init__(
        self,
        target: Address | str,
        *,
        faults: DatagramFaults | None = None,
        seed: int = 0,
        address: Address | str = "udp://127.0.0.1:0",
    ) -> None:
        self.faults = faults or DatagramFaults()
        self.forth = DatagramProxyStatistics()
        """Towards the target."""

        self.back = DatagramProxyStatistics()
        """From the target."""

        self.unheard = 0
        """Datagrams of senders too many: 1,024 are told apart."""

        self._target = Address.parse(target) if isinstance(target, str) else target
        self._wanted = Address.parse(address) if isinstance(address, str) else address
        self._seed = seed
        self._front: UdpDriver | None = None
        self._senders: dict[Place, _Sender] = {}

    def __repr__(self) -> str:
        where = self._front.port.address if self._front is not None and not self._front.is_closed else "nowhere"
        return f"<DatagramProxy {where} to {self._target} senders={len(self._senders)}>"

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port. Only after `start`."""
        assert self._front is not None, "start it first"
        return self._front.port.address

    @property
    def held_back(self) -> int:
        """Datagrams that wait for later ones."""
        return sum(sender.forth.held_back + sender.back.held_back for sender in self._senders.values())

    async def start(self) -> None:
        """Begins to pass datagrams on.

        Raises:
            ListenFailed: the address cannot be served. AddressError: one of the two is no address of datagrams.
        """
        self._front = UdpDriver(open_bound(self._wanted), receive=self._heard, on_trouble=self._ignore)

    async def close(self) -> None:
        """Passes nothing on any more; what was held back is lost."""
        if self._front is not None:
            await self._front.close()
        for sender in self._senders.values():
            await sender.driver.close()

    def release(self) -> None:
        """Sends on all that was held back, the order of each direction kept."""
        for sender in self._senders.values():
            sender.forth.release()
            sender.back.release()

    async def __aenter__(self) -> Self:
        """Begins to pass datagrams on."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops."""
        await self.close()

    def _heard(self, message: bytes, place: Place, came_to: bytes) -> None:
        sender = self._senders.get(place)
        if sender is None:
            if len(self._senders) >= _MOST_SENDERS:
                self.unheard += 1
                return
            sender = self._senders[place] = self._new_sender(place, came_to)
        sender.forth.take(message, self.faults)

    def _new_sender(self, place: Place, came_to: bytes) -> _Sender:
        assert self._front is not None, "it was heard there"
        front, turn = self._front, len(self._senders)
        back = Line(f"{self._seed} {turn} back", lambda message: front.send(message, place, came_to), self.back)
        driver = UdpDriver(
            open_connected(self._target),
            receive=lambda message, _place, _came_to: back.take(message, self.faults),
            on_trouble=self._ignore,
        )
        forth = Line(f"{self._seed} {turn} forth", driver.send, self.forth)
        return _Sender(driver, forth, back)

    def _ignore(self, trouble: LanlineError, place: Place | None) -> None:
        """A network tells nobody what it lost."""


@dataclass(frozen=True, slots=True)
class _Sender:
    """One sender: its socket towards the target, and both directions."""

    driver: UdpDriver
    forth: Line
    back: Line


def _with_flipped_bit(message: bytes, bit: int) -> bytes:
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
