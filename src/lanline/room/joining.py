"""Joining: the conversation between a machine with a code and the hub, as two objects without I/O.

Each side is driven by whoever moves the bytes: messages in, messages out, an exception when it is over. Rules: the
joiner proves the code first, so whoever drops the connection has learned nothing and each guess is counted; a length
is judged before the bytes are used; no answer tells an unknown slot from a wrong secret.

Messages, each sent behind its length (4 bytes, big-endian) by the driver::

    1  joiner  version (1 byte: 1) | slot (2 bytes, ASCII) | SPAKE2 element of side A (33 bytes)
    2  hub     SPAKE2 element of side B (33 bytes), not earlier than HOLD seconds after message 1
    3  joiner  HMAC (32 bytes) | AEAD { name, certificate request, operating system }
    4  hub     HMAC (32 bytes) | AEAD { welcome, or why not }

The HMAC of 3 is over the transcript, that of 4 over the transcript and message 3; it is the additional data of the
AEAD behind it. Keys and transcript: `joinkeys.py`. Contents are msgpack arrays; unknown trailing fields are ignored.

What the hub does::

    attempt = book.begin(address, now)              # or it is turned away
    hub = HubSide(attempt)
    answer = hub.begin(message_1, now)()            # the second call takes 6 ms: in a thread; then hold, then send
    hub.receive(message_3, now)                     # the use is taken here, or JoinFailed
    key = hub.request.checked_key()
    send(hub.welcome(...)) or send(hub.decline("the name pc7 is taken"))
    hub.ended(now)                                  # in every case, at the end of the connection
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lanline.clean import clean
from lanline.errors import JoinFailed, LocalProtocolError, RemoteProtocolError, StateDamaged
from lanline.room.certificates import (
    certificate_pem,
    check_request,
    new_request,
    node_of,
    parse_authority_certificate,
    parse_node_certificate,
    room_of,
)
from lanline.room.door import Attempt, Invitation
from lanline.room.joincode import SLOT_CHARACTERS, JoinCode, is_slot
from lanline.room.joinkeys import ELEMENT_BYTES, PROOF_BYTES, Exchange, JoinKeys, open_once, proof_of, seal_once
from lanline.room.keys import public_key_hash
from lanline.room.names import check_name
from lanline.room.roster import MAX_ROSTER_BYTES, Member, Roster, verify

if TYPE_CHECKING:
    from lanline.room.keys import PrivateKey, PublicKey

VERSION: Final = 1
FIRST_BYTES: Final = 1 + SLOT_CHARACTERS + ELEMENT_BYTES
SECOND_BYTES: Final = ELEMENT_BYTES
MAX_THIRD_BYTES: Final = 8 * 1024
MAX_FOURTH_BYTES: Final = MAX_ROSTER_BYTES + 64 * 1024
"""A roster, two certificates and the datagram key."""
MAX_SYSTEM_CHARACTERS: Final = 200
DATAGRAM_KEY_BYTES: Final = 32

HOLD: Final = 0.020
"""Seconds from message 1 to message 2: longer than the computation, so its duration tells nothing."""


class JoinRequest(msgspec.Struct, frozen=True, array_like=True):
    """What the joiner says of itself. All of it is hostile until checked; `system` stays so."""

    name: str
    certificate_request: bytes
    system: str = ""
    """Operating system, for people: clean it before showing."""

    def checked_key(self) -> PublicKey:
        """The joiner's public key, when its name is allowed and it has proved to hold the key.

        Raises:
            UsageError: the name is not allowed.
            JoinFailed: the certificate request is not in order.
        """
        check_name(self.name, what="node name")
        return check_request(self.certificate_request)


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag="welcome"):
    """What the hub hands to a new member."""

    authority_certificate: bytes
    """PEM."""
    node_certificate: bytes
    """PEM."""
    roster: bytes
    """As signed."""
    datagram_epoch: int
    datagram_key: bytes

    def __repr__(self) -> str:
        return f"<Welcome roster={len(self.roster)} bytes>"


class Declined(msgspec.Struct, frozen=True, array_like=True, tag="declined"):
    """The code was right, and still the machine is not let in."""

    why: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What a machine has after joining, every part checked against the others."""

    room: str
    member: Member
    authority_certificate: bytes
    """PEM."""
    node_certificate: bytes
    """PEM."""
    roster: Roster = field(repr=False)
    roster_data: bytes = field(repr=False)
    """As signed, for the disk."""
    datagram_epoch: int
    datagram_key: bytes = field(repr=False)


class State(Enum):
    """Where a side stands."""

    START = "start"
    EXCHANGING = "exchanging"
    """The joiner has sent message 1 and waits for 2."""
    PROVING = "proving"
    """Joiner: message 3 is sent, 4 awaited. Hub: message 2 is sent, 3 awaited."""
    DECIDING = "deciding"
    """Hub: the code was proved; welcome or decline."""
    DONE = "done"
    FAILED = "failed"


