"""An item whose first bytes are given apart is the same item: on the wire, in credit, at every size."""

from __future__ import annotations

import pytest

from lanline.errors import MessageTooLarge
from lanline.limits import LAN
from lanline.session.session import Side
from tests.session.pair import NOTHING, opened

FRAME = LAN.max_frame_bytes


def _sent(prefix: bytes, body: bytes, *, apart: bool) -> tuple[list[bytes], int]:
    """The pieces that are queued, and the credit that is left."""
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=False)
    one.data_to_send()
    if apart:
        one.send_item(call, body, raw=True, prefix=prefix)
    else:
        one.send_item(call, prefix + body, raw=True)
    return one.data_to_send(), one.credit(call)


@pytest.mark.parametrize("size", [0, 1, 1000, FRAME - 4, FRAME - 3, FRAME - 2, FRAME, 3 * FRAME])
def test_an_item_with_its_first_bytes_apart_is_the_same_item(size: int) -> None:
    body = bytes(size)
    (apart, credit), (whole, credit_of_whole) = (_sent(b"abc", body, apart=one) for one in (True, False))
    assert b"".join(apart) == b"".join(whole)
    assert credit == credit_of_whole


def test_a_body_that_fits_a_frame_is_not_copied_for_its_prefix() -> None:
    body = bytes(FRAME - 3)
    pieces, _ = _sent(b"abc", body, apart=True)
    assert any(piece is body for piece in pieces)


def test_the_limit_counts_both() -> None:
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=False)
    with pytest.raises(MessageTooLarge, match=f"{LAN.max_item_bytes + 1} bytes"):
        one.send_item(call, bytes(LAN.max_item_bytes), raw=True, prefix=b"a")
