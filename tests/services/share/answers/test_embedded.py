"""Claims about requests that no person asked for: which ones a browser gives away, and which ones pass."""

from __future__ import annotations

import pytest

from lanline.http.refusal import Refusal
from lanline.services.share.answers.embedded import check_wanted


def _fields(site: str, mode: str, dest: str, purpose: str = "") -> dict[str, str]:
    fields = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    return {**fields, "Sec-Purpose": purpose} if purpose else fields


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "dest"),
    [("no-cors", "image"), ("no-cors", "script"), ("cors", "empty"), ("navigate", "iframe"), ("navigate", "object")],
)
def test_what_a_page_of_another_site_embeds_is_refused(site: str, mode: str, dest: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_wanted(_fields(site, mode, dest))
    assert caught.value.status == 403


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site"])
def test_what_is_fetched_ahead_is_refused_wherever_it_comes_from(site: str, purpose: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_wanted(_fields(site, "navigate", "document", purpose))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "fields",
    [
        {},
        _fields("cross-site", "navigate", "document"),
        _fields("same-site", "navigate", "document"),
        _fields("none", "navigate", "document"),
        _fields("same-origin", "cors", "empty"),
        _fields("same-origin", "no-cors", "image"),
    ],
)
def test_links_this_page_and_programs_pass(fields: dict[str, str]) -> None:
    before = dict(fields)
    check_wanted(fields)
    assert fields == before
