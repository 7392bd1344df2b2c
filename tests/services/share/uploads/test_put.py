"""PUT over real connections: whole files under their names, or nothing."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.share.serving import Served, served

from lanline.beneath import Draft
from lanline.services.share.shared import Permissions
from lanline.services.share.uploads.fields import bytes_field

_MAY_REPLACE = Permissions(upload=True, overwrite=True)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as share:
        yield share


@pytest.fixture
def replacing(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, may=_MAY_REPLACE) as share:
        yield share


def _heads(connection: socket.socket) -> bytes:
    """What comes up to the end of a header."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            break
        data += more
    return data


def _begun(share: Served, target: str, fields: str) -> socket.socket:
    """A connection on which a PUT has begun that waits to be asked for its body."""
    connection = share.dial()
    connection.sendall(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{fields}\r\n".encode())
    return connection


def _sha256(data: bytes) -> str:
    return bytes_field({"sha-256": hashlib.sha256(data).digest()})


def test_a_new_file_is_created_with_its_address_and_its_tag(share: Served) -> None:
    answered = share.ask("PUT", "/na%C3%AFve%20file.txt", b"hello")
    assert answered.status == 201
    assert answered.headers["Location"] == "/na%C3%AFve%20file.txt"
    assert (share.path / "naïve file.txt").read_bytes() == b"hello"
    assert answered.headers["ETag"] == share.ask("HEAD", "/na%C3%AFve%20file.txt").headers["ETag"]
    assert share.files() == ["naïve file.txt"]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1 << 20, (5 << 20) + 7])
def test_every_size_arrives_whole(share: Served, size: int) -> None:
    data = hashlib.shake_128(str(size).encode()).digest(size)
    assert share.ask("PUT", "/file", data).status == 201
    assert (share.path / "file").read_bytes() == data


def test_a_body_in_chunks_of_unknown_length_arrives_whole(share: Served) -> None:
    assert share.ask("PUT", "/file", iter([b"a" * 100_000, b"b", b"c" * 3_000_000])).status == 201
    assert (share.path / "file").read_bytes() == b"a" * 100_000 + b"b" + b"c" * 3_000_000


def test_a_file_that_is_there_is_replaced_only_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with served(tmp_path) as share:
        answered = share.ask("PUT", "/file", b"new")
        assert answered.status == 405
        assert "PUT" not in answered.headers["Allow"]
    with served(tmp_path, may=_MAY_REPLACE) as share:
        answered = share.ask("PUT", "/file", b"new")
        assert answered.status == 204
        assert answered.headers["ETag"] == share.ask("HEAD", "/file").headers["ETag"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_without_upload_nothing_is_taken(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions()) as share:
        answered = share.ask("PUT", "/file", b"x")
        assert answered.status == 405
        assert answered.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert share.files() == []


def test_conditions_are_judged_before_the_body(replacing: Served) -> None:
    (replacing.path / "file").write_bytes(b"old")
    etag = replacing.ask("HEAD", "/file").headers["ETag"]
    assert replacing.ask("PUT", "/file", b"x", If_None_Match="*").status == 412
    assert replacing.ask("PUT", "/file", b"x", If_Match='"other"').status == 412
    assert replacing.ask("PUT", "/missing", b"x", If_Match="*").status == 412
    assert replacing.ask("PUT", "/file", b"new", If_Match=etag).status == 204
    assert replacing.ask("PUT", "/file", b"newer", If_Match=etag).status == 412
    assert (replacing.path / "file").read_bytes() == b"new"
    assert replacing.ask("PUT", "/other", b"x", If_None_Match="*").status == 201


def test_a_file_that_changes_while_the_body_comes_is_not_replaced_under_a_condition(replacing: Served) -> None:
    (replacing.path / "file").write_bytes(b"old")
    etag = replacing.ask("HEAD", "/file").headers["ETag"]
    with _begun(replacing, "/file", f"If-Match: {etag}\r\nContent-Length: 3\r\n") as connection:
        assert _heads(connection).startswith(b"HTTP/1.1 100 ")
        assert replacing.ask("PUT", "/file", b"between").status == 204
        connection.sendall(b"new")
        assert b" 412 " in _heads(connection)
    assert (replacing.path / "file").read_bytes() == b"between"
    assert replacing.files() == ["file"]


def test_a_missing_folder_and_a_folder_of_that_name_are_conflicts(share: Served) -> None:
    (share.path / "folder").mkdir()
    assert share.ask("PUT", "/missing/file", b"x").status == 409
    assert share.ask("PUT", "/folder", b"x").status == 405
    assert share.files() == ["folder"]


def test_a_name_that_was_taken_meanwhile_is_a_conflict(share: Served) -> None:
    with _begun(share, "/file", "Content-Length: 3\r\n") as connection:
        assert _heads(connection).startswith(b"HTTP/1.1 100 ")
        (share.path / "file").write_bytes(b"first")
        connection.sendall(b"new")
        assert b" 409 " in _heads(connection)
    assert (share.path / "file").read_bytes() == b"first"
    assert share.files() == ["file"]


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/big", "Content-Length: 1001\r\n", 413),
        ("/file", "Content-Length: 5\r\nContent-Range: bytes 0-4/10\r\n", 400),
        ("/file", "Content-Length: 5\r\nContent-Encoding: gzip\r\n", 415),
        ("/file", "Content-Length: 5\r\nContent-Digest: md5=:aGk=:\r\n", 400),
        ("/missing/file", "Content-Length: 5\r\n", 409),
        ("/.hidden", "Content-Length: 5\r\n", 400),
        ("/.lanline/file", "Content-Length: 5\r\n", 404),
        ("/.lanline-part-00", "Content-Length: 5\r\n", 400),
        ("/NUL.txt", "Content-Length: 5\r\n", 400),
    ],
)
def test_what_is_refused_is_refused_before_the_body_travels(
    tmp_path: Path, target: str, fields: str, status: int
) -> None:
    may = Permissions(upload=True, max_upload_bytes=1000)
    with served(tmp_path, may=may) as share, _begun(share, target, fields) as connection:
        assert _heads(connection).startswith(f"HTTP/1.1 {status} ".encode())
        assert share.files() == []


