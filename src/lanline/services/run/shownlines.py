"""The output of one machine on its way to being shown in whole lines.

It decodes with the machine's own encoding, makes text harmless (`lanline.clean`), and holds back the line that has not
ended, so that two machines never share one. Prints nothing and knows no time: who shows the lines decides when a line
that does not end, such as a prompt, is shown all the same.
"""

from __future__ import annotations

from lanline.clean import DisplayDecoder

MAX_LINE = 64 * 1024
"""Characters of a line that are held back at most; a longer one is shown in pieces. Memory stays bounded whatever a
machine writes."""


class ShownLines:
    """One stream of one machine.

    Args:
        encoding: as the machine declares it; an unknown one counts as UTF-8.
    """

    __slots__ = ("_decoder", "_kept", "_kept_characters")

    def __init__(self, encoding: str) -> None:
        self._decoder = DisplayDecoder(encoding)
        self._kept: list[str] = []
        self._kept_characters = 0

    @property
    def has_unfinished(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._kept)

    def add(self, data: bytes) -> str:
        """Takes bytes in any pieces; gives the lines that are whole by now, each with its newline, or nothing."""
        return self._add(self._decoder.decode(data))

    def take_unfinished(self) -> str:
        """The line that has not ended, which is then no longer held back; empty where there is none. What follows it
        begins a line of its own."""
        text = "".join(self._kept)
        self._kept.clear()
        self._kept_characters = 0
        return text

    def finish(self) -> str:
        """What is left at the end of the stream: the lines, and the last one whether it has ended or not."""
        return self._add(self._decoder.finish()) + self.take_unfinished()

    def _add(self, text: str) -> str:
        whole, newline, rest = text.rpartition("\n")
        shown = self.take_unfinished() + whole + newline if newline else ""
        if rest:
            self._kept.append(rest)
            self._kept_characters += len(rest)
            if self._kept_characters > MAX_LINE:
                shown += self.take_unfinished()
        return shown
