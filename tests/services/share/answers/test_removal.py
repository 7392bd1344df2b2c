"""DELETE over real connections: one thing at a time, and only where the owner said so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.share.serving import Served, served

from lanline.services.share.shared import Permissions


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with served(tmp_path, may=Permissions(delete=True)) as share:
        yield share


@pytest.mark.parametrize("target", ["/file", "/full/file", "/empty/", "/empty"])
def test_files_and_empty_folders_are_removed(share: Served, target: str) -> None:
    assert share.ask("DELETE", target).status == 204
    assert target.strip("/") not in share.files()
    assert share.ask("DELETE", target).status == 404


def test_a_folder_with_something_in_it_stays(share: Served) -> None:
    assert share.ask("DELETE", "/full/").status == 409
    assert "full/file" in share.files()


def test_a_folder_whose_content_is_hidden_stays(share: Served) -> None:
    (share.path / "empty" / ".hidden").write_bytes(b"")
    assert share.ask("DELETE", "/empty/").status == 409
    assert share.ask("DELETE", "/empty/.hidden").status == 404
    assert "empty/.hidden" in share.files()


def test_a_condition_that_does_not_hold_keeps_the_file(share: Served) -> None:
    etag = share.ask("HEAD", "/file").headers["ETag"]
    assert share.ask("DELETE", "/file", If_Match='"other"').status == 412
    assert share.ask("DELETE", "/file", If_None_Match="*").status == 412
    assert share.ask("DELETE", "/file", If_Match=etag).status == 204


def test_the_shared_folder_itself_and_a_file_as_a_folder_are_refused(share: Served) -> None:
    answered = share.ask("DELETE", "/")
    assert answered.status == 405
    assert "DELETE" not in answered.headers["Allow"]
    assert share.ask("DELETE", "/file/").status == 404
    assert "file" in share.files()


def test_a_link_is_removed_and_not_what_it_leads_to(share: Served) -> None:
    (share.path / "link").symlink_to("file")
    assert share.ask("DELETE", "/link").status == 204
    assert (share.path / "file").exists()
    assert "link" not in share.files()


def test_without_permission_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with served(tmp_path, may=Permissions(upload=True, overwrite=True)) as share:
        answered = share.ask("DELETE", "/file")
        assert answered.status == 405
        assert "DELETE" not in answered.headers["Allow"]
        assert share.files() == ["file"]
