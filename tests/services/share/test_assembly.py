"""That every piece of a share is in its place."""

from __future__ import annotations

from pathlib import Path

from tests.services.share.sharing import ALL, sharing


def test_every_piece_is_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with sharing(tmp_path, ALL) as served:
        assert served.get("/").status == 200, "folders"
        assert served.get("/?zip")["Content-Type"] == "application/zip", "archives"
        assert served.ask("PUT", "/new", body=b"x").status == 201, "PUT"
        assert served.get("/new").body == b"x", "files"
        assert "POST" in served.ask("OPTIONS", "/sub/")["Allow"], "forms"
        assert "POST" in served.ask("OPTIONS", "/larger")["Allow"], "resumable uploads"
        assert served.ask("DELETE", "/new").status == 204, "removal"
        assert served.get("/.lanline/page.css").status == 200, "the page"
        assert served.ask("GET", "/", {"Host": "evil.example"}).status == 421, "the guard"
