"""A terminal's screen, as far as a line editor uses one: what a person sees after some output. It answers nothing.

Understands what xterm does with text (wide characters included), CR, LF, BS, cursor movement (CSI A B C D G H), erasing
(CSI J K) and the wish to wrap; skips colours and modes. Anything else fails, so that no test passes by ignorance.
"""

from __future__ import annotations

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b(?:\[([?>=]?)([0-9;]*)([A-Za-z])|\][^\x07]*\x07|[=>78])")
_SKIPPED = "hlmnqrt"


class Screen:
    """Lines and columns with a cursor. Lines that leave at the top are kept."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._pending = ""

    def feed(self, text: str) -> None:
        """Takes output, cut anywhere."""
        text, self._pending = self._pending + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._character(text[at])
                at += 1
                continue
            match = _SEQUENCE.match(text, at)
            if match is None:
                self._pending = text[at:]
                assert len(self._pending) < 100, f"no sequence this screen knows: {self._pending!r}"
                return
            if match[3] and not match[1]:
                self._control(match[3], [int(number or 0) for number in match[2].split(";")])
            at = match.end()

    def lines(self) -> list[str]:
        """What is to be seen, what left at the top included; without blanks at the ends."""
        shown = ["".join(line).replace("\0", "").rstrip() for line in self._lines]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def _character(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down()
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character != "\x07":
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if self._column + width > self.columns:
                self._column = 0
                self._down()
            line = self._line()
            line[self._column : self._column + width] = [character, *["\0"] * (width - 1)]
            self._column += width

    def _control(self, name: str, numbers: list[int]) -> None:
        count = max(1, numbers[0])
        if name == "A":
            self._row = max(len(self._lines) - self.rows, self._row - count, 0)
        elif name == "B":
            self._row = min(len(self._lines) - 1, self._row + count)
        elif name == "C":
            self._column = min(self.columns - 1, self._column + count)
        elif name == "D":
            self._column = max(0, self._column - count)
        elif name == "G":
            self._column = count - 1
        elif name == "K":
            assert numbers[0] == 0, "erasing to the left is not known here"
            del self._line()[self._column :]
        elif name == "J":
            assert numbers[0] == 0, "erasing all is not known here"
            del self._line()[self._column :]
            del self._lines[self._row + 1 :]
        else:
            assert name in _SKIPPED, f"a sequence this screen does not know: {name} {numbers}"

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _line(self) -> list[str]:
        line = self._lines[self._row]
        line += " " * (self._column - len(line))
        return line
