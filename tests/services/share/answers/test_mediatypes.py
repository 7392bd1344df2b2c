"""Types by name, and which of them a browser would obey."""

from __future__ import annotations

import mimetypes

import pytest

from lanline.services.share.answers.mediatypes import SANDBOX, UNKNOWN, media_type_of


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain; charset=utf-8"),
        ("A.TXT", "text/plain; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.jpeg", "image/jpeg"),
        ("a.tar.gz", "application/gzip"),
        ("a.webm", "video/webm"),
        ("a.snd", "audio/basic"),
        ("README", UNKNOWN),
        (".html", UNKNOWN),
        ("a.", UNKNOWN),
        ("a.nobodyknows", UNKNOWN),
        ("a." + "x" * 200, UNKNOWN),
        ("\udcff.png", "image/png"),
    ],
)
def test_the_name_says_the_type(name: str, content_type: str) -> None:
    assert media_type_of(name).content_type == content_type


@pytest.mark.parametrize(
    "name", ["a.html", "a.xhtml", "a.svg", "a.xml", "a.xsl", "a.rdf", "a.js", "a.mht", "a.htm", "a.css"]
)
def test_what_a_browser_might_obey_is_active(name: str) -> None:
    assert media_type_of(name).is_active


@pytest.mark.parametrize("name", ["a.txt", "a.png", "a.pdf", "a.mp4", "a.mp3", "a.zip.unknown", "a", "a.csv", "a.json"])
def test_what_a_page_may_show_is_not(name: str) -> None:
    assert not media_type_of(name).is_active


def test_the_tables_of_this_machine_are_not_asked() -> None:
    mimetypes.add_type("text/html", ".lanlinetest")
    assert media_type_of("a.lanlinetest").name == UNKNOWN


def test_the_sandbox_lets_nothing_run() -> None:
    assert SANDBOX.startswith("sandbox;") and "default-src 'none'" in SANDBOX and "allow-scripts" not in SANDBOX
