"""A QR code of half blocks, which brings a phone to an address without typing.

Two modules stand above each other in one character: a space, an upper half, a lower half or a whole block. Blocks are
the light modules; where they are shown light on dark, as `Style` "on black" asks for, every reader takes them. Where
colours are off and the terminal is dark on light the picture is inverted, which phones of the last years read too.

The border is 2 modules wide, not the 4 of ISO/IEC 18004 section 6.3.8: a terminal of 24 lines has no more, and readers
of phones do with one. segno makes the modules; it is loaded only when a code is drawn.
"""

from __future__ import annotations

from typing import Final

BORDER: Final = 2
_BLOCKS: Final = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
"""By whether the upper and the lower module are dark."""


def qr_lines(text: str) -> list[str]:
    """The code as lines of equal width; 41 columns and 21 lines at most for a text of up to 106 bytes.

    Args:
        text: a URL, at most some 2,000 bytes.
    """
    import segno

    code = segno.make(text, error="l", boost_error=False, micro=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_BLOCKS[both] for both in zip(upper, lower, strict=True)) for upper, lower in pairs]
