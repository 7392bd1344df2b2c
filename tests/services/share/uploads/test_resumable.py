"""Resumable uploads over real connections, as draft-ietf-httpbis-resumable-upload-12 has them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.services.share.serving import PATIENCE, Answered, Served, served

from lanline.services.share.shared import Permissions
from lanline.services.share.uploads import register
from lanline.services.share.uploads.fields import bytes_field
from lanline.services.share.uploads.problems import INCONSISTENT_LENGTH, MISMATCHING_OFFSET
from lanline.services.share.uploads.space import room_of
from lanline.services.share.uploads.unfinished import Unfinished

_PARTIAL = "application/partial-upload"


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "into").mkdir()
    with served(tmp_path) as share:
        yield share


def _sha256(data: bytes) -> str:
    return bytes_field({"sha-256": hashlib.sha256(data).digest()})


def _begin(share: Served, target: str = "/into/file.bin", body: Any = None, **fields: str) -> str:
    """Begins an upload, and returns its address."""
    answered = share.ask("POST", target, body, None, **{"Upload_Complete": "?0", **fields})
    assert answered.status == 201, answered
    assert answered.headers["Upload-Complete"] == "?0"
    return answered.headers["Location"]


def _append(share: Served, url: str, offset: int, data: Any, *, ends: bool = False, **fields: str) -> Answered:
    headers = {"Content-Type": _PARTIAL, "Upload-Offset": str(offset), "Upload-Complete": "?1" if ends else "?0"}
    return share.ask("PATCH", url, data, headers, **fields)


def _offset(share: Served, url: str) -> int:
    answered = share.ask("HEAD", url)
    assert answered.status == 204, answered
    assert answered.headers["Cache-Control"] == "no-store"
    assert "max-age=" in answered.headers["Upload-Limit"]
    return int(answered.headers["Upload-Offset"])


def test_a_file_arrives_in_parts_and_gets_its_name_at_the_end(share: Served) -> None:
    url = _begin(share, "/into/na%C3%AFve.bin", Upload_Length="11")
    assert url.startswith("/.lanline/uploads/")
    assert len(url.split("/")[3]) == 32
    assert url.endswith("/into")
    assert _offset(share, url) == 0
    first = _append(share, url, 0, b"hello ")
    assert (first.status, first.headers["Upload-Complete"], first.headers["Upload-Offset"]) == (204, "?0", "6")
    assert first.headers["Lanline-Chunk-Digest"] == _sha256(b"hello ")
    head = share.ask("HEAD", url).headers
    assert (head["Upload-Offset"], head["Upload-Length"], head["Upload-Complete"]) == ("6", "11", "?0")
    assert share.ask("GET", "/into/na%C3%AFve.bin").status == 404
    last = _append(share, url, 6, b"world", ends=True)
    assert (last.status, last.headers["Upload-Complete"]) == (201, "?1")
    assert last.headers["Location"] == "/into/na%C3%AFve.bin"
    assert last.headers["ETag"] == share.ask("HEAD", "/into/na%C3%AFve.bin").headers["ETag"]
    assert (share.path / "into/naïve.bin").read_bytes() == b"hello world"
    assert share.files() == ["into", "into/naïve.bin"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_first_request_may_bring_a_part_or_all_of_it(share: Served, method: str) -> None:
    begun = share.ask(method, "/part", b"hello ", Upload_Complete="?0", Upload_Length="11")
    assert (begun.status, begun.headers["Upload-Offset"]) == (201, "6")
    assert begun.headers["Lanline-Chunk-Digest"] == _sha256(b"hello ")
    assert _append(share, begun.headers["Location"], 6, b"world", ends=True).status == 201
    whole = share.ask(method, "/whole", b"hello", Upload_Complete="?1")
    assert (whole.status, whole.headers["Upload-Complete"], whole.headers["Location"]) == (201, "?1", "/whole")
    assert ((share.path / "part").read_bytes(), (share.path / "whole").read_bytes()) == (b"hello world", b"hello")
    assert share.files() == ["into", "part", "whole"]


def test_an_upload_without_content_and_one_ended_by_an_empty_request_are_whole(share: Served) -> None:
    assert share.ask("POST", "/empty", b"", Upload_Complete="?1").status == 201
    url = _begin(share, "/later")
    assert _append(share, url, 0, b"hello").status == 204
    assert _append(share, url, 5, b"", ends=True).status == 201
    assert ((share.path / "empty").read_bytes(), (share.path / "later").read_bytes()) == (b"", b"hello")


def test_a_wrong_offset_is_told_the_right_one(share: Served) -> None:
    url = _begin(share)
    assert _append(share, url, 0, b"hello").status == 204
    for offset in (0, 4, 6):
        answered = _append(share, url, offset, b"x")
        assert answered.status == 409
        assert (answered.headers["Upload-Offset"], answered.headers["Upload-Complete"]) == ("5", "?0")
        assert answered.headers["Content-Type"] == "application/problem+json"
        problem = answered.json()
        assert problem["type"] == MISMATCHING_OFFSET
        assert (problem["expected-offset"], problem["provided-offset"]) == (5, offset)
    assert _offset(share, url) == 5


def test_contradicting_lengths_are_refused_and_change_nothing(share: Served) -> None:
    begun = share.ask("POST", "/x", b"hello", Upload_Complete="?1", Upload_Length="6")
    assert (begun.status, begun.json()["type"]) == (400, INCONSISTENT_LENGTH)
    url = _begin(share, Upload_Length="10")
    assert _append(share, url, 0, b"hello", ends=True).status == 400
    assert _append(share, url, 0, b"hello", Upload_Length="11").status == 400
    assert _append(share, url, 0, b"hello world").status == 400
    assert _append(share, url, 0, b"hello", Upload_Length="10").status == 204
    assert _append(share, url, 5, b"world", ends=True).status == 201
    assert share.files() == ["into", "into/file.bin"]


def test_more_than_the_length_in_chunks_ends_the_upload(share: Served) -> None:
    url = _begin(share, Upload_Length="10")
    assert _append(share, url, 0, iter([b"hello", b"world", b"!"])).status == 400
    assert share.ask("HEAD", url).status == 404
    assert share.files() == ["into"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Upload_Length": "11"}, 400),
        ({"Upload_Length": "9"}, 400),
        ({"Content_Digest": "md5=:aGk=:"}, 400),
        ({"Content_Digest": _sha256(b"other")}, 400),
        ({"Content_Encoding": "gzip"}, 415),
    ],
)
def test_a_part_in_chunks_that_is_refused_leaves_the_upload_as_it_was(
    share: Served, fields: dict[str, Any], status: int
) -> None:
    url = _begin(share, body=b"hello", Upload_Length="10")
    assert _append(share, url, 5, iter([b"world"]), **fields).status == status
    assert _offset(share, url) == 5
    assert _append(share, url, 5, iter([b"world"]), ends=True).status == 201
    assert (share.path / "into/file.bin").read_bytes() == b"helloworld"


def test_less_than_the_length_in_chunks_is_kept_and_goes_on(share: Served) -> None:
    url = _begin(share, Upload_Length="10")
    assert _append(share, url, 0, iter([b"hello"]), ends=True).status == 400
    assert _offset(share, url) == 5
    assert _append(share, url, 5, b"world", ends=True).status == 201


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Upload-Offset": "x"}, 400),
        ({"Upload-Complete": "1"}, 400),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Range": "bytes 0-1/2"}, 400),
        ({"Content-Digest": "md5=:aGk=:"}, 400),
    ],
)
def test_a_part_that_does_not_say_what_it_is_is_refused(share: Served, fields: dict[str, str], status: int) -> None:
    url = _begin(share)
    headers = {"Content-Type": _PARTIAL, "Upload-Offset": "0", "Upload-Complete": "?0", **fields}
    assert share.ask("PATCH", url, b"xx", headers).status == status
    assert _offset(share, url) == 0


def test_a_part_with_a_wrong_digest_counts_for_nothing(share: Served) -> None:
    data = random.randbytes(20 << 20)
    url = _begin(share, Want_Repr_Digest="sha-256=1")
    wrong = _append(share, url, 0, data, Content_Digest=_sha256(b"other"))
    assert (wrong.status, wrong.headers["Upload-Offset"], wrong.headers["Upload-Complete"]) == (400, "0", "?0")
    assert "Want-Content-Digest" in wrong.headers
    assert _offset(share, url) == 0
    right = _append(share, url, 0, data, Content_Digest=_sha256(data))
    assert right.status == 204
    assert "Lanline-Chunk-Digest" not in right.headers
    sha512 = bytes_field({"sha-512": hashlib.sha512(b"end").digest()})
    last = _append(share, url, len(data), b"end", ends=True, Content_Digest=sha512)
    assert last.headers["Repr-Digest"] == _sha256(data + b"end")
    assert (share.path / "into/file.bin").read_bytes() == data + b"end"


def test_the_digest_of_the_whole_decides_at_the_end(share: Served) -> None:
    for expected, status in ((b"hello world", 201), (b"jello world", 400)):
        url = _begin(share, Repr_Digest=_sha256(expected))
        assert _append(share, url, 0, b"hello ").status == 204
        last = _append(share, url, 6, b"world", ends=True)
        assert (last.status, last.headers["Upload-Complete"]) == (status, "?1")
    assert share.files() == ["into", "into/file.bin"]


def _send_half(share: Served, url: str, data: bytes, *fields: str) -> socket.socket:
    """Sends a part of twice the length, so that it hangs in the middle."""
    connection = share.dial()
    lines = [f"PATCH {url} HTTP/1.1", "Host: localhost", f"Content-Type: {_PARTIAL}", "Upload-Offset: 0", *fields]
    lines += ["Upload-Complete: ?0", f"Content-Length: {2 * len(data)}", "Expect: 100-continue", "", ""]
    connection.sendall("\r\n".join(lines).encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.sendall(data)
    return connection


def _wait_for_part(share: Served, size: int) -> None:
    """Waits until a part file is so long."""
    until = time.monotonic() + PATIENCE
    while not any(each.stat().st_size >= size for each in share.path.rglob(".lanline-part-*")):
        assert time.monotonic() < until


def test_what_a_broken_connection_has_brought_counts(share: Served) -> None:
    data = random.randbytes(9 << 20)
    url = _begin(share)
    connection = _send_half(share, url, data)
    connection.shutdown(socket.SHUT_WR)
    assert b" 400 " in connection.recv(100)
    connection.close()
    assert _offset(share, url) == len(data)
    assert _append(share, url, len(data), b"!", ends=True).status == 201
    assert (share.path / "into/file.bin").read_bytes() == data + b"!"


def test_with_a_digest_a_broken_connection_brings_nothing(share: Served) -> None:
    data = random.randbytes(9 << 20)
    url = _begin(share)
    connection = _send_half(share, url, data, f"Content-Digest: {_sha256(data * 2)}")
    connection.close()
    assert _offset(share, url) == 0
    assert _append(share, url, 0, data, ends=True, Content_Digest=_sha256(data)).status == 201
    assert (share.path / "into/file.bin").read_bytes() == data


def test_a_new_request_ends_one_that_hangs_and_goes_on_where_it_was(share: Served) -> None:
    data = random.randbytes(1 << 20)
    url = _begin(share)
    with _send_half(share, url, data) as connection:
        _wait_for_part(share, len(data) - 65_536)  # the end of it may wait to be written
        offset = _offset(share, url)
        assert len(data) - 65_536 <= offset <= len(data)
        try:
            assert connection.recv(100) == b""
        except ConnectionError:
            pass
        assert _append(share, url, offset, data[offset:] + b"!", ends=True).status == 201
    assert (share.path / "into/file.bin").read_bytes() == data + b"!"


def test_an_upload_that_is_cancelled_leaves_nothing(share: Served) -> None:
    url = _begin(share)
    assert _append(share, url, 0, b"hello").status == 204
    with _send_half(share, _begin(share), b"x") as connection:
        assert share.ask("DELETE", url).status == 204
        assert connection.fileno() >= 0
    for method in ("HEAD", "DELETE"):
        assert share.ask(method, url).status == 404
    assert _append(share, url, 5, b"x").status == 404


def _cancels(share: Served) -> None:
    assert share.ask("DELETE", _begin(share, "/x", b"hello")).status == 204


def _has_another_digest(share: Served) -> None:
    answered = share.ask("POST", "/x", b"hello", Upload_Complete="?1", Repr_Digest=_sha256(b"jello"))
    assert answered.status == 400


def _finds_its_name_taken(share: Served) -> None:
    url = _begin(share, "/x", b"hello", If_None_Match="*")
    (share.path / "x").write_bytes(b"")
    assert _append(share, url, 5, b"", ends=True).status == 409
    (share.path / "x").unlink()


def _brings_too_much(share: Served) -> None:
    url = _begin(share, "/x", Upload_Length="5")
    assert _append(share, url, 0, iter([b"hello", b"world"])).status == 400


@pytest.mark.parametrize("end", [_cancels, _has_another_digest, _finds_its_name_taken, _brings_too_much])
def test_what_is_removed_is_closed_and_removed_beside_the_loop(
    share: Served, monkeypatch: pytest.MonkeyPatch, end: Callable[[Served], None]
) -> None:
    removed: list[tuple[bool, bool]] = []
    remove = Unfinished.remove

    def watched(upload: Unfinished) -> None:
        with suppress(FileNotFoundError):
            part = (share.path / Path(*upload.place, upload.plan.part)).stat()
            is_open = any(_is_same(number, part) for number in os.listdir("/proc/self/fd"))
            removed.append((asyncio._get_running_loop() is None, is_open))
        remove(upload)

    monkeypatch.setattr(Unfinished, "remove", watched)
    end(share)
    assert removed == [(True, False)]
    assert share.files() == ["into"]


def _is_same(descriptor: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(int(descriptor)), status)
    except OSError:
        return False  # closed meanwhile


def test_cancelling_ends_a_request_that_hangs(share: Served) -> None:
    url = _begin(share)
    with _send_half(share, url, b"x"):
        assert share.ask("DELETE", url).status == 204
        assert share.files() == ["into"]


def test_a_finished_upload_tells_so_and_repeats_its_answer(share: Served) -> None:
    url = _begin(share)
    first = _append(share, url, 0, b"hello", ends=True)
    assert first.status == 201
    head = share.ask("HEAD", url).headers
    assert (head["Upload-Complete"], head["Upload-Offset"], head["Upload-Length"]) == ("?1", "5", "5")
    again = _append(share, url, 0, b"hello", ends=True)
    assert (again.status, again.headers["Location"]) == (201, "/into/file.bin")
    assert _append(share, url, 5, b"more").status == 409
    assert share.ask("DELETE", url).status == 204
    assert share.ask("HEAD", url).status == 404
    assert (share.path / "into/file.bin").read_bytes() == b"hello"


def test_a_taken_name_gets_a_number_unless_it_must_be_new(share: Served) -> None:
    (share.path / "file").write_bytes(b"first")
    assert share.ask("POST", "/file", b"x", Upload_Complete="?1", If_None_Match="*").status == 412
    assert share.ask("POST", "/file", b"second", Upload_Complete="?1").headers["Location"] == "/file%20(2)"
    url = _begin(share, "/later", If_None_Match="*")
    (share.path / "later").write_bytes(b"first")
    last = _append(share, url, 0, b"second", ends=True)
    assert (last.status, last.headers["Upload-Complete"]) == (409, "?1")
    assert share.ask("HEAD", url).status == 404
    assert share.files() == ["file", "file (2)", "into", "later"]


def test_a_file_is_replaced_under_its_condition_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with served(tmp_path, may=Permissions(upload=True, overwrite=True)) as share:
        etag = share.ask("HEAD", "/file").headers["ETag"]
        one, other = (_begin(share, "/file", If_Match=etag) for _ in range(2))
        assert share.ask("POST", "/file", Upload_Complete="?0", If_Match='"x"').status == 412
        assert _append(share, one, 0, b"one", ends=True).status == 204
        last = _append(share, other, 0, b"other", ends=True)
        assert (last.status, last.headers["Upload-Complete"]) == (412, "?1")
        assert (share.files(), (tmp_path / "file").read_bytes()) == (["file"], b"one")


def test_the_limit_holds_for_the_whole(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions(upload=True, max_upload_bytes=10)) as share:
        answered = share.ask("POST", "/x", Upload_Complete="?0", Upload_Length="11")
        assert answered.status == 413
        assert "max-size=10" in answered.headers["Upload-Limit"]
        assert share.files() == []
        url = _begin(share, "/x")
        assert _append(share, url, 0, b"123456").status == 204
        over = _append(share, url, 6, b"78901")
        assert (over.status, over.headers["Upload-Complete"]) == (413, "?0")
        assert "max-size=10" in over.headers["Upload-Limit"]
        assert _append(share, url, 6, b"7890", ends=True).status == 201


def test_a_length_that_no_disk_has_is_refused_at_the_beginning(share: Served) -> None:
    assert share.ask("POST", "/x", Upload_Complete="?0", Upload_Length="900000000000000").status == 507
    assert share.files() == ["into"]


def test_what_is_announced_and_not_sent_keeps_no_room_from_others(share: Served) -> None:
    disk = os.open(share.path, os.O_RDONLY)
    length = room_of(disk) * 2 // 3
    os.close(disk)
    urls = [_begin(share, f"/{name}", Upload_Length=str(length)) for name in ("one", "two", "three")]
    assert [_append(share, url, 0, b"x").status for url in urls] == [204, 204, 204]


def test_one_address_begins_only_so_many_and_keeps_nobody_out(share: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "MAX_PER_VISITOR", 2)
    urls = [_begin(share) for _ in range(2)]
    answered = share.ask("POST", "/x", Upload_Complete="?0")
    assert (answered.status, "Retry-After" in answered.headers) == (429, True)
    assert b"from your address" in answered.body
    assert _begin_from("127.0.0.2", share).startswith(b"HTTP/1.1 201 ")
    assert share.ask("DELETE", urls[0]).status == 204
    _begin(share)


def _begin_from(address: str, share: Served) -> bytes:
    """Begins an upload from another address of this machine, and returns the beginning of the answer."""
    with socket.create_connection(("127.0.0.1", share.port), PATIENCE, source_address=(address, 0)) as connection:
        fields = "Host: localhost\r\nUpload-Complete: ?0\r\nContent-Length: 0\r\n"
        connection.sendall(f"POST /x HTTP/1.1\r\n{fields}\r\n".encode())
        return connection.recv(1000)


def test_where_there_are_too_many_one_without_content_makes_way(share: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "MAX_UPLOADS", 2)
    full, empty = _begin(share, body=b"hello"), _begin(share)
    third = _begin(share, body=b"hello")
    assert [share.ask("HEAD", url).status for url in (full, empty, third)] == [204, 404, 204]
    assert len(share.files()) == 1 + 2 * 2
    assert share.ask("POST", "/x", Upload_Complete="?0").status == 429
    assert share.ask("DELETE", full).status == 204
    _begin(share)


@pytest.mark.parametrize(
    ("target", "status"),
    [("/missing/x", 409), ("/.hidden", 400), ("/.lanline/x", 404), ("/missing/", 404), ("/CON", 400)],
)
def test_where_no_file_may_be_no_upload_begins(share: Served, target: str, status: int) -> None:
    assert share.ask("POST", target, Upload_Complete="?0").status == status
    assert share.files() == ["into"]


def test_post_to_a_file_without_upload_complete_is_refused(share: Served) -> None:
    assert share.ask("POST", "/x", b"hello").status == 400
    assert share.files() == ["into"]


def test_a_first_request_that_breaks_is_kept_only_where_the_client_knows_the_address(share: Served) -> None:
    head = "PUT /x HTTP/1.1\r\nHost: localhost\r\nUpload-Complete: ?1\r\nContent-Length: 100\r\n"
    with share.dial() as connection:
        connection.sendall(f"{head}\r\nhalf".encode())
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(100)
    assert share.files() == ["into"]
    with share.dial() as connection:
        connection.sendall(f"{head}Upload-Draft-Interop-Version: 8\r\n\r\n".encode())
        interim = connection.recv(1000).decode()
        assert interim.startswith("HTTP/1.1 104 Upload Resumption Supported\r\n")
        assert "Upload-Draft-Interop-Version: 8\r\n" in interim
        url = interim.split("Location: ")[1].split("\r\n")[0]
        connection.sendall(b"half")
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(100)
    assert _offset(share, url) == 4
    assert _append(share, url, 4, b"x" * 96, ends=True).status == 201
    assert (share.path / "x").read_bytes() == b"half" + b"x" * 96


def test_another_version_of_the_draft_is_not_sent_104(share: Served) -> None:
    answered = share.ask("POST", "/x", b"x", Upload_Complete="?1", Upload_Draft_Interop_Version="7")
    assert answered.status == 201


def test_who_speaks_http_1_0_is_sent_no_interim_answer(share: Served) -> None:
    with share.dial() as connection:
        fields = "Host: localhost\r\nUpload-Complete: ?0\r\nUpload-Draft-Interop-Version: 8\r\nContent-Length: 0\r\n"
        connection.sendall(f"POST /x HTTP/1.0\r\n{fields}\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.0 201 ")


def test_an_address_that_was_never_given_out_is_missing(share: Served) -> None:
    _begin(share)
    draft = next(name for name in share.files() if ".lanline-part-" in name)
    for url in ("/.lanline/uploads/" + "0" * 32, "/.lanline/uploads/..", "/.lanline/uploads", f"/{draft}"):
        assert share.ask("HEAD", url).status in (400, 404)


def test_an_upload_is_in_its_own_folder_and_in_no_other(share: Served) -> None:
    url = _begin(share)
    for wrong in (f"{url}/deeper", url.removesuffix("/into"), f"{url}x"):
        assert share.ask("HEAD", wrong).status == 404


def test_an_upload_goes_on_with_a_new_server(tmp_path: Path) -> None:
    data = random.randbytes(10 << 20)
    with served(tmp_path) as share:
        url = _begin(share, "/file", Want_Repr_Digest="sha-256=1", Upload_Length=str(len(data) + 3))
        assert _append(share, url, 0, data).status == 204
    with served(tmp_path) as share:
        assert _offset(share, url) == len(data)
        last = _append(share, url, len(data), b"end", ends=True)
        assert last.headers["Repr-Digest"] == _sha256(data + b"end")
        assert share.files() == ["file"]
        assert (tmp_path / "file").read_bytes() == data + b"end"


def test_an_upload_replaces_nothing_with_a_new_server_that_allows_less(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with served(tmp_path, may=Permissions(upload=True, overwrite=True)) as share:
        url = _begin(share, "/file", b"new")
    with served(tmp_path, may=Permissions(upload=True)) as share:
        assert _append(share, url, 3, b"er", ends=True).status == 409
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(("target", "place"), [("/.env", ""), ("/.git/hooks", "/.git")])
def test_an_upload_of_what_is_hidden_goes_on_only_where_that_is_shown(tmp_path: Path, target: str, place: str) -> None:
    (tmp_path / ".git").mkdir()
    shows = Permissions(upload=True, shows_hidden=True)
    with served(tmp_path, may=shows) as share:
        url = _begin(share, target, b"hello ")
        assert url.endswith(place)
        cancelled = _begin(share, target)
    with served(tmp_path) as share:
        for answered in (
            share.ask("HEAD", url),
            _append(share, url, 6, b"world"),
            _append(share, url, 6, b"", ends=True),
        ):
            assert answered.status == (404 if place else 400)
        assert share.ask("DELETE", cancelled).status == (404 if place else 204)
        assert not (tmp_path / target[1:]).exists()
    with served(tmp_path, may=shows) as share:
        assert _append(share, url, 6, b"world", ends=True).status == 201
        assert (tmp_path / target[1:]).read_bytes() == b"hello world"


def test_a_prefix_that_changed_on_the_disk_ends_the_upload(tmp_path: Path) -> None:
    with served(tmp_path) as share:
        url = _begin(share, "/file")
        assert _append(share, url, 0, b"hello " * 1000).status == 204
    part = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    with part.open("r+b") as file:
        file.seek(3000)
        file.write(b"J")
    with served(tmp_path) as share:
        answered = share.ask("HEAD", url)
        assert answered.status == 410
        assert share.ask("HEAD", url).status == 404
        assert share.files() == []


@pytest.mark.parametrize("has_right_check", [False, True])
def test_an_upload_whose_journal_changed_is_gone_for_good(tmp_path: Path, has_right_check: bool) -> None:
    with served(tmp_path) as share:
        url = _begin(share, "/file", b"hello")
    journal = tmp_path / f".lanline-part-{url.rsplit('/', 1)[1]}"
    text = journal.read_bytes().splitlines()[0].decode().rpartition("\t")[0].replace('"file"', "file")
    check = hashlib.blake2b(f"\t{text}".encode(), digest_size=8).hexdigest()
    journal.write_bytes(f"{text}\t{check if has_right_check else '0' * 16}\n".encode())
    with served(tmp_path) as share:
        for answered in (share.ask("HEAD", url), _append(share, url, 5, b"x"), share.ask("DELETE", url)):
            assert answered.status == 410
        assert len(share.files()) == 2


def test_without_permission_there_are_no_uploads(tmp_path: Path) -> None:
    with served(tmp_path) as share:
        url = _begin(share, "/file")
    with served(tmp_path, may=Permissions()) as share:
        assert share.ask("HEAD", url).status == 404
        assert share.ask("POST", "/file", Upload_Complete="?0").status == 405


def test_a_problem_is_json_whatever_is_asked_for(share: Served) -> None:
    url = _begin(share)
    answered = _append(share, url, 1, b"x", Accept="text/html")
    assert json.loads(answered.body)["status"] == 409


def test_options_tells_that_uploads_can_be_resumed_and_their_limits(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions(upload=True, max_upload_bytes=10)) as share:
        for target in ("/new", "*"):
            assert "max-size=10" in share.ask("OPTIONS", target).headers["Upload-Limit"]
        assert "Upload-Limit" not in share.ask("OPTIONS", "/").headers
    with served(tmp_path, may=Permissions()) as share:
        assert "Upload-Limit" not in share.ask("OPTIONS", "*").headers
