"""Who is let in, who has to go: the rules of the ledger, without a socket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanline.limits import LAN, Limits
from lanline.transport.ledger import Entry, Ledger, Standing

SMALL = LAN._replace(
    max_connections=6,
    max_connections_per_address=4,
    max_connections_per_member=2,
    max_strangers=4,
    max_strangers_per_address=2,
    handshake=5.0,
)


def _enter(ledger: Ledger[Entry], host: str | None, since: float, *, spoke: bool = False) -> Entry:
    entry = Entry(host, since)
    admission = ledger.admit(entry)
    assert not admission.refusal
    entry.spoke = spoke
    return entry


def test_a_stranger_too_many_from_one_address_displaces_the_oldest_of_that_address() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    other = _enter(ledger, "10.0.0.9", 0.0)
    first = _enter(ledger, "10.0.0.1", 1.0)
    _enter(ledger, "10.0.0.1", 2.0)
    newcomer = Entry("10.0.0.1", 3.0)
    assert ledger.admit(newcomer).victim is first
    assert (first.standing, newcomer.standing) == (Standing.GONE, Standing.STRANGER)
    assert other.standing is Standing.STRANGER
    assert ledger.strangers == 3


def test_a_stranger_too_many_in_all_displaces_the_oldest() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    oldest = _enter(ledger, "10.0.0.1", 0.0)
    for number in range(2, 5):
        _enter(ledger, f"10.0.0.{number}", float(number))
    assert ledger.admit(Entry("10.0.0.9", 9.0)).victim is oldest


def test_the_address_with_most_strangers_loses_one_first() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    _enter(ledger, "10.0.0.1", 0.0)
    flooding = _enter(ledger, "10.0.0.2", 1.0)
    _enter(ledger, "10.0.0.2", 2.0)
    _enter(ledger, "10.0.0.3", 3.0)
    assert ledger.admit(Entry("10.0.0.9", 9.0)).victim is flooding


def test_who_has_spoken_stays_longer_than_who_is_silent() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    _enter(ledger, "10.0.0.1", 0.0, spoke=True)
    silent = _enter(ledger, "10.0.0.1", 1.0)
    assert ledger.admit(Entry("10.0.0.1", 2.0)).victim is silent


class _Late(Entry):
    """One whose bytes have come without anybody having looked yet."""

    def has_spoken(self) -> bool:
        return True


def test_who_would_have_to_go_is_looked_at_once_more() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    late = _Late("10.0.0.1", 0.0)
    ledger.admit(late)
    silent = _enter(ledger, "10.0.0.1", 1.0)
    assert ledger.admit(Entry("10.0.0.1", 2.0)).victim is silent
    assert late.spoke


def test_the_newest_is_refused_when_all_others_are_welcome() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    for number in range(6):
        assert ledger.welcome(_enter(ledger, f"10.0.0.{number}", float(number)), None)
    newcomer = Entry("10.0.0.9", 9.0)
    admission = ledger.admit(newcomer)
    assert admission.victim is None
    assert admission.refusal == "6 connections, limit in all"
    assert newcomer.standing is Standing.GONE
    assert ledger.connections == 6


def test_the_newest_of_an_address_is_refused_when_its_others_are_welcome() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    for number in range(4):
        ledger.welcome(_enter(ledger, "10.0.0.1", float(number)), None)
    stranger = _enter(ledger, "10.0.0.2", 5.0)
    assert ledger.admit(Entry("10.0.0.1", 9.0)).refusal == "4 connections from 10.0.0.1, limit per address"
    assert stranger.standing is Standing.STRANGER


def test_a_stranger_makes_way_when_the_house_is_full() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    for number in range(5):
        ledger.welcome(_enter(ledger, f"10.0.0.{number}", float(number)), None)
    stranger = _enter(ledger, "10.0.0.8", 8.0)
    assert ledger.admit(Entry("10.0.0.9", 9.0)).victim is stranger


def test_a_member_at_its_limit_is_not_welcomed_and_another_one_is() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    entries = [_enter(ledger, None, float(number)) for number in range(3)]
    assert ledger.welcome(entries[0], "pc7")
    assert ledger.welcome(entries[1], "pc7")
    assert not ledger.welcome(entries[2], "pc7")
    assert entries[2].standing is Standing.STRANGER
    assert ledger.welcome(entries[2], "pc8")


def test_a_member_whose_connection_went_may_come_again() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    for number in range(10):
        entry = _enter(ledger, "10.0.0.1", float(number))
        assert ledger.welcome(entry, "pc7")
        ledger.forget(entry)
    assert ledger.connections == 0


def test_a_welcome_twice_counts_once_and_a_name_may_follow() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    first, second, third = (_enter(ledger, None, float(number)) for number in range(3))
    assert ledger.welcome(first, None)
    assert ledger.welcome(first, "pc7")
    assert ledger.welcome(first, "pc7")
    assert ledger.welcome(second, "pc7")
    assert not ledger.welcome(third, "pc7")
    assert ledger.welcome(second, "pc8")
    assert ledger.welcome(third, "pc7")


def test_who_is_gone_is_not_welcomed() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    entry = _enter(ledger, None, 0.0)
    ledger.forget(entry)
    ledger.forget(entry)
    assert not ledger.welcome(entry, None)
    assert not ledger.welcome(Entry(None, 0.0), None)
    assert ledger.connections == 0


def test_the_time_of_strangers_runs_out_in_the_order_they_came() -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    assert ledger.next_deadline() is None
    first, second = _enter(ledger, None, 10.0), _enter(ledger, None, 12.0)
    third = _enter(ledger, None, 13.0)
    ledger.welcome(second, None)
    assert ledger.next_deadline() == 15.0
    assert ledger.overdue(14.9) == []
    assert ledger.overdue(15.0) == [first]
    assert ledger.overdue(60.0) == [first, third]
    assert ledger.all_strangers() == [first, third]
    assert Ledger[Entry](SMALL, expires=False).next_deadline() is None


def test_few_descriptors_lower_the_limits() -> None:
    ledger: Ledger[Entry] = Ledger(LAN, descriptors=20)
    oldest = _enter(ledger, None, 0.0)
    for number in range(4):
        _enter(ledger, None, 1.0 + number)
    assert ledger.admit(Entry(None, 9.0)).victim is oldest  # five strangers, a quarter of 20
    for entry in ledger.all_strangers():
        ledger.welcome(entry, None)
    for number in range(9):
        ledger.welcome(_enter(ledger, None, 10.0 + number), None)
    assert ledger.admit(Entry(None, 99.0)).refusal == "14 connections, limit in all"


def _judge(ledger: Ledger[Entry], live: list[Entry], limits: Limits) -> None:
    strangers = [entry for entry in live if entry.standing is Standing.STRANGER]
    assert ledger.strangers == len(strangers) <= limits.max_strangers
    assert ledger.connections == len(live) <= limits.max_connections
    for host in {entry.host for entry in live}:
        assert sum(entry.host == host for entry in live) <= limits.max_connections_per_address
        assert sum(entry.host == host for entry in strangers) <= limits.max_strangers_per_address
    for member in {entry.member for entry in live if entry.member}:
        assert sum(entry.member == member for entry in live) <= limits.max_connections_per_member


@given(
    st.lists(
        st.tuples(st.sampled_from(["come", "welcome", "speak", "go"]), st.integers(0, 3), st.integers(0, 9)),
        max_size=60,
    )
)
def test_no_limit_is_ever_exceeded_and_nothing_is_counted_twice(steps: list[tuple[str, int, int]]) -> None:
    ledger: Ledger[Entry] = Ledger(SMALL)
    live: list[Entry] = []
    for now, (step, host, which) in enumerate(steps):
        chosen = live[which % len(live)] if live else None
        if step == "come":
            entry = Entry(f"10.0.0.{host}", float(now))
            admission = ledger.admit(entry)
            if admission.victim is not None:
                live.remove(admission.victim)
            if not admission.refusal:
                live.append(entry)
        elif chosen is not None and step == "welcome":
            ledger.welcome(chosen, f"pc{host}")
        elif chosen is not None and step == "speak":
            chosen.spoke = True
        elif chosen is not None:
            ledger.forget(chosen)
            live.remove(chosen)
        _judge(ledger, live, SMALL)
        assert ledger.connections == len(live)
