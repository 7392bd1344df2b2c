"""The table of senders: who is known, who makes way, who is forgotten, and what the next call begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.limits import PLAIN
from lanline.link.datagrams import sendertable
from lanline.link.datagrams.datagram import MESSAGE_BYTES
from lanline.link.datagrams.sendertable import SenderTable
from lanline.transport.udp.undelivered import Place

SILENCE = 10.0
HERE = b""


class Kept:
    """A channel that keeps all it is given, and its end."""

    def __init__(self, place: Place, came_to: bytes) -> None:
        self.place = place
        self.came_to = came_to
        self.waiting: list[bytes] = []
        self.received: list[bytes] = []
        self.end = ""

    @property
    def peer_address(self) -> str:
        """The port alone tells them apart."""
        return f"peer {self.place[1]}"

    @property
    def waiting_bytes(self) -> int:
        """As the real ones count."""
        return sum(len(message) + MESSAGE_BYTES for message in self.waiting)

    def heard(self, message: bytes, came_to: bytes) -> None:
        """Nothing is dropped."""
        self.came_to = came_to
        self.waiting.append(message)

    def receive(self) -> bytes:
        """The oldest that waits."""
        self.received.append(self.waiting.pop(0))
        return self.received[-1]

    def take_unserved(self) -> list[bytes]:
        """But for the one that began it."""
        unserved, self.waiting = self.waiting, []
        return unserved if self.received else unserved[1:]

    def end_receiving(self, why: str) -> None:
        """Once."""
        assert not self.end
        self.end = why


class Desk:
    """A table, and what it said."""

    def __init__(self, *, most: int = 3, recount: float = 0.0) -> None:
        self.log: list[tuple[str, str]] = []
        self.table: SenderTable[Kept] = SenderTable(
            Kept,
            lambda kind, text: self.log.append((kind, text)),
            PLAIN._replace(max_connections=most, datagram_silence=SILENCE),
            recount=recount,
        )

    def hear(self, port: int, now: float = 0.0, message: bytes = b"x") -> Kept | None:
        """One datagram of the sender that has this port."""
        return self.table.heard(message, _place(port), HERE, now)

    def begin(self, port: int, now: float = 0.0, message: bytes = b"x") -> Kept:
        """The same, of a new sender."""
        channel = self.hear(port, now, message)
        assert channel is not None
        return channel

    @property
    def known(self) -> list[int]:
        """Ports, the longest silent first."""
        return [channel.place[1] for channel in self.table]


def _place(port: int) -> Place:
    return ("192.0.2.7", port)


def test_only_the_first_datagram_of_a_sender_asks_for_a_handler() -> None:
    desk = Desk()
    channel = desk.begin(1, message=b"a")
    assert desk.hear(1, message=b"b") is None
    assert channel.waiting == [b"a", b"b"]
    assert (desk.table.find(_place(1)), desk.table.find(_place(2)), desk.table.find(None)) == (channel, None, None)
    assert (len(desk.table), desk.table.accepted, [*desk.table.unfinished]) == (1, 1, [channel])


def test_the_longest_silent_is_first_and_makes_way() -> None:
    desk = Desk(most=2)
    first, second = desk.begin(1, 0.0), desk.begin(2, 1.0)
    desk.hear(1, 2.0)
    assert desk.known == [2, 1]
    desk.begin(3, 3.0)
    assert second.end == "peer 2 made way: it was silent longest of too many senders"
    assert (desk.known, desk.table.made_way, first.end) == ([1, 3], 1, "")


def test_handlers_that_do_not_end_keep_new_senders_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendertable, "LEAVING", 1)
    desk = Desk(most=1)
    first = desk.begin(1)
    desk.begin(2)
    assert desk.hear(3) is None
    assert (desk.table.refused, desk.known) == (1, [2])
    assert desk.log == [("senders", "2 senders are being served: a new one was not heard")]
    assert desk.table.gone(first) is None
    desk.begin(3)


def test_silence_is_counted_from_the_last_datagram_and_the_next_moment_is_told() -> None:
    desk = Desk()
    assert desk.table.forget_the_silent(0.0) is None
    one, other = desk.begin(1, 0.0), desk.begin(2, 1.0)
    desk.hear(1, 4.0)
    assert desk.table.forget_the_silent(10.9) == 11.0
    assert desk.table.forget_the_silent(11.0) == 14.0
    assert (other.end, one.end) == ("peer 2 has sent nothing for 10 s", "")
    assert desk.table.forget_the_silent(99.0) is None
    assert (len(desk.table), desk.table.unfinished) == (0, frozenset({one, other}))


@pytest.mark.parametrize(
    ("came", "received", "left"),
    [([b"a"], 0, []), ([b"a"], 1, []), ([b"a", b"b"], 0, [b"b"]), ([b"a", b"b"], 1, [b"b"]), ([b"a", b"b"], 2, [])],
)
def test_what_a_handler_left_begins_the_next_call_but_for_what_began_its_own(
    came: list[bytes], received: int, left: list[bytes]
) -> None:
    desk = Desk()
    channel = desk.begin(1, 5.0, came[0])
    for message in came[1:]:
        desk.hear(1, 6.0, message)
    for _ in range(received):
        channel.receive()
    successor = desk.table.gone(channel)
    assert (successor.waiting if successor else []) == left
    assert desk.table.find(_place(1)) is successor
    assert desk.table.accepted == (2 if left else 1)
    if successor is not None:
        assert desk.table.forget_the_silent(15.9) == 16.0, "that a handler ended is no sign of life"
        assert desk.table.unfinished == {successor}


def test_a_channel_that_ended_leaves_its_successor_alone() -> None:
    desk = Desk()
    old = desk.begin(1, 0.0)
    desk.table.forget_the_silent(SILENCE)
    new = desk.begin(1, SILENCE)
    assert desk.table.gone(old) is None
    assert desk.table.find(_place(1)) is new
    desk.table.refuse(old)
    assert desk.table.find(_place(1)) is new
    desk.table.refuse(new)
    assert (desk.known, desk.table.refused) == ([], 2)


def test_the_end_of_all_is_told_to_each_and_their_handlers_count_on() -> None:
    desk = Desk()
    channels = frozenset(desk.begin(port) for port in (1, 2))
    desk.table.end_all("over")
    assert [channel.end for channel in channels] == ["over"] * 2
    assert (len(desk.table), desk.table.unfinished) == (0, channels)
    assert all(desk.table.gone(channel) is None for channel in channels)
    assert desk.table.unfinished == frozenset()


def test_what_waits_for_all_is_bounded_and_counted_again_when_it_seems_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sendertable, "ALL_WAITING_BYTES", 1000)
    desk = Desk()
    channel = desk.begin(1, message=bytes(800))
    assert desk.hear(2, message=bytes(100)) is None
    text = "64 MiB of datagrams wait for their handlers, the limit: the newest are dropped"
    assert (desk.table.refused, desk.log, desk.known) == (1, [("full", text)], [1])
    desk.hear(1)
    assert len(channel.waiting) == 2, "a small one still finds room"
    channel.receive()
    desk.begin(2, message=bytes(800))
    assert desk.table.refused == 1


def test_where_counting_is_dear_what_comes_is_dropped_until_it_is_time_to_count_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sendertable, "ALL_WAITING_BYTES", 1000)
    desk = Desk(recount=0.5)
    channel = desk.begin(1, 0.0, bytes(900))
    assert desk.hear(2, 1.0) is None
    channel.receive()
    assert desk.hear(2, 1.4) is None
    assert desk.table.refused == 2
    desk.begin(2, 1.5)


_STEPS = st.lists(st.tuples(st.sampled_from(["hear", "close", "wait"]), st.integers(1, 6)), max_size=60)


@given(_STEPS)
def test_whatever_comes_the_order_and_the_bounds_hold(steps: list[tuple[str, int]]) -> None:
    desk, now = Desk(most=3), 0.0
    channels: list[Kept] = []
    last_heard: dict[int, float] = {}
    for number, (step, which) in enumerate(steps):
        if step == "wait":
            now += which
            desk.table.forget_the_silent(now)
        elif step == "hear":
            begun = desk.hear(which, now, b"%d" % number)
            last_heard[which] = now
            channels += [begun] if begun else []
        elif (open_one := next((one for one in channels if one.place[1] == which), None)) is not None:
            channels.remove(open_one)
            if open_one.waiting:
                open_one.receive()
            successor = desk.table.gone(open_one)
            channels += [successor] if successor else []
        assert desk.table.unfinished == set(channels)
        assert len(desk.table) <= 3
        assert desk.known == sorted(desk.known, key=last_heard.__getitem__)
        assert all(not channel.end for channel in desk.table), "who is known hears"
        assert all(last_heard[port] + SILENCE > now for port in desk.known if step == "wait")
    assert desk.table.refused == 0
    assert desk.table.accepted >= len(channels)
