"""Requests that no person asked for: the guard of what is given out once.

`<img src="http://127.0.0.1:8080/stdin">` on any page in the world makes a browser fetch that address. Of a file that
many may read nothing is lost; what is given out once would be gone. Browsers say why they fetch. Rule: what comes from
a page of another site passes only as a page that a person goes to, by a link; what is fetched ahead never does.

Only browsers send these fields, and only to addresses that count as trustworthy: TLS and this machine itself. Pure.
Sources: W3C Fetch Metadata Request Headers; WHATWG Fetch (Sec-Purpose). Decision 104.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.http.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_wanted(headers: Mapping[str, str]) -> None:
    """Passes unless a browser says that nobody asked for what it fetches.

    Args:
        headers: of the request; looked up without regard to case.

    Raises:
        Refusal: 403, a page of another site embeds or fetches it, or it is fetched before anybody asked for it.
    """
    if headers.get("Sec-Purpose", "").lower().startswith("prefetch"):
        raise Refusal(403, "This is given out once, and not before somebody asks for it.")
    if headers.get("Sec-Fetch-Site") not in ("cross-site", "same-site"):
        return
    if (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) != ("navigate", "document"):
        raise Refusal(403, "This is given out once, and not to pages of other sites.")
