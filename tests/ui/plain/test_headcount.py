"""How many clients there are, in all processes together."""

from __future__ import annotations

import os

from lanline.ui.plain.headcount import Headcount, clear, shared_page


def test_as_many_as_allowed_may_enter_and_one_who_leaves_makes_room() -> None:
    count = Headcount(2)
    assert (count.enter(), count.enter(), count.enter()) == (True, True, False)
    assert count.here == 2
    count.leave()
    assert count.enter()


def test_without_a_limit_everybody_may() -> None:
    count = Headcount(None)
    assert all(count.enter() for _ in range(10_000))


def test_processes_share_one_limit_and_a_dead_one_is_cleared() -> None:
    page = shared_page()
    first, second = Headcount(3, page, 0), Headcount(3, page, 1)
    child = os.fork()
    if child == 0:
        os._exit(0 if second.enter() and second.enter() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (first.enter(), first.enter()) == (True, False)
    clear(page, 1)
    assert first.enter()
