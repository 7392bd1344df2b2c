"""The value of Content-Disposition: under which name a browser saves what it is sent.

Pure. Both forms are written: `filename` in ASCII for old clients, `filename*` in UTF-8 for the others, which prefer it.
A name can neither end the field nor begin another: in the first form whatever is not harmless ASCII becomes `_`.

Sources: RFC 6266, section 4 and appendix D; RFC 8187, section 3.2.1 (the characters that stay).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_NOT_PLAIN: Final = re.compile(r"[^ !#$&\'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]")
"""What becomes `_` in the ASCII form: beside controls and what is not ASCII the quote, the backslash and the percent
sign, which clients read in different ways (RFC 6266, appendix D), and separators of paths."""

_ATTR_CHAR: Final = "!#$&+-.^_`|~"


def disposition_of(name: str, *, is_attachment: bool) -> str:
    """The value for a file of this name.

    Args:
        name: as it should be saved; bytes that were no UTF-8 are left out of neither form: they become U+FFFD.
        is_attachment: whether the browser is to save it rather than to show it.
    """
    kind = "attachment" if is_attachment else "inline"
    plain = _NOT_PLAIN.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    whole = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(whole, safe=_ATTR_CHAR)}"
