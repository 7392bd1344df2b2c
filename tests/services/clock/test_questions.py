"""Lines whose last one the end of the stream may end."""

from __future__ import annotations

import pytest

from lanline.errors import MessageTooLarge
from lanline.services.clock.questions import Questions


@pytest.mark.parametrize(
    ("chunks", "lines", "rest"),
    [
        ([b"%H\n%M"], [b"%H"], [b"%M"]),
        ([b"%", b"H", b"\r"], [], [b"%H"]),
        ([b"%H\n"], [b"%H"], []),
        ([], [], []),
        ([b"\n\n"], [b"", b""], []),
    ],
)
def test_the_end_of_the_stream_ends_a_line_that_has_begun(
    chunks: list[bytes], lines: list[bytes], rest: list[bytes]
) -> None:
    decoder = Questions(strip_cr=True).decoder()
    assert [line for chunk in chunks for line in decoder.receive_data(chunk)] == lines
    assert decoder.receive_eof() == rest


def test_a_last_line_is_held_to_the_limit_as_others_are() -> None:
    decoder = Questions(max_message_bytes=4, strip_cr=True).decoder()
    assert decoder.receive_data(b"12345") == []
    with pytest.raises(MessageTooLarge):
        decoder.receive_eof()
    decoder = Questions(max_message_bytes=4, strip_cr=True).decoder()
    assert decoder.receive_data(b"1234") == []
    assert decoder.receive_eof() == [b"1234"]
