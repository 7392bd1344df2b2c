"""What holds for every sequence of bytes and of steps: garbage, hostile frames, two honest sides at random."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanline.errors import LocalProtocolError, RemoteProtocolError, Status
from lanline.limits import LAN
from lanline.session import events, frames
from lanline.session.frames import LAST, Kind
from lanline.session.session import Session, Side
from tests.session.pair import NOTHING, SessionPair, cut, hello, kinds, opened, session

PING = frames.pack(Kind.PING, 0, frames.encode_body(frames.Stamps(5)))


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 1000])
def test_byte_by_byte_equals_all_at_once(piece_bytes: int) -> None:
    pieces, whole = SessionPair(greet=False), SessionPair(greet=False)
    for pair, size in ((pieces, piece_bytes), (whole, 0)):
        pair.exchange(piece_bytes=size)
        pair.left.send_roster(b"r" * 20_000)
        pair.left.send_welcome()
        pair.right.send_welcome()
        pair.exchange(piece_bytes=size)
        call = pair.left.open("a.b", frames.encode_body(("x" * 70_000,)), last=False)
        pair.left.send_item(call, b"i" * 70_000)
        pair.exchange(piece_bytes=size)
        pair.right.send_item(call, b"j")
        pair.right.send_end(call, b"k" * 70_000)
        pair.left.cancel(pair.left.ask("c.d", NOTHING))
        pair.left.send_end(call)
        pair.left.go_away("done")
        pair.exchange(piece_bytes=size)
        pair.right.send_error(3, Status.CANCELLED)
        pair.exchange(piece_bytes=size)
    assert not pieces.errors
    # Struct equality does not look into msgspec.Raw: compare what they print, with the bytes of arguments.
    assert _shown(pieces.told_left) == _shown(whole.told_left)
    assert _shown(pieces.told_right) == _shown(whole.told_right)
    assert pieces.left.is_closed and pieces.right.is_closed


def _shown(told: list[events.Event]) -> list[str]:
    return [
        f"{event.call} {event.endpoint} {bytes(event.arguments)!r} {event.last}"
        if isinstance(event, events.Opened)
        else repr(event)
        for event in told
    ]


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=20), st.booleans())
def test_garbage_is_taken_or_is_the_peers_error(chunks: list[bytes], is_open: bool) -> None:
    one = opened() if is_open else session()
    for chunk in chunks:
        try:
            one.receive_data(chunk, 0.0)
        except RemoteProtocolError:
            assert one.is_closed
    assert kinds(one.events()).count("Closed") == one.is_closed
    list(cut(b"".join(one.data_to_send())))


_hostile = st.tuples(
    st.integers(0, 14),
    st.sampled_from([0, 1, 2, 3, 4, 5, 7, 2**31, 2**32 - 1]),
    st.integers(0, 7),
    st.one_of(
        st.sampled_from(
            [
                b"",
                b"\x05",
                b"\xa0",
                b"\x90",
                frames.encode_open("a.b", NOTHING),
                frames.encode_body((7, "no")),
                frames.encode_body(frames.Stamps(1)),
                frames.encode_body(hello()),
            ]
        ),
        st.binary(max_size=50),
    ),
)


@settings(max_examples=300)
@given(st.lists(_hostile, max_size=30), st.sampled_from(list(Side)))
def test_well_formed_frames_of_a_hostile_peer_are_taken_or_refused(
    hostile: list[tuple[int, int, int, bytes]], side: Side
) -> None:
    one = opened(side)
    asked = [one.ask("x.y", NOTHING), one.open("x.y", NOTHING, last=False)]
    try:
        for kind, call, flags, body in hostile:
            one.receive_data(frames.pack(kind, call, body, flags), 0.0)
    except RemoteProtocolError:
        assert one.is_closed
    told = one.events()
    for call in asked:
        ends = [
            event
            for event in told
            if (isinstance(event, events.Failed) or (isinstance(event, events.Ended) and event.over))
            and event.call == call
        ]
        assert len(ends) <= 1
        assert one.is_under_way(call) == (not ends)
    list(cut(b"".join(one.data_to_send())))


def test_megabytes_of_frames_that_lead_nowhere_keep_nothing(seed: int) -> None:
    """One long stream of legal frames that lead nowhere: late data, pings, refills, refused calls."""
    one = opened()
    request = frames.encode_open("a.b", NOTHING)
    noise = b"".join(
        frames.pack(Kind.OPEN, number, request, LAST) + frames.pack(Kind.CANCEL, number, b"\xa0") + PING
        for number in range(1, 2001, 2)
    )
    late = b"".join(frames.pack(Kind.DATA, number, b"x" * 1000) for number in range(1, 2001, 2))
    tracemalloc.start()
    one.receive_data(noise, 0.0)
    for event in one.events():
        if isinstance(event, events.Cancelled):
            one.send_error(event.call, Status.CANCELLED)
    for _ in range(20):
        one.receive_data(late, 0.0)
        assert not one.has_events
    one.data_to_send()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one.calls == 0
    assert kept < 50_000, f"{kept} bytes kept; seed {seed}"


_OPERATIONS = ["ask", "open", "item", "end", "error", "cancel", "consume", "credit", "deadline", "deliver", "goaway"]


@settings(max_examples=120)
@given(st.integers(0, 2**32), st.integers(10, 200), st.booleans())
def test_two_sessions_never_disagree_whatever_they_do(chance: int, steps: int, may_go: bool) -> None:
    """Random steps of both sides with frames that cross: nothing is ever an offence, and at the end nothing is left."""
    dice = random.Random(chance)
    pair = SessionPair(limits=LAN._replace(max_calls=8, window_bytes=2000))
    worlds = [_World(pair.left, dice), _World(pair.right, dice)]
    for _ in range(steps):
        world = dice.choice(worlds)
        operation = dice.choice(_OPERATIONS)
        if operation == "deliver":
            other = worlds[1 - worlds.index(world)].session
            pair.deliver(world.session, other, piece_bytes=dice.choice([0, 1, 100]))
        elif operation != "goaway" or (may_go and dice.random() < 0.1):
            pair.now += 0.01
            world.do(operation, pair.now)
        assert not pair.errors, pair.errors
    for _ in range(100):
        for giver, taker in ((worlds[0], worlds[1]), (worlds[1], worlds[0])):
            pair.deliver(giver.session, taker.session)
            taker.settle()
        assert not pair.errors, pair.errors
    for world in worlds:
        assert world.session.calls == 0, world.session
        assert world.session._unfinished_bytes == 0
        assert world.under_way == set()


class _World:
    """What a driver knows of its session: the calls it may use, and their fate."""

    def __init__(self, one: Session, dice: random.Random) -> None:
        self.session = one
        self.dice = dice
        self.under_way: set[int] = set()
        self.sizes: dict[int, list[int]] = {}

    def do(self, operation: str, now: float) -> None:
        """One step that a correct driver may take."""
        self.listen()
        one, dice = self.session, self.dice
        if operation in ("ask", "open"):
            if one.is_open and len(one._mine) < 8:
                timeout = dice.choice([None, 0.05])
                last = operation == "ask"
                call = one.open("a.b", NOTHING, last=last, now=now, timeout=timeout, window=dice.choice([0, 500]))
                self.under_way.add(call)
            return
        if operation == "deadline":
            one.deadline_passed(now)
            return
        if operation == "goaway":
            one.go_away("enough")
            return
        if not self.under_way:
            return
        call = dice.choice(sorted(self.under_way))
        if operation == "consume" and self.sizes.get(call):
            one.consumed(call, self.sizes[call].pop())
        elif operation == "credit":
            one.credit(call)
        elif operation == "cancel":
            if call not in one._mine:
                self.under_way.discard(call)  # its own error is no news to who sends it
            one.cancel(call)
        elif operation == "error":
            one.send_error(call, Status.INTERNAL, "no")
            self.under_way.discard(call)
        elif operation in ("item", "end"):
            self._send(operation, call)
        self.listen()

    def _send(self, operation: str, call: int) -> None:
        body = bytes(self.dice.choice([0, 1, 500, 70_000]))
        try:
            if operation == "item" and self.session.credit(call) > 0:
                self.session.send_item(call, body)
            elif operation == "end":
                self.session.send_end(call, body)
        except LocalProtocolError:
            return  # this half has ended: what the driver would have known
        if not self.session.is_under_way(call):
            self.under_way.discard(call)

    def listen(self) -> None:
        """Takes the news."""
        for event in self.session.events():
            match event:
                case events.Opened():
                    self.under_way.add(event.call)
                case events.ItemReceived():
                    self.sizes.setdefault(event.call, []).append(event.size)
                case events.Ended() if event.over:
                    self.under_way.discard(event.call)
                case events.Failed():
                    self.under_way.discard(event.call)
                case events.Cancelled() | events.DeadlinePassed():
                    self.session.send_error(event.call, Status.CANCELLED)
                    self.under_way.discard(event.call)

    def settle(self) -> None:
        """Ends whatever is under way."""
        self.listen()
        for call in sorted(self.under_way):
            if call in self.session._theirs:
                self.session.send_error(call, Status.UNAVAILABLE)
                self.under_way.discard(call)
            else:
                self.session.cancel(call)
        self.listen()
        self.under_way = {call for call in self.under_way if self.session.is_under_way(call)}
