"""Arrivals and the facts of a connection."""

from __future__ import annotations

from lanline.transport.base import Arrival


class _Keeper:
    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.calls: list[str | None] = []

    def welcome(self, member: str | None) -> bool:
        self.calls.append(member)
        return self.answer

    def forget(self) -> None:
        self.calls.append("forgotten")


def _arrival(keeper: _Keeper | None) -> Arrival:
    return Arrival(scheme="tcp", peer_address="tcp://10.0.0.7:5", host="10.0.0.7", keeper=keeper)


def test_a_welcome_is_reported_with_the_members_name() -> None:
    keeper = _Keeper(answer=True)
    arrival = _arrival(keeper)
    assert arrival.welcomed("pc7")
    assert keeper.calls == ["pc7"]
    assert repr(arrival) == "<Arrival tcp://10.0.0.7:5 member=pc7>"


def test_a_welcome_that_is_refused_leaves_it_without_a_name() -> None:
    arrival = _arrival(_Keeper(answer=False))
    assert not arrival.welcomed("pc7")
    assert arrival.member is None
    assert repr(arrival) == "<Arrival tcp://10.0.0.7:5>"


def test_its_end_is_reported_once() -> None:
    keeper = _Keeper(answer=True)
    arrival = _arrival(keeper)
    arrival.gone()
    arrival.gone()
    assert keeper.calls == ["forgotten"]


def test_one_that_nobody_counts_is_always_welcome() -> None:
    arrival = _arrival(None)
    assert arrival.welcomed("pc7")
    arrival.gone()
    assert arrival.member == "pc7"
