"""Claim: cleaning everything that peers say costs next to nothing, so that there is no reason to skip it.

Peers, in the same run: `str.translate` with a table of the same characters, and one regular expression over all
of them, the two usual ways. Each alone is also weaker: neither sees what stands before a character.

Run: python -m benchmarks.clean [ROUNDS]
"""

from __future__ import annotations

import re
import sys
import unicodedata

from benchmarks.measure import compare, measure_in_turns, report
from lanline.clean import DisplayDecoder, clean

SIZE_CHARACTERS = 256 * 1024

LOG_LINE = "Nov 20 04:52:06 pc7 systemd[1]: Started Session 41 of user root; all 17 units are fine.\n"
TEXTS = {
    "ASCII log": LOG_LINE,
    "Chinese": "十一月20日 教室里的机器都已经启动完毕，一共四十台，没有发现问题。\n",
    "mixed: one é per line": LOG_LINE.replace("fine", "prêtes"),
    "coloured: ESC in each line": "\x1b[32m" + LOG_LINE.replace("\n", "\x1b[0m\n"),
}

_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_TAKEN_OUT = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in _CATEGORIES and character not in "\t\n"
]
_TABLE = str.maketrans({character: ascii(character)[1:-1] for character in _TAKEN_OUT})
_PATTERN = re.compile("[" + "".join(map(re.escape, _TAKEN_OUT)) + "]")


def by_pattern(text: str) -> str:
    """One regular expression for everything."""
    return _PATTERN.sub(lambda match: ascii(match[0])[1:-1], text)


def main() -> None:
    """Measures each way on each text, and the decoder for streams as a whole."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for name, line in TEXTS.items():
        text = line * (SIZE_CHARACTERS // len(line))
        data = text.encode()
        chunks = [data[offset : offset + 65536] for offset in range(0, len(data), 65536)]
        calls = {
            "str.translate": lambda t=text: t.translate(_TABLE),
            "one pattern": lambda t=text: by_pattern(t),
            "lanline clean": lambda t=text: clean(t, keep_newlines=True),
            "lanline DisplayDecoder (decodes too)": lambda c=chunks: [*map(DisplayDecoder().decode, c)],
        }
        rows = compare(measure_in_turns(calls, rounds), len(data) / 1e6, "MB/s", "str.translate")
        report(f"{name}, {len(data):,} bytes", rows)


if __name__ == "__main__":
    main()
