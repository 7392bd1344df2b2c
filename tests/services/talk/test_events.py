"""Claims about how a talk ended."""

from __future__ import annotations

import pytest

from lanline.services.talk.events import How, Over


@pytest.mark.parametrize("how", How)
def test_only_a_broken_talk_ends_with_1(how: How) -> None:
    assert Over(how, "it is over").exit_code == (1 if how is How.BROKEN else 0)
