"""Claims about sizes as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4096", 4096),
        ("1B", 1),
        ("64k", 65536),
        ("500M", 500 * 2**20),
        ("1G", 2**30),
        ("1.5 GiB", 3 * 2**29),
        ("2tb", 2**41),
        ("1024T", 2**50),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "M", "1X", "-1", "1,5G", "1e9", "٣G", "1 2", "0", "0.1", "1025T", "9" * 30])
def test_what_is_no_size_is_refused_and_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"no size|out of range"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (23 * 2**20, "23 MiB"),
        (2**40, "1.0 TiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_a_size_is_shown_short(size_bytes: int, expected: str) -> None:
    assert show_size(size_bytes) == expected


@given(st.integers(1, 2**50))
def test_what_is_shown_is_read_back_within_a_twentieth(size_bytes: int) -> None:
    assert abs(parse_size(show_size(size_bytes)) - size_bytes) <= size_bytes / 20
