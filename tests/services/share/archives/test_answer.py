"""Archives over HTTP: by real requests to a real server."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from tests.http.serving import PATIENCE, Served, running
from tests.services.share.archives.packing import held, tree
from tests.services.share.sharing import ALL, READING, sharing

from lanline.http.answering import Site
from lanline.http.exchange import Exchange
from lanline.services.share.archives.answer import MAX_FORM_BYTES, MAX_FORM_FIELDS, Archives
from lanline.services.share.shared import Shared
from lanline.services.share.target import target_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = 256 * 1024 * 1024
"""More than all buffers between a server and its client hold."""


def names_in(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        return read.namelist()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path / "photos", a=b"hello", b__x=b"", b__y=b"", c=b"")


def test_a_folder_as_zip_unpacks_to_what_it_is(folder: Path) -> None:
    with sharing(folder) as share:
        got = share.get("/?zip")
    assert got.status == 200
    assert got["Content-Type"] == "application/zip"
    assert got["Content-Disposition"] == 'attachment; filename="photos.zip"'
    assert got["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in got
    assert names_in(got.body) == ["photos/", "photos/a", "photos/b/", "photos/b/x", "photos/b/y", "photos/c"]


def test_a_folder_as_tar_unpacks_to_what_it_is(folder: Path) -> None:
    with sharing(folder) as share:
        got = share.get("/b/?tar")
    assert (got.status, got["Content-Type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(got.body)) as read:
        assert read.getnames() == ["b", "b/x", "b/y"]


def test_the_name_of_the_download_is_that_of_the_folder_in_any_language(tmp_path: Path) -> None:
    tree(tmp_path / "s", **{"家庭 2024__x": b""})
    with sharing(tmp_path / "s") as share:
        got = share.ask("HEAD", quote("/家庭 2024/") + "?zip")
    assert got["Content-Disposition"].endswith("; filename*=UTF-8''%E5%AE%B6%E5%BA%AD%202024.zip")


def test_a_selection_is_named_in_the_address(folder: Path) -> None:
    with sharing(folder) as share:
        assert names_in(share.get("/?zip&name=c&name=b").body) == ["photos/b/", "photos/b/x", "photos/b/y", "photos/c"]
        assert names_in(share.get("/b/?name=x&zip").body) == ["b/x"]


def test_a_long_selection_comes_as_a_form_and_needs_no_permission(tmp_path: Path) -> None:
    many = [f"file number {number} & more" for number in range(1000)]
    root = tree(tmp_path / "s", **dict.fromkeys(many, b""), other=b"")
    body = urlencode([("name", name) for name in many]).encode()
    assert len(body) > 8192
    with sharing(root, READING) as share:
        got = share.ask("POST", "/?zip", FORM, body)
    assert got.status == 200
    assert names_in(got.body) == sorted(f"s/{name}" for name in many)


@pytest.mark.parametrize("name", ["missing", ".env", "..", "", "a/b", "%2e%2e", "b%2fx", "pipe", "out"])
def test_what_nobody_may_have_cannot_be_chosen(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / ".env").write_bytes(b"secret")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    with sharing(folder) as share:
        got = share.get(f"/?zip&name=a&name={name}")
    assert got.status in (400, 403, 404)
    assert b"secret" not in got.body


def test_a_selection_that_is_no_form_or_is_too_long_is_refused(folder: Path) -> None:
    with sharing(folder) as share:
        assert share.ask("POST", "/?zip", {"Content-Type": "text/plain"}, b"name=a").status == 415
        assert share.ask("POST", "/?zip", FORM, b"x" * (MAX_FORM_BYTES + 1)).status == 413
        assert share.ask("POST", "/?zip", FORM, b"a&" * MAX_FORM_FIELDS).status == 413
        assert share.ask("POST", "/?zip", FORM, b"a&" * (MAX_FORM_FIELDS - 2) + b"name=c").status == 200


def test_head_tells_the_same_and_sends_nothing(folder: Path) -> None:
    with sharing(folder) as share:
        head, got = share.ask("HEAD", "/?zip"), share.get("/?zip")
    assert head.body == b""
    assert {name: head[name] for name in ("Content-Type", "Content-Disposition", "Cache-Control")} == {
        name: got[name] for name in ("Content-Type", "Content-Disposition", "Cache-Control")
    }


def test_allow_tells_that_a_selection_may_be_posted(folder: Path) -> None:
    with sharing(folder) as share:
        assert share.ask("OPTIONS", "/?zip")["Allow"] == "GET, HEAD, OPTIONS, POST"
        assert share.ask("OPTIONS", "/")["Allow"] == "GET, HEAD, OPTIONS"
        assert share.ask("POST", "/a?zip", FORM, b"").status == 405
    with sharing(folder, ALL) as share:
        assert share.ask("PUT", "/?zip", {}, b"").status == 405


def test_without_its_slash_the_address_leads_to_the_one_with_it(folder: Path) -> None:
    with sharing(folder) as share:
        got = share.get("/b?zip&name=x")
    assert (got.status, got["Location"]) == (308, "/b/?zip&name=x")


def test_http_1_0_gets_it_unchunked_and_the_end_of_the_connection(folder: Path) -> None:
    with sharing(folder) as share:
        head, _, body = share.raw(b"GET /?zip HTTP/1.0\r\nHost: localhost\r\n\r\n").partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert names_in(body)[0] == "photos/"


def test_a_connection_is_kept_for_the_next_request(folder: Path) -> None:
    question = b"GET /?zip HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with sharing(folder) as share:
        answers = share.raw(question + question.replace(b"1.1\r\n", b"1.1\r\nConnection: close\r\n"))
    assert answers.count(b"HTTP/1.1 200 OK") == 2


@contextmanager
def alone(path: Path, archives: Archives) -> Iterator[tuple[Served, threading.Event]]:
    """A server of archives and nothing else; the event is set when an exchange is over."""
    over = threading.Event()

    def heard(_: Exchange) -> None:
        over.set()

    with held(path) as shared:
        with running(_site(archives, shared), heard=heard) as server:
            yield server, over


def _site(archives: Archives, shared: Shared) -> Site:
    async def site(request: web.BaseRequest) -> web.StreamResponse:
        return await archives.answer(request, target_of(request.raw_path), shared)

    return site


def test_more_archives_at_once_than_allowed_are_put_off(folder: Path) -> None:
    with alone(folder, Archives(most=0)) as (server, _):
        got = server.get("/?zip")
        assert (got.status, got["Retry-After"]) == (503, "10")
        assert server.ask("POST", "/?zip", {"Content-Type": "text/plain"}, b"unread").status == 503
        assert server.ask("HEAD", "/?zip").status == 200


def sparse(path: Path) -> Path:
    path.mkdir()
    with (path / "big").open("wb") as file:
        file.truncate(LARGE)
    return path


def begun(server: Served, version: str = "1.1") -> socket.socket:
    """A download of a large archive, of which something has come."""
    sock = server.connect()
    sock.sendall(f"GET /?zip HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
    assert sock.recv(1000).startswith(b"HTTP/1.")
    return sock


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_file_that_becomes_shorter_resets_the_connection(tmp_path: Path, version: str) -> None:
    root = sparse(tmp_path / "s")
    with alone(root, Archives()) as (server, _), begun(server, version) as sock:
        os.truncate(root / "big", 1000)
        with pytest.raises(ConnectionResetError):
            while sock.recv(1 << 20):
                pass


def test_a_client_that_leaves_ends_the_packing_and_closes_the_files(tmp_path: Path) -> None:
    root, archives = sparse(tmp_path / "s"), Archives()
    with alone(root, archives) as (server, over):
        begun(server).close()
        assert over.wait(PATIENCE)
        assert archives.under_way == 0
        assert [path for path in _open_paths() if path.startswith(f"{root}/")] == []


def test_a_client_that_does_not_read_holds_no_more_than_a_few_blocks(tmp_path: Path) -> None:
    root, archives = tree(sparse(tmp_path / "s"), small=b"hello"), Archives()
    with alone(root, archives) as (server, over):
        idle = [begun(server) for _ in range(20)]
        # Everybody waits, and no thread waits with them: whoever comes now is served.
        assert server.ask("HEAD", "/?zip").status == 200
        assert names_in(server.get("/?zip&name=small").body) == ["s/small"]
        assert archives.under_way == 20
        over.clear()
        for sock in idle:
            sock.close()
        assert over.wait(PATIENCE)


def _open_paths() -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return found
