"""What is at an address now, and conditions on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.services.share.serving import served

from lanline.beneath import Folder
from lanline.http.conditions import etag_of
from lanline.services.share.current import status_of
from lanline.services.share.shared import Permissions, Shared

_MAY = Permissions(upload=True, overwrite=True, delete=True)


def test_what_is_there_is_found_and_what_is_hidden_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    (tmp_path / ".hidden").write_bytes(b"hello")
    with Folder(tmp_path) as folder:
        shared = Shared(folder, _MAY, name="share")
        found = status_of(shared, ("file",))
        assert found is not None
        assert (found.st_size, status_of(shared, (".hidden",)), status_of(shared, ("missing",))) == (5, None, None)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_whatever_changes_a_file_keeps_to_the_same_conditions(tmp_path: Path, method: str) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    etag = etag_of((tmp_path / "file").stat())
    more: dict[str, Any] = {"Upload_Complete": "?1"} if method == "POST" else {}
    with served(tmp_path, may=_MAY) as share:
        (tmp_path / "file").write_bytes(b"other content")
        long_ago = "Thu, 01 Jan 1970 00:00:01 GMT"
        for name, value in (("If-Match", etag), ("If-None-Match", "*"), ("If-Unmodified-Since", long_ago)):
            assert share.ask(method, "/file", None, {name: value}, **more).status == 412
        assert (tmp_path / "file").read_bytes() == b"other content"
        now = etag_of((tmp_path / "file").stat())
        assert share.ask(method, "/file", If_Match=now, **more).status == 204
