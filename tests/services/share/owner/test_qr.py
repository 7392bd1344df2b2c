"""Claims about the QR code of half blocks."""

from __future__ import annotations

import pytest
import segno

from lanline.services.share.owner.qr import BORDER, qr_lines


def _modules(lines: list[str]) -> list[list[bool]]:
    """The dark modules, read back from the blocks."""
    upper_lower = {"█": (False, False), "▀": (False, True), "▄": (True, False), " ": (True, True)}
    rows: list[list[bool]] = []
    for line in lines:
        rows += [[upper_lower[block][half] for block in line] for half in (0, 1)]
    return rows


@pytest.mark.parametrize("text", ["http://10.0.0.1/", "https://192.168.100.105:8080/", "http://[fd00::2]:8080/a%20b"])
def test_the_blocks_are_the_modules_of_the_code(text: str) -> None:
    rows = _modules(qr_lines(text))
    wanted = segno.make(text, error="l", boost_error=False, micro=False).matrix
    inside = [row[BORDER:-BORDER] for row in rows[BORDER : BORDER + len(wanted)]]
    assert inside == [[bool(module) for module in row] for row in wanted]
    assert not any(any(row) for row in rows[:BORDER])


@pytest.mark.parametrize(("length", "columns", "lines"), [(32, 29, 15), (53, 33, 17), (78, 37, 19), (106, 41, 21)])
def test_an_address_fits_a_terminal_of_80_by_24(length: int, columns: int, lines: int) -> None:
    code = qr_lines("http://192.168.100.105:8080/".ljust(length, "x"))
    assert len(code) == lines
    assert {len(line) for line in code} == {columns}
