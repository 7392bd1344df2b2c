"""Who may try an invitation, how often, and until when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import JoinFailed, UsageError
from lanline.roles import Role
from lanline.room.door import (
    ADDRESS_BURST,
    DOOR_BURST,
    MANY_TTL,
    MAX_ADDRESSES,
    MAX_AT_ONCE,
    MAX_OPEN,
    MAX_WRONG,
    SINGLE_TTL,
    Attempt,
    Invitation,
    InvitationBook,
    Turned,
)


def _opened(role: Role = Role.MEMBER, *, uses: int = 1, ttl: float | None = None) -> tuple[InvitationBook, Invitation]:
    book = InvitationBook()
    return book, book.invite(role, now=0.0, uses=uses, ttl=ttl)


def _begin(book: InvitationBook, address: str = "10.0.0.1", now: float = 0.0, slot: str = "") -> Attempt:
    attempt = book.begin(address, now)
    assert isinstance(attempt, Attempt), attempt
    attempt.slot = slot
    return attempt


def _turned(book: InvitationBook, address: str = "10.0.0.1", now: float = 0.0) -> Turned:
    turned = book.begin(address, now)
    assert isinstance(turned, Turned), turned
    return turned


def test_without_an_invitation_nobody_is_listened_to() -> None:
    book = InvitationBook()
    assert not book.is_open(0.0)
    assert _turned(book).why == "no invitation is open"
    assert book.next_close(0.0) is None


def test_a_proved_code_lets_one_machine_in() -> None:
    book, invitation = _opened()
    attempt = _begin(book, slot=invitation.code.slot)
    assert attempt.confirm(1.0) is invitation
    assert invitation.uses_left == 0
    assert not book.is_open(1.0)
    assert book.statistics()["let_in"] == 1


def test_a_second_machine_finds_a_single_invitation_used_up() -> None:
    book, invitation = _opened()
    attempts = [_begin(book, f"10.0.0.{number}", slot=invitation.code.slot) for number in range(8)]
    assert attempts[3].confirm(1.0) is invitation
    for attempt in attempts:
        with pytest.raises(JoinFailed, match="used up"):
            attempt.confirm(1.0)
    assert book.statistics()["under_way"] == 0


def test_an_invitation_ends_by_its_time() -> None:
    book, invitation = _opened(ttl=60)
    attempt = _begin(book, now=59.0, slot=invitation.code.slot)
    assert book.next_close(0.0) == 60.0
    with pytest.raises(JoinFailed):
        attempt.confirm(60.0)
    assert not book.is_open(60.0)
    assert book.open_now(60.0) == []


def test_an_invitation_closed_by_hand_lets_nobody_in_any_more() -> None:
    book, invitation = _opened(uses=2)
    attempt = _begin(book, slot=invitation.code.slot)
    proved = _begin(book, slot=invitation.code.slot)
    proved.confirm(1.0)
    assert book.close(invitation.code.slot)
    assert not book.close(invitation.code.slot)
    with pytest.raises(JoinFailed):
        attempt.confirm(1.0)
    proved.give_back()
    assert not book.is_open(1.0)


def test_lives_are_ten_minutes_for_one_and_two_hours_for_many() -> None:
    assert _opened()[1].closes_at == SINGLE_TTL == 600
    assert _opened(uses=30)[1].closes_at == MANY_TTL == 7200
    assert _opened(ttl=86400)[1].closes_at == 86400


@pytest.mark.parametrize("ttl", [0, -1, 86401, float("nan")])
def test_a_life_out_of_range_is_refused(ttl: float) -> None:
    with pytest.raises(UsageError, match="1 s to 86400 s"):
        _opened(ttl=ttl)


@pytest.mark.parametrize("uses", [0, -1, 4097])
def test_uses_out_of_range_are_refused(uses: int) -> None:
    with pytest.raises(UsageError, match="1 to 4096"):
        _opened(uses=uses)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.OWNER])
def test_a_code_for_many_makes_no_operators(role: Role) -> None:
    with pytest.raises(UsageError, match="cannot make them"):
        _opened(role, uses=2)
    assert _opened(role)[1].role is role


def test_eight_invitations_may_be_open_and_their_slots_differ() -> None:
    book = InvitationBook()
    made = [book.invite(Role.MEMBER, now=0.0) for _ in range(MAX_OPEN)]
    assert len({one.code.slot for one in made}) == MAX_OPEN
    with pytest.raises(UsageError, match="8 invitations are open"):
        book.invite(Role.MEMBER, now=0.0)
    assert book.invite(Role.MEMBER, now=600.0).uses_left == 1


def test_five_wrong_guesses_then_one_every_five_seconds() -> None:
    book, invitation = _opened()
    for number in range(ADDRESS_BURST):
        _begin(book, now=float(number) / 100, slot=invitation.code.slot).wrong(number / 100)
    turned = _turned(book, now=0.05)
    assert turned.why == "too many failed tries"
    assert 4.9 < turned.retry_after < 5.0
    _turned(book, now=4.9)
    _begin(book, now=5.1).wrong(5.1)
    _turned(book, now=5.2)
    _begin(book, now=10.2)


def test_one_address_does_not_shut_out_the_others() -> None:
    book, invitation = _opened()
    for _ in range(ADDRESS_BURST):
        _begin(book, "10.0.0.1").wrong(0.0)
    _turned(book, "10.0.0.1")
    assert _begin(book, "10.0.0.2", slot=invitation.code.slot).confirm(0.0) is invitation


def test_two_wrong_guesses_a_second_in_all() -> None:
    book, _ = _opened()
    for number in range(DOOR_BURST):
        _begin(book, f"10.0.1.{number}").wrong(0.0)
    assert _turned(book, "10.9.9.9").retry_after == pytest.approx(0.5)
    passed = 0
    for step in range(100):
        attempt = book.begin(f"10.0.2.{step}", 0.1 * step)
        if isinstance(attempt, Attempt):
            attempt.wrong(0.1 * step)
            passed += 1
    assert 18 <= passed <= 20


def test_sixty_quick_guesses_from_one_address_get_five_through() -> None:
    book, _ = _opened()
    through = 0
    for _ in range(60):
        attempt = book.begin("10.0.0.1", 0.0)
        if isinstance(attempt, Attempt):
            attempt.wrong(0.0)
            through += 1
    assert through == 5
    assert book.statistics()["turned"] == 55


def test_guesses_at_once_do_not_get_more_through_than_one_after_another() -> None:
    book, _ = _opened()
    started = [book.begin("10.0.0.1", 0.0) for _ in range(20)]
    attempts = [one for one in started if isinstance(one, Attempt)]
    assert len(attempts) == ADDRESS_BURST
    for attempt in attempts:
        attempt.wrong(0.0)
    _turned(book)


def test_a_class_that_joins_at_once_is_not_slowed_down() -> None:
    book, invitation = _opened(uses=200)
    for number in range(200):
        _begin(book, f"10.0.{number % 4}.7", slot=invitation.code.slot).confirm(0.0)
    assert invitation.uses_left == 0
    assert book.statistics()["turned"] == 0


def test_eight_conversations_at_once() -> None:
    book, _ = _opened()
    attempts = [_begin(book, f"10.0.0.{number}") for number in range(MAX_AT_ONCE)]
    assert "8 machines are joining" in _turned(book, "10.0.1.1").why
    attempts[0].dropped(0.0)
    _begin(book, "10.0.1.1")


def test_a_dropped_conversation_is_no_guess_but_counts_against_its_address() -> None:
    book, invitation = _opened()
    for _ in range(ADDRESS_BURST):
        _begin(book, slot=invitation.code.slot).dropped(0.0)
    _turned(book)
    assert (invitation.wrong, book.wrong, book.dropped) == (0, 0, 5)
    assert book.wrong_by_address() == {}
    assert _begin(book, "10.0.0.2", slot=invitation.code.slot).confirm(0.0) is invitation


def test_a_thousand_wrong_guesses_close_their_invitation_only() -> None:
    book = InvitationBook()
    attacked, other = (book.invite(Role.MEMBER, now=0.0, ttl=3600.0) for _ in range(2))
    now = 0.0
    for number in range(MAX_WRONG):
        assert attacked.is_open(now)
        now += 0.5
        _begin(book, f"10.{number // 250}.{number % 250}.1", now, attacked.code.slot).wrong(now)
    assert not attacked.is_open(now)
    assert other.is_open(now)
    assert book.find(attacked.code.slot, now) is None
    assert book.wrong == MAX_WRONG


def test_wrong_guesses_are_told_by_address() -> None:
    book, _ = _opened()
    for address, count in (("10.0.0.1", 1), ("10.0.0.2", 3)):
        for _ in range(count):
            _begin(book, address).wrong(0.0)
    assert list(book.wrong_by_address().items()) == [("10.0.0.2", 3), ("10.0.0.1", 1)]


def test_a_use_given_back_can_be_taken_again() -> None:
    book, invitation = _opened()
    attempt = _begin(book, slot=invitation.code.slot)
    attempt.confirm(1.0)
    assert book.open_now(1.0) == []
    attempt.give_back()
    attempt.give_back()
    assert invitation.uses_left == 1
    assert _begin(book, now=2.0, slot=invitation.code.slot).confirm(2.0) is invitation


def test_only_the_first_ending_counts() -> None:
    book, _ = _opened()
    attempt = _begin(book)
    attempt.wrong(0.0)
    attempt.wrong(0.0)
    attempt.dropped(0.0)
    assert (book.wrong, book.dropped) == (1, 0)


def test_an_attempt_that_is_over_takes_no_use() -> None:
    book, invitation = _opened()
    attempt = _begin(book, slot=invitation.code.slot)
    attempt.dropped(0.0)
    with pytest.raises(JoinFailed):
        attempt.confirm(0.0)
    assert invitation.uses_left == 1


def test_addresses_are_remembered_up_to_a_limit() -> None:
    book, _ = _opened(ttl=86400)
    for number in range(MAX_ADDRESSES + 50):
        now = number * 0.5
        _begin(book, f"a{number}", now).dropped(now)
    assert len(book._addresses) == MAX_ADDRESSES


def test_no_secret_is_shown() -> None:
    book, invitation = _opened()
    attempt = _begin(book, slot=invitation.code.slot)
    attempt.confirm(0.0)
    for shown in (repr(book), repr(invitation), repr(attempt), str(book.statistics())):
        assert invitation.code.secret not in shown


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["wrong", "dropped", "right"])), max_size=60))
def test_whatever_happens_failures_of_one_address_stay_within_their_rate(steps: list[tuple[float, str]]) -> None:
    book, invitation = _opened(uses=4000, ttl=86400)
    now, failures = 0.0, []
    for pause, ending in steps:
        now += pause
        attempt = book.begin("10.0.0.1", now)
        if not isinstance(attempt, Attempt):
            continue
        attempt.slot = invitation.code.slot
        if ending == "right":
            attempt.confirm(now)
        else:
            getattr(attempt, ending)(now)
            failures.append(now)
    for index, start in enumerate(failures):
        for later, end in enumerate(failures[index:], start=index):
            assert later - index + 1 <= ADDRESS_BURST + (end - start) / 5 + 0.01
    assert book.statistics()["under_way"] == 0
