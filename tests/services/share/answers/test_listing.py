"""Listings as JSON and as HTML, with hostile names in them."""

from __future__ import annotations

import html.parser
import json

from lanline.services.share.answers.listing import BLOCK_ENTRIES, Listing, date_text, html_of, json_of
from lanline.services.share.shared import Contents, Item, Permissions

NS = 1_000_000_000
SHELL = (b"<title>", b"</title><section>", b"</section>")


def listing(*items: Item, names: tuple[str, ...] = ("a", "b"), left_out: int = 0) -> Listing:
    may = Permissions(upload=True, overwrite=True, max_upload_bytes=5)
    return Listing(names, Contents(list(items), left_out), may, "share")


def test_the_json_has_the_shape_of_the_reference() -> None:
    found = listing(Item("sub dir", True, None, 0), Item("x&y.txt", False, 7, 1_700_000_000 * NS + 5), left_out=2)
    assert json.loads(b"".join(json_of(found))) == {
        "path": ["a", "b"],
        "url": "/a/b/",
        "share": "share",
        "may": {"upload": True, "overwrite": True, "delete": False},
        "archives": True,
        "max_upload_bytes": 5,
        "left_out": 2,
        "entries": [
            {
                "name": "sub dir",
                "kind": "folder",
                "size": None,
                "modified": "1970-01-01T00:00:00Z",
                "type": None,
                "url": "/a/b/sub%20dir/",
            },
            {
                "name": "x&y.txt",
                "kind": "file",
                "size": 7,
                "modified": "2023-11-14T22:13:20Z",
                "type": "text/plain",
                "url": "/a/b/x&y.txt",
            },
        ],
    }


def test_names_that_are_no_utf_8_have_the_right_address_all_the_same() -> None:
    found = listing(Item("\udcff.txt", False, 0, 0), names=("\udcfe",))
    value = json.loads(b"".join(json_of(found)))
    assert value["path"] == ["\ufffd"] and value["url"] == "/%FE/"
    assert value["entries"][0]["name"] == "\ufffd.txt" and value["entries"][0]["url"] == "/%FE/%FF.txt"
    assert b'href="/%FE/%FF.txt"' in b"".join(html_of(found, SHELL))


class _Links(html.parser.HTMLParser):
    """The links of a page with their texts, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.tags: set[str] = set()
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._href = dict(attrs).get("href") if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.links[self._href] = data
            self._href = None


def test_the_page_holds_a_link_for_each_entry_and_one_up() -> None:
    links = _Links()
    links.feed(b"".join(html_of(listing(Item("sub", True, None, 0), Item("x y", False, 1, 0)), SHELL)).decode())
    assert links.links == {"/a/": "../", "/a/b/sub/": "sub/", "/a/b/x%20y": "x y"}


def test_the_root_has_no_link_up() -> None:
    assert b"../" not in b"".join(html_of(listing(names=()), SHELL))


def test_a_hostile_name_is_text_and_nothing_else() -> None:
    name = "\"><script>alert(1)</script><img src=x onerror='x'>\u202egpj.exe\x1b[31m"
    found = listing(Item(name, False, 1, 0), names=(name,))
    page = b"".join(html_of(found, SHELL)).decode()
    links = _Links()
    links.feed(page)
    assert not links.tags & {"script", "img"}
    assert "\u202e" not in page and "\x1b" not in page
    assert json.loads(b"".join(json_of(found)))["entries"][0]["name"] == name


def test_what_is_left_out_is_said() -> None:
    assert b"Left out: 3" in b"".join(html_of(listing(left_out=3), SHELL))
    assert b"Left out" not in b"".join(html_of(listing(), SHELL))


def test_where_files_may_be_added_there_is_a_form_that_needs_no_script() -> None:
    found = listing()
    assert b'<form method="post" enctype="multipart/form-data">' in b"".join(html_of(found, SHELL))
    assert b"<form" not in b"".join(html_of(found._replace(may=Permissions()), SHELL))


def test_a_big_folder_comes_in_blocks_that_are_one_document() -> None:
    count = 3 * BLOCK_ENTRIES + 1
    found = listing(*(Item(f"f{number}", False, number, 0) for number in range(count)))
    blocks = list(json_of(found))
    assert len(blocks) == 4 + 2
    entries = json.loads(b"".join(blocks))["entries"]
    assert [entry["size"] for entry in entries] == list(range(count))
    assert b"".join(html_of(found, SHELL)).count(b"<tr><td><a") == count + 1


def test_dates_outside_of_the_calendar_are_moved_to_its_edge() -> None:
    assert date_text(-1) == "1969-12-31T23:59:59Z"
    assert date_text(10**30) == "9999-12-31T23:59:59Z"