class JoinerSide:
    """The machine that joins.

    Args:
        code: as typed.
        key: this machine's own key.
        name: the name it wants.
        system: operating system, for the people at the hub.

    Raises:
        UsageError: the name is not allowed.
    """

    def __init__(self, code: JoinCode, key: PrivateKey, name: str, *, system: str = "") -> None:
        self._code = code
        self._key_hash = public_key_hash(key)
        self._request = JoinRequest(name, new_request(key, name), system[:MAX_SYSTEM_CHARACTERS])
        self._exchange = Exchange(code, is_joiner=True)
        self._keys: JoinKeys | None = None
        self._first = self._third = b""
        self.state = State.START
        self.result: Joined | None = None

    def start(self) -> bytes:
        """Message 1."""
        _must_be(self.state, State.START)
        self.state = State.EXCHANGING
        self._first = bytes([VERSION]) + self._code.slot.encode("ascii") + self._exchange.start()
        return self._first

    def receive(self, message: bytes) -> bytes | None:
        """Takes message 2 and returns 3; takes message 4, after which `result` is there.

        Raises:
            JoinFailed: the hub does not know the code, declined, or handed out what does not fit together.
            RemoteProtocolError: it does not speak this protocol.
        """
        try:
            if self.state is State.EXCHANGING:
                return self._prove(message)
            _must_be(self.state, State.PROVING)
            self._finish(message)
            return None
        except (JoinFailed, RemoteProtocolError):
            self.state = State.FAILED
            raise

    def ended(self) -> JoinFailed:
        """The error that says what an end of the connection means now, for the driver to raise."""
        before, self.state = self.state, State.FAILED
        if before is State.PROVING:
            return JoinFailed("the hub closed the door: the code is wrong, used up or has ended")
        return JoinFailed(
            "the hub closed the connection: no invitation is open there, or it had too many failed tries",
            advice="open one with lanline invite on the hub; after wrong codes wait half a minute.",
        )

    def _prove(self, message: bytes) -> bytes:
        _check_length(message, SECOND_BYTES, SECOND_BYTES, 2)
        self._keys = keys = self._exchange.finish(message, self._first, message)
        proof = proof_of(keys.joiner_proof, keys.transcript)
        self._third = proof + seal_once(keys.joiner_seal, msgspec.msgpack.encode(self._request), proof)
        self.state = State.PROVING
        return self._third

    def _finish(self, message: bytes) -> None:
        _check_length(message, PROOF_BYTES + 1, MAX_FOURTH_BYTES, 4)
        keys = self._keys
        assert keys is not None
        proof = message[:PROOF_BYTES]
        if not hmac.compare_digest(proof, proof_of(keys.hub_proof, keys.transcript + self._third)):
            raise JoinFailed("what answered does not know the code: it is not the hub that made it")
        answer = _decode(open_once(keys.hub_seal, message[PROOF_BYTES:], proof), Welcome | Declined, 4)
        if isinstance(answer, Declined):
            raise JoinFailed(f"the hub did not let this machine in: {clean(answer.why[:300])}", advice="")
        self.result = self._checked(answer)
        self.state = State.DONE

    def _checked(self, welcome: Welcome) -> Joined:
        """Whether the parts fit together; the hub proved the code, but may be broken all the same."""
        try:
            authority = parse_authority_certificate(welcome.authority_certificate)
            own = parse_node_certificate(welcome.node_certificate, authority, key_hash=self._key_hash)
            roster = verify(welcome.roster, authority.public_key())  # type: ignore[arg-type]
        except (StateDamaged, RemoteProtocolError) as error:
            raise JoinFailed(f"the hub handed out what cannot be used: {error}") from error
        member = roster.member_for(self._key_hash)
        if member is None or not (member.name == self._request.name == node_of(own, authority)):
            raise JoinFailed("the hub handed out a roster or a certificate for another machine")
        if roster.room != room_of(authority) or len(welcome.datagram_key) != DATAGRAM_KEY_BYTES:
            raise JoinFailed("the hub handed out a roster and a certificate of different rooms, or a bad key")
        return Joined(
            roster.room,
            member,
            certificate_pem(authority),
            certificate_pem(own),
            roster,
            welcome.roster,
            welcome.datagram_epoch,
            welcome.datagram_key,
        )

    def __repr__(self) -> str:
        return f"<JoinerSide {self.state.value} code={self._code}>"


