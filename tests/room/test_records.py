"""Claims about the records of a node's answers."""

from __future__ import annotations

from lanline.room.records import Invited


def test_the_code_of_an_invitation_does_not_show_in_logs() -> None:
    made = Invited("K7-QM4T-9XWB", "member", 3, 600.0, ("192.0.2.1:9527",))
    assert "QM4T" not in f"{made} {made!r} {[made]}"
    assert "member" in repr(made)
