"""The hub's open invitations, and who may still try one: what decides whether a stranger is listened to.

Pure: every method takes `now` (seconds of a monotonic clock). It moves no bytes; `joining.py` is the conversation and
the entrance drives both. While no invitation is open nobody is listened to at all.

Three rules:
1. Only failures count against the rates, so a classroom that joins at once is not slowed down.
2. A code is not burnt by a wrong guess (anybody on the network could then keep people out), but its invitation closes
   after a thousand.
3. A use is taken at the moment the joiner has proved the code, at once and never twice; `Attempt.give_back` returns it
   when the hub then could not let the machine in.

Numbers are those of docs/explanation/trust.md.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

from lanline.errors import JoinFailed, UsageError
from lanline.roles import Role
from lanline.room.joincode import JoinCode
from lanline.transport.failurerate import FailureRate

MAX_OPEN: Final = 8
"""Invitations open at once."""
MAX_USES: Final = 4096
SINGLE_TTL: Final = 600.0
"""Seconds an invitation for one machine lives: the walk from one machine to the other."""
MANY_TTL: Final = 7200.0
"""Seconds an invitation for several machines lives: a lesson."""
MAX_TTL: Final = 24 * 3600.0
MAX_WRONG: Final = 1000
"""Wrong guesses after which an invitation closes: a chance of 1000 in 2^40."""

ADDRESS_BURST: Final = 5
ADDRESS_REFILL: Final = 5.0
"""Seconds per further failure of one address, once its burst is used up."""
DOOR_BURST: Final = 10
DOOR_REFILL: Final = 0.5
"""Seconds per further wrong guess over all addresses: two a second."""
MAX_AT_ONCE: Final = 8
"""Conversations under way. A key exchange takes 6 ms of a core; more at once would only be a queue."""
MAX_ADDRESSES: Final = 4096
"""Addresses whose failures are remembered; beyond it the one not heard for longest is forgotten."""


@dataclass(slots=True)
class Invitation:
    """One open invitation. Its secret shows nowhere but in `code.text`."""

    code: JoinCode
    role: Role
    uses_left: int
    closes_at: float
    """On the monotonic clock."""
    wrong: int = 0

    def is_open(self, now: float) -> bool:
        """Whether it still lets somebody in."""
        return self.uses_left > 0 and now < self.closes_at and self.wrong < MAX_WRONG


@dataclass(frozen=True, slots=True)
class Turned:
    """A stranger who is not listened to."""

    why: str
    retry_after: float = 0.0
    """Seconds until another try can help; 0 where waiting does not."""


class InvitationBook:
    """All invitations of this hub, and the failures of strangers."""

    def __init__(self) -> None:
        self._open: dict[str, Invitation] = {}
        self._door = FailureRate(DOOR_BURST, DOOR_REFILL)
        self._addresses: OrderedDict[str, FailureRate] = OrderedDict()
        self._under_way: Counter[str] = Counter()
        self._wrong_by_address: Counter[str] = Counter()
        self.let_in = self.wrong = self.dropped = self.turned = 0

    def invite(self, role: Role, *, now: float, uses: int = 1, ttl: float | None = None) -> Invitation:
        """Opens an invitation.

        Args:
            role: what the machine becomes; the joiner has no say in it.
            now: the monotonic clock.
            uses: machines that may come in by it; more than one only for guests and members.
            ttl: seconds it lives, at most a day; None gives ten minutes, or two hours for several uses.

        Raises:
            UsageError: a number is out of range, the role is too high for several uses, or eight are open.
        """
        life = ttl if ttl is not None else (SINGLE_TTL if uses == 1 else MANY_TTL)
        if not 1 <= uses <= MAX_USES:
            raise UsageError(f"an invitation for {uses} machines; it takes 1 to {MAX_USES}")
        if not 0 < life <= MAX_TTL:
            raise UsageError(f"an invitation for {life:.0f} s; it takes 1 s to {MAX_TTL:.0f} s")
        if uses > 1 and role > Role.MEMBER:
            raise UsageError(
                f"a code for {uses} machines cannot make them {role.word}",
                advice="one code for each, or invite them as members and raise the role later.",
            )
        if len(self.open_now(now)) >= MAX_OPEN:
            raise UsageError(f"{MAX_OPEN} invitations are open already", advice="close one, or wait until one ends.")
        code = JoinCode.new(taken=self._open)
        self._open[code.slot] = Invitation(code, role, uses, now + life)
        return self._open[code.slot]

    def close(self, slot: str) -> bool:
        """Closes an invitation; False when there is none. Attempts under way fail at their confirmation."""
        gone = self._open.pop(slot, None)
        if gone:
            # Not `uses_left = 0`: a use given back later must not open it again.
            gone.closes_at = float("-inf")
        return gone is not None

    def open_now(self, now: float) -> list[Invitation]:
        """The open invitations, soonest to close first; those that ended are forgotten."""
        self._open = {slot: one for slot, one in self._open.items() if one.is_open(now)}
        return sorted(self._open.values(), key=lambda one: one.closes_at)

    def is_open(self, now: float) -> bool:
        """Whether strangers are listened to at all."""
        return any(one.is_open(now) for one in self._open.values())

    def next_close(self, now: float) -> float | None:
        """When the next invitation ends, on the monotonic clock; None when none is open."""
        return min((one.closes_at for one in self.open_now(now)), default=None)

    def begin(self, address: str, now: float) -> Attempt | Turned:
        """Whether a stranger who has just connected is listened to.

        Args:
            address: where from, without the port.
            now: the monotonic clock.

        Returns:
            An attempt, which must be ended with one of its methods; or why the connection is closed at once.
        """
        refusal = self._refusal(address, now)
        if refusal:
            self.turned += 1
            return refusal
        self._under_way[address] += 1
        return Attempt(self, address)

    def _refusal(self, address: str, now: float) -> Turned | None:
        if not self.is_open(now):
            return Turned("no invitation is open")
        under_way = sum(self._under_way.values())
        if under_way >= MAX_AT_ONCE:
            return Turned(f"{MAX_AT_ONCE} machines are joining right now", 0.1)
        failures = self._addresses.get(address)
        wait = failures.wait(now, self._under_way[address]) if failures else 0.0
        if not failures and self._under_way[address] >= ADDRESS_BURST:
            wait = 0.1
        wait = max(wait, self._door.wait(now, 0))
        return Turned("too many failed tries", wait) if wait > 0 else None

    def find(self, slot: str, now: float) -> Invitation | None:
        """The open invitation with this slot."""
        invitation = self._open.get(slot)
        return invitation if invitation and invitation.is_open(now) else None

    def statistics(self) -> dict[str, int]:
        """Open invitations, conversations under way, and counts since the start."""
        return {
            "invitations": len(self._open),
            "under_way": sum(self._under_way.values()),
            "let_in": self.let_in,
            "wrong": self.wrong,
            "dropped": self.dropped,
            "turned": self.turned,
        }

    def wrong_by_address(self) -> dict[str, int]:
        """Wrong guesses by address, most first: `37 wrong guesses from 192.168.1.50`."""
        return dict(self._wrong_by_address.most_common())

    def __repr__(self) -> str:
        return f"<InvitationBook open={sorted(self._open)} under_way={sum(self._under_way.values())}>"

    def _ended(self, address: str) -> None:
        self._under_way[address] -= 1
        if self._under_way[address] <= 0:
            del self._under_way[address]

    def _count_failure(self, address: str, now: float) -> None:
        failures = self._addresses.setdefault(address, FailureRate(ADDRESS_BURST, ADDRESS_REFILL, at=now))
        self._addresses.move_to_end(address)
        failures.add(now)
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)

    def _count_wrong(self, address: str, slot: str, now: float) -> None:
        self.wrong += 1
        self._count_failure(address, now)
        self._door.add(now)
        if address in self._wrong_by_address or len(self._wrong_by_address) < MAX_ADDRESSES:
            self._wrong_by_address[address] += 1
        if invitation := self._open.get(slot):
            invitation.wrong += 1


@dataclass(slots=True)
class Attempt:
    """One stranger's try, from connection to end. Exactly one of its endings counts; later ones do nothing."""

    book: InvitationBook = field(repr=False)
    address: str
    slot: str = ""
    """Which invitation was named, once it was."""
    taken: Invitation | None = field(default=None, repr=False)
    """The invitation of which a use was taken."""
    is_over: bool = False

    def confirm(self, now: float) -> Invitation:
        """Takes one use, now that the code was proved. No await may stand between the proof and this.

        Raises:
            JoinFailed: the invitation was used up, closed or ended meanwhile, or the attempt is over.
        """
        invitation = self.book.find(self.slot, now)
        if not self._end() or invitation is None:
            raise JoinFailed("the invitation is used up or has ended")
        invitation.uses_left -= 1
        self.taken = invitation
        self.book.let_in += 1
        return invitation

    def wrong(self, now: float) -> None:
        """The joiner did not know the code."""
        if self._end():
            self.book._count_wrong(self.address, self.slot, now)

    def dropped(self, now: float) -> None:
        """The connection ended, timed out or spoke nonsense before the code was proved or refuted.

        It taught the joiner nothing, so it is no guess; it cost this machine a key exchange, so it counts against
        its address.
        """
        if self._end():
            self.book.dropped += 1
            self.book._count_failure(self.address, now)

    def give_back(self) -> None:
        """Returns the use: the code was right, but the machine was not let in (its name is taken, say)."""
        if self.taken:
            self.taken.uses_left += 1
            self.book.let_in -= 1
            # Used up meanwhile, it may have been forgotten; while it lives it is open again.
            self.book._open.setdefault(self.taken.code.slot, self.taken)
            self.taken = None

    def _end(self) -> bool:
        """Whether this is the first ending."""
        if self.is_over:
            return False
        self.is_over = True
        self.book._ended(self.address)
        return True
