"""What is known of the members: told once, forgotten when they go, and never more than the hub vouches for."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.address import Address
from lanline.limits import LAN
from lanline.room.presence import (
    MAX_ADDRESSES,
    ROSTER_BYTES_AT_ONCE,
    ROWS_AT_ONCE,
    News,
    Presence,
    PresenceBook,
    Report,
    RosterParts,
    decode_news,
    encode_news,
    news_of_roster,
    news_of_rows,
    presence_of,
    with_addresses,
)

HERE = Presence("pc7", online=True, addresses=("10.0.0.7:9527",), last_seen=5.0)


def test_what_was_online_when_it_was_saved_need_not_be_now() -> None:
    book = PresenceBook((HERE,))
    assert book.online == frozenset()
    assert book.of("pc7").addresses == HERE.addresses


def test_of_a_member_never_seen_nothing_is_known_but_the_name() -> None:
    assert PresenceBook().of("pc9") == Presence("pc9")


def test_a_change_is_handed_over_once_and_only_if_it_is_one() -> None:
    book = PresenceBook()
    book.set(HERE)
    book.set(msgspec.structs.replace(HERE, version="2"))
    assert book.take_changes() == (msgspec.structs.replace(HERE, version="2"),)
    book.set(msgspec.structs.replace(HERE, version="2"))
    assert book.take_changes() == ()


def test_who_goes_is_offline_with_the_time_and_keeps_the_addresses() -> None:
    book = PresenceBook()
    book.set(HERE)
    book.set_offline("pc7", now=9.0)
    book.set_offline("pc7", now=10.0)
    book.set_offline("nobody", now=9.0)
    assert book.take_changes() == (msgspec.structs.replace(HERE, online=False, last_seen=9.0),)


def test_who_is_removed_is_in_no_delta_and_no_snapshot() -> None:
    book = PresenceBook()
    book.set(HERE)
    book.forget("pc7")
    assert book.take_changes() == () and book.rows() == ()


def test_a_snapshot_replaces_and_a_delta_adds() -> None:
    book = PresenceBook((Presence("old"),))
    book.learn(News((HERE,), is_whole=True))
    book.learn(News((Presence("pc8", online=True),)))
    assert {row.name for row in book.rows()} == {"pc7", "pc8"}
    assert book.take_changes() == (), "what the hub told is not told back"


def test_when_the_hub_is_away_nobody_is_known_to_be_here() -> None:
    book = PresenceBook()
    book.learn(News((HERE,)))
    book.all_offline()
    assert book.online == frozenset() and book.of("pc7").addresses


def test_round_trips_are_told_when_they_differ_by_much_and_not_by_little() -> None:
    book = PresenceBook()
    book.set(HERE)
    book.take_changes()
    for seconds, is_told in ((None, False), (0.001, True), (0.0015, False), (0.003, True), (0.0014, True)):
        book.measure({"pc7": seconds, "unknown": 1.0})
        assert bool(book.take_changes()) is is_told, seconds


def test_a_report_without_hosts_is_reached_where_the_hub_saw_it() -> None:
    row = presence_of("pc7", Report(9527, version="1"), "10.0.0.7", now=3.0, round_trip=None)
    assert row.addresses == ("10.0.0.7:9527",)
    assert (row.name, row.online, row.last_seen, row.round_trip) == ("pc7", True, 3.0, -1.0)
    assert presence_of("pc7", Report(1), "fe80::1%eth0", now=0, round_trip=0.5).addresses == ("[fe80::1%eth0]:1",)


@pytest.mark.parametrize(
    "host", ["*", "", "pc7.example.org", "a b", "[::1", "::1%" + "e" * 100, "10.0.0.7:80", "\x1b[2J"]
)
def test_a_reported_host_that_is_no_address_is_left_out(host: str) -> None:
    assert presence_of("x", Report(1, (host, "10.0.0.9")), "h", now=0, round_trip=None).addresses == ("10.0.0.9:1",)


@pytest.mark.parametrize("port", [0, -1, 65536, 2**70])
def test_a_port_that_is_none_gives_no_address(port: int) -> None:
    assert presence_of("x", Report(port), "10.0.0.7", now=0, round_trip=None).addresses == ()


@given(
    st.builds(Report, st.integers(), st.lists(st.text(), max_size=20).map(tuple), st.text(), st.text(), st.booleans())
)
def test_whatever_a_member_reports_what_travels_is_short_and_can_be_dialled(report: Report) -> None:
    row = presence_of("pc7", report, "10.0.0.7", now=0, round_trip=None)
    assert len(row.addresses) <= MAX_ADDRESSES and len(row.version) <= 40 and len(row.system) <= 80
    for place in row.addresses:
        assert Address.parse(f"tcp://{place}").port == report.port


def test_addresses_of_ones_own_are_as_many_as_a_row_may_have() -> None:
    assert len(with_addresses(HERE, tuple(map(str, range(20)))).addresses) == MAX_ADDRESSES


def test_news_survive_their_encoding_and_unknown_fields() -> None:
    news = News((HERE,), True, b"roster")
    assert decode_news(encode_news(news)) == news
    longer = msgspec.msgpack.encode([[["pc7", True, [], "", "", False, 0.0, -1.0, "later"]], False, b"", 0, "later"])
    assert decode_news(longer).rows == (Presence("pc7", online=True),)


@pytest.mark.parametrize("size", [1, ROSTER_BYTES_AT_ONCE - 1, ROSTER_BYTES_AT_ONCE, ROSTER_BYTES_AT_ONCE + 1, 400_000])
def test_a_roster_in_parts_is_put_together_again(size: int) -> None:
    data, parts = random.randbytes(size), RosterParts()
    found = [parts.add(decode_news(item)) for item in news_of_roster(data)]
    assert found[:-1] == [None] * (len(found) - 1) and found[-1] == data


def test_a_roster_that_was_cut_off_is_dropped_for_the_next() -> None:
    parts = RosterParts()
    for item in news_of_roster(b"a" * 20_000)[:2]:
        assert parts.add(decode_news(item)) is None
    found = [parts.add(decode_news(item)) for item in news_of_roster(b"b" * 30_000)]
    assert found[-1] == b"b" * 30_000
    assert parts.add(News((HERE,))) is None


def test_a_hub_cannot_make_a_node_collect_more_than_a_roster() -> None:
    parts = RosterParts()
    for left in (2**40, LAN.max_roster_bytes, -5):
        for _ in range(100):
            parts.add(News(roster=b"x" * 8192, roster_bytes_left=left))
    assert repr(parts).startswith(("<RosterParts 0 bytes", "<RosterParts 8192 bytes"))


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 1000])
def test_rows_in_parts_are_the_same_rows_and_a_snapshot_begins_once(count: int) -> None:
    rows = tuple(Presence(f"pc{number}") for number in range(count))
    for is_whole in (True, False):
        items = [decode_news(item) for item in news_of_rows(rows, is_whole=is_whole)]
        assert tuple(row for item in items for row in item.rows) == rows
        assert [item.is_whole for item in items] == [is_whole] + [False] * (len(items) - 1)
