"""The page's own files: all there, typed, tagged."""

from __future__ import annotations

import re
from pathlib import Path

from tests.services.share.sharing import sharing

from lanline.services.share.answers.assets import SHELL, assets_in, page_files, shell_in


def test_the_shell_has_a_place_for_the_title_and_one_for_the_listing() -> None:
    before, between, behind = shell_in(page_files())
    assert before.rstrip().endswith(b"<title>") and between.startswith(b"</title>") and b"</html>" in behind


def test_every_address_that_the_page_asks_for_is_there(tmp_path: Path) -> None:
    page = page_files()
    wanted = {name.decode() for name in re.findall(rb'"/\.lanline/([^"]+)"', page[SHELL])}
    assert wanted
    with sharing(tmp_path) as served:
        assert {name: served.get(f"/.lanline/{name}").status for name in wanted} == dict.fromkeys(wanted, 200)


def test_scripts_and_styles_have_the_types_that_browsers_insist_on(tmp_path: Path) -> None:
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    with sharing(tmp_path) as served:
        for name in assets_in(page_files()):
            reply = served.get(f"/.lanline/{name}")
            assert reply["Content-Type"] == kinds[name.rpartition(".")[2]]
            assert "default-src 'none'" in reply["Content-Security-Policy"]


def test_a_file_of_the_page_is_sent_once_and_then_confirmed(tmp_path: Path) -> None:
    with sharing(tmp_path) as served:
        first = served.get("/.lanline/page.css")
        again = served.get("/.lanline/page.css", If_None_Match=first["ETag"])
        assert (first.status, again.status, again.body) == (200, 304, b"")
        assert served.get("/.lanline/page.css", If_None_Match='"other"').status == 200
        assert served.ask("HEAD", "/.lanline/page.css")["Content-Length"] == str(len(first.body))
