"""Claims about the newline behind a line."""

from __future__ import annotations

import pytest

from lanline.services.talk.lineends import LineEnds


def test_a_line_goes_out_with_a_newline_until_a_message_came_that_lacks_one() -> None:
    ends = LineEnds("auto")
    assert ends.ending == b"\n"
    ends.heard(is_ended=False)
    assert (ends.ending, ends.is_partner_bare) == (b"", True)


def test_a_partner_that_has_ended_a_line_gets_newlines_again() -> None:
    ends = LineEnds("auto")
    for is_ended in (False, True, False):
        ends.heard(is_ended=is_ended)
    assert (ends.ending, ends.is_partner_bare) == (b"\n", False)


@pytest.mark.parametrize(("mode", "ending"), [("always", b"\n"), ("never", b"")])
def test_what_was_asked_for_is_not_unlearned(mode: str, ending: bytes) -> None:
    ends = LineEnds("always" if mode == "always" else "never")
    for is_ended in (True, False, True):
        assert ends.ending == ending
        ends.heard(is_ended=is_ended)
    assert ends.ending == ending