def test_a_compressed_body_is_refused_in_the_same_words_everywhere(share: Served) -> None:
    share.ask("PUT", "/file", b"")
    form = {"Content-Type": "multipart/form-data; boundary=x", "Content-Encoding": "gzip"}
    said = [
        share.ask("PUT", "/new", b"x", Content_Encoding="gzip"),
        share.ask("POST", "/new", b"x", Content_Encoding="gzip", Upload_Complete="?1"),
        share.ask("POST", "/", b"x", form),
    ]
    assert {(each.status, each.body, each.headers["Accept-Encoding"]) for each in said} == {
        (415, said[0].body, "identity")
    }
    assert share.files() == ["file"]


def test_a_length_that_no_disk_has_is_refused_before_the_body_travels(share: Served) -> None:
    with _begun(share, "/file", "Content-Length: 900000000000000\r\n") as connection:
        assert _heads(connection).startswith(b"HTTP/1.1 507 ")
    assert share.files() == []


def test_a_body_of_unknown_length_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions(upload=True, max_upload_bytes=1000)) as share:
        assert share.ask("PUT", "/file", iter([b"x" * 600, b"x" * 600])).status == 413
        assert share.files() == []


def test_a_body_that_is_cut_off_leaves_nothing(share: Served) -> None:
    with share.dial() as connection:
        connection.sendall(b"PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert _heads(connection).startswith(b"HTTP/1.1 400 ")
    assert share.files() == []


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("PUT /new", b"half"),
        ("POST /", b'--x\r\nContent-Disposition: form-data; name="f"; filename="new"\r\n\r\nhalf'),
        ("POST /", b'--x\r\nContent-Disposition: form-data; name="f"; filename="new"\r\n\r\n' + b"x" * 101),
    ],
)
def test_what_came_of_a_body_is_removed_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, body: bytes
) -> None:
    removed: list[bool] = []
    discard = Draft.discard

    def watched(draft: Draft) -> None:
        if draft.fd >= 0:
            removed.append(asyncio._get_running_loop() is None)
        discard(draft)

    monkeypatch.setattr(Draft, "discard", watched)
    with served(tmp_path, may=Permissions(upload=True, max_upload_bytes=100)) as share, share.dial() as connection:
        fields = f"Host: localhost\r\nContent-Length: {len(body) + 1}\r\nContent-Type: multipart/form-data; boundary=x"
        connection.sendall(f"{head} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(1000)
        assert share.files() == []
    assert removed == [True]


def test_a_server_that_stops_in_mid_body_leaves_nothing(share: Served) -> None:
    with _begun(share, "/file", "Content-Length: 100\r\n") as connection:
        assert _heads(connection).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"half")
        assert len(share.files()) == 1
        share.stop()
    assert share.files() == []


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
def test_a_digest_is_compared_and_a_wrong_one_leaves_nothing(share: Served, field: str) -> None:
    assert share.ask("PUT", "/wrong", b"hello", {field: _sha256(b"jello")}).status == 400
    assert share.files() == []
    assert share.ask("PUT", "/right", b"hello", {field: _sha256(b"hello")}).status == 201
    long = b"x" * 3_000_000
    sha512 = bytes_field({"sha-512": hashlib.sha512(long).digest()})
    assert share.ask("PUT", "/long", long, {field: sha512}).status == 201


def test_a_digest_is_told_to_whoever_wants_it(share: Served) -> None:
    answered = share.ask("PUT", "/file", b"hello", Want_Repr_Digest="sha-256=1")
    assert answered.headers["Repr-Digest"] == _sha256(b"hello")
    assert "Repr-Digest" not in share.ask("PUT", "/other", b"hello").headers


def test_nothing_is_written_through_a_link(share: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (share.path / "link").symlink_to(outside)
    assert share.ask("PUT", "/link/file", b"x").status == 403
    assert list(outside.iterdir()) == []


def test_names_with_a_dot_are_taken_where_the_hidden_is_shown(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions(upload=True, shows_hidden=True)) as share:
        assert share.ask("PUT", "/.profile", b"x").status == 201
        assert share.ask("PUT", "/.lanline-part-x", b"x").status == 400
        assert share.ask("PUT", "/.lanline/x", b"x").status == 404
        assert share.files() == [".profile"]


def test_an_address_with_a_slash_makes_an_empty_folder(share: Served) -> None:
    answered = share.ask("PUT", "/new%20folder/")
    assert (answered.status, answered.headers["Location"]) == (201, "/new%20folder/")
    assert (share.path / "new folder").is_dir()
    assert share.ask("PUT", "/new%20folder/").status == 405
    assert share.ask("PUT", "/missing/folder/").status == 409
    assert share.ask("PUT", "/other/", b"content").status == 400
    assert share.ask("PUT", "/.hidden/").status == 400
    assert share.ask("PUT", "/new%20folder/", If_None_Match="*").status in (405, 412)
    assert share.files() == ["new folder"]