class HubSide:
    """The hub's side of one attempt.

    Args:
        attempt: from `InvitationBook.begin`. This object ends it as it should be: proved, wrong or dropped.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._keys: JoinKeys | None = None
        self._third = b""
        self._request: JoinRequest | None = None
        self.state = State.START
        self.invitation: Invitation | None = None
        """The invitation that was proved and whose use was taken; gives the role."""

    def receive(self, message: bytes, now: float) -> bytes | None:
        """Takes message 1 and returns 2; takes message 3, after which `request` is there and a use is taken.

        Raises:
            JoinFailed: the code is wrong, or the invitation ended meanwhile: close without a word.
            RemoteProtocolError: nonsense: close without a word.
        """
        try:
            if self.state is State.START:
                return self.begin(message, now)()
            _must_be(self.state, State.PROVING)
            self._judge(message, now)
            return None
        except (JoinFailed, RemoteProtocolError):
            self.state = State.FAILED
            self._attempt.dropped(now)
            raise

    def begin(self, message: bytes, now: float) -> Callable[[], bytes]:
        """As `receive` with message 1, in two steps: what it returns computes message 2.

        That takes 6 ms and touches nothing but this object, so it may be called in a thread, while the invitations
        are asked and changed only by whoever calls the methods. Whatever either step raises: call `ended`.

        Raises:
            RemoteProtocolError: nonsense; from the computation too.
        """
        _must_be(self.state, State.START)
        _check_length(message, FIRST_BYTES, FIRST_BYTES, 1)
        if message[0] != VERSION:
            raise RemoteProtocolError(f"joining in version {message[0]}, this hub speaks version {VERSION}")
        slot = message[1 : 1 + SLOT_CHARACTERS].decode("latin-1")
        self._attempt.slot = slot if is_slot(slot) else ""
        invitation = self._attempt.book.find(self._attempt.slot, now)
        # For an unknown slot a code nobody has: the conversation then looks the same and fails at the same place.
        code = invitation.code if invitation else JoinCode.new()

        def compute() -> bytes:
            exchange = Exchange(code, is_joiner=False)
            answer = exchange.start()
            self._keys = exchange.finish(message[1 + SLOT_CHARACTERS :], message, answer)
            self.state = State.PROVING
            return answer

        return compute

    @property
    def request(self) -> JoinRequest:
        """What the joiner said of itself; only after message 3."""
        _must_be(self.state, State.DECIDING)
        assert self._request is not None
        return self._request

    def welcome(self, welcome: Welcome) -> bytes:
        """Message 4: the machine is in."""
        return self._reply(welcome)

    def decline(self, why: str) -> bytes:
        """Message 4: the code was right and the machine is not let in. The use is given back."""
        self._attempt.give_back()
        return self._reply(Declined(why[:300]))

    def ended(self, now: float) -> None:
        """The connection is over, for whatever reason. Call it in every case; it is harmless at the right end.

        A machine to which `welcome` was made stays let in: whether message 4 arrived cannot be known. Where no
        decision was made, the use is given back.
        """
        self._attempt.dropped(now)
        if self.state is State.DECIDING:
            self._attempt.give_back()
        if self.state is not State.DONE:
            self.state = State.FAILED

    def _judge(self, message: bytes, now: float) -> None:
        _check_length(message, PROOF_BYTES + 1, MAX_THIRD_BYTES, 3)
        keys = self._keys
        assert keys is not None
        proof = message[:PROOF_BYTES]
        if not hmac.compare_digest(proof, proof_of(keys.joiner_proof, keys.transcript)):
            self._attempt.wrong(now)
            raise JoinFailed("a wrong code")
        request = _decode(open_once(keys.joiner_seal, message[PROOF_BYTES:], proof), JoinRequest, 3)
        if len(request.system) > MAX_SYSTEM_CHARACTERS:
            raise RemoteProtocolError(f"an operating system of {len(request.system)} characters")
        self.invitation = self._attempt.confirm(now)
        self._third, self._request = message, request
        self.state = State.DECIDING

    def _reply(self, answer: Welcome | Declined) -> bytes:
        _must_be(self.state, State.DECIDING)
        keys = self._keys
        assert keys is not None
        proof = proof_of(keys.hub_proof, keys.transcript + self._third)
        message = proof + seal_once(keys.hub_seal, msgspec.msgpack.encode(answer), proof)
        if len(message) > MAX_FOURTH_BYTES:
            raise LocalProtocolError(f"a welcome of {len(message)} bytes, limit {MAX_FOURTH_BYTES} bytes")
        self.state = State.DONE
        return message

    def __repr__(self) -> str:
        return f"<HubSide {self.state.value} from={self._attempt.address} slot={self._attempt.slot}>"


def _decode(plain: bytes, type_: Any, number: int) -> Any:
    try:
        return msgspec.msgpack.decode(plain, type=type_)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"join message {number} cannot be read: {error}") from error


def _check_length(message: bytes, least: int, most: int, number: int) -> None:
    if not least <= len(message) <= most:
        raise RemoteProtocolError(f"join message {number} of {len(message)} bytes, expected {least} to {most} bytes")


def _must_be(state: State, wanted: State) -> None:
    if state is not wanted:
        raise LocalProtocolError(f"joining is {state.value}, and not {wanted.value}")
