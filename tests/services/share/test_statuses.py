"""Every status that a share answers with, one test each, by clients that share no code with it.

What a status carries is tested where it is made; here each is reached once by a request as a client would send it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.services.share.sharing import ALL, READING, Reply, Served, sharing

from lanline.http.limits import WEB
from lanline.http.password import PasswordGuard
from lanline.services.share.shared import Permissions, Shared
from lanline.services.share.site import Guard
from lanline.services.share.target import Target

CONTENT = b"0123456789" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, a full and an empty folder in it, and a link that leads out."""
    shared = tmp_path / "shared"
    (shared / "full").mkdir(parents=True)
    (shared / "empty").mkdir()
    (shared / "full" / "x").write_bytes(b"x")
    (shared / "file").write_bytes(CONTENT)
    (tmp_path / "secret").write_bytes(b"secret")
    (shared / "out").symlink_to(tmp_path / "secret")
    return shared


@pytest.fixture
def reading(folder: Path) -> Iterator[Served]:
    """A share that is only read."""
    with sharing(folder, READING) as served:
        yield served


@pytest.fixture
def writing(folder: Path) -> Iterator[Served]:
    """A share in which visitors may do everything, with files of at most 1,000 bytes."""
    with sharing(folder, Permissions(upload=True, overwrite=True, delete=True, max_upload_bytes=1000)) as served:
        yield served


def status_line(answer: bytes) -> bytes:
    """The first line of an answer."""
    return answer.partition(b"\r\n")[0]


def test_100_comes_before_the_body_is_sent(writing: Served, folder: Path) -> None:
    with writing.connect() as sock:
        sock.sendall(b"PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert status_line(sock.recv(4096)) == b"HTTP/1.1 100 Continue"
        sock.sendall(b"abc")
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 201 ")
    assert (folder / "new").read_bytes() == b"abc"


def test_no_100_comes_where_the_body_is_not_wanted(writing: Served, reading: Served) -> None:
    refused = b"PUT /no/parent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with writing.connect() as sock:
        sock.sendall(refused)
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 409 ")
    with reading.connect() as sock:
        sock.sendall(refused)
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 405 ")


def test_200_is_a_file_or_a_folder(reading: Served) -> None:
    for target, kind in (("/file", "application/octet-stream"), ("/", "text/html"), ("/?zip", "application/zip")):
        reply = reading.get(target)
        assert reply.status == 200 and reply["Content-Type"].startswith(kind)


def test_201_says_where_the_new_file_is(writing: Served, folder: Path) -> None:
    reply = writing.ask("PUT", "/empty/new%20one", body=b"new")
    assert (reply.status, reply["Location"]) == (201, "/empty/new%20one")
    assert (folder / "empty" / "new one").read_bytes() == b"new"
    assert writing.get("/empty/new%20one")["ETag"] == reply["ETag"]


def test_204_is_a_replaced_or_a_removed_file(writing: Served, folder: Path) -> None:
    assert writing.ask("PUT", "/file", body=b"other").status == 204
    assert (folder / "file").read_bytes() == b"other"
    assert writing.ask("DELETE", "/file").status == 204
    assert writing.ask("DELETE", "/empty/").status == 204
    assert not (folder / "file").exists() and not (folder / "empty").exists()


def test_204_with_allow_answers_options(reading: Served) -> None:
    for target in ("/file", "*"):
        reply = reading.ask("OPTIONS", target)
        assert reply.status == 204 and "GET" in reply["Allow"].split(", ")


def test_206_is_a_part_or_several(reading: Served) -> None:
    reply = reading.get("/file", Range="bytes=10-12")
    assert (reply.status, reply.body, reply["Content-Range"]) == (206, b"012", "bytes 10-12/1000")
    reply = reading.get("/file", Range="bytes=0-0,500-501")
    assert reply.status == 206 and reply["Content-Type"].startswith("multipart/byteranges")


def test_304_is_what_the_client_has_already(reading: Served) -> None:
    first = reading.get("/file")
    assert reading.get("/file", If_None_Match=first["ETag"]).status == 304
    assert reading.get("/file", If_Modified_Since=first["Last-Modified"]).status == 304


def test_308_leads_a_folder_to_its_slash(reading: Served) -> None:
    reply = reading.get("/full")
    assert (reply.status, reply["Location"]) == (308, "/full/")


@pytest.mark.parametrize(
    "data",
    [
        b"GET /../secret HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a%2fb HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%c0%ae HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
)
def test_400_is_what_cannot_be_understood_and_no_path_leads_out_by_it(writing: Served, data: bytes) -> None:
    with writing.connect() as sock:
        sock.sendall(data)
        answer = sock.recv(65536)
    assert status_line(answer).startswith(b"HTTP/1.1 400 "), answer
    assert not answer.endswith(b"secret")


def _guarded(folder: Path) -> Guard:
    guard = PasswordGuard("right")

    def check(request: web.BaseRequest, target: Target) -> None:
        guard.check(request.headers.get("Authorization"), "192.0.2.1", time.monotonic())

    return check


RIGHT, WRONG = "Basic dTpyaWdodA==", "Basic dTp3cm9uZw=="


def test_401_asks_for_the_password(folder: Path) -> None:
    with sharing(folder, guards=[_guarded(folder)]) as served:
        for headers in ({}, {"Authorization": WRONG}):
            reply = served.ask("GET", "/file", headers)
            assert reply.status == 401 and reply["WWW-Authenticate"].startswith("Basic ")
        assert served.get("/file", Authorization=RIGHT).body == CONTENT


def test_403_is_outside_of_what_is_shared(reading: Served) -> None:
    reply = reading.get("/out")
    assert reply.status == 403 and b"secret" not in reply.body.split()


def test_403_is_a_change_that_another_site_wants(writing: Served, folder: Path) -> None:
    assert writing.ask("DELETE", "/file", {"Origin": "http://evil.example"}).status == 403
    assert (folder / "file").exists()


def test_404_is_what_is_not_there_or_hidden(reading: Served, folder: Path) -> None:
    (folder / ".env").write_bytes(b"hidden")
    for target in ("/missing", "/missing/", "/file/", "/.env", "/.lanline/missing"):
        assert reading.get(target).status == 404, target


def test_404_is_a_folder_that_was_replaced(reading: Served, folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.mkdir()
    (folder / "file").write_bytes(b"another")
    assert reading.get("/file").status == 404


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "POST", "PATCH"])
def test_405_says_what_is_allowed(reading: Served, method: str) -> None:
    reply = reading.ask(method, "/file", body=b"")
    assert (reply.status, reply["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_405_is_the_answer_to_connect(reading: Served) -> None:
    with reading.connect() as sock:
        sock.sendall(b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n")
        answer = sock.recv(65536)
    assert status_line(answer).startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET, HEAD, OPTIONS" in answer


def test_405_is_a_file_that_may_not_be_replaced(folder: Path) -> None:
    with sharing(folder, Permissions(upload=True)) as served:
        assert served.ask("PUT", "/file", body=b"new").status == 405
    assert (folder / "file").read_bytes() == CONTENT


def test_408_is_a_request_that_does_not_come(folder: Path) -> None:
    with sharing(folder, limits=WEB._replace(header=0.05)) as served:
        assert status_line(served.raw(b"GET / HTTP/1.1\r\nHost: loc")).startswith(b"HTTP/1.1 408 ")


def test_408_is_a_body_that_stalls(folder: Path) -> None:
    with sharing(folder, ALL, limits=WEB._replace(stall=0.05)) as served:
        with served.connect() as sock:
            sock.sendall(b"PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
            assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 408 ")
    assert sorted(path.name for path in folder.iterdir()) == ["empty", "file", "full", "out"]


def test_409_is_a_missing_parent_or_a_full_folder(writing: Served, folder: Path) -> None:
    assert writing.ask("PUT", "/no/parent", body=b"x").status == 409
    assert writing.ask("DELETE", "/full/").status == 409
    assert (folder / "full" / "x").exists()


def test_412_is_a_condition_that_does_not_hold(writing: Served, folder: Path) -> None:
    tag = writing.get("/file")["ETag"]
    assert writing.ask("PUT", "/file", {"If-None-Match": "*"}, body=b"x").status == 412
    assert writing.ask("PUT", "/file", {"If-Match": '"other"'}, body=b"x").status == 412
    assert writing.ask("PUT", "/missing", {"If-Match": "*"}, body=b"x").status == 412
    assert writing.ask("DELETE", "/file", {"If-Match": '"other"'}).status == 412
    assert writing.get("/file", If_Match='"other"').status == 412
    assert (folder / "file").read_bytes() == CONTENT
    assert writing.ask("PUT", "/file", {"If-Match": tag}, body=b"x").status == 204


def test_413_is_said_before_the_first_byte_where_the_length_is_known(writing: Served, folder: Path) -> None:
    with writing.connect() as sock:
        sock.sendall(b"PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 413 ")
    chunks = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    with writing.connect() as sock:
        sock.sendall(b"PUT /new HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 413 ")
    assert not (folder / "new").exists()


def test_414_is_a_target_that_is_too_long(reading: Served) -> None:
    with reading.connect() as sock:
        sock.sendall(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 414 ")


def test_416_says_how_large_the_file_is(reading: Served) -> None:
    reply = reading.get("/file", Range="bytes=1000-")
    assert (reply.status, reply["Content-Range"]) == (416, "bytes */1000")


def test_417_is_an_expectation_that_nobody_meets(writing: Served) -> None:
    assert writing.ask("PUT", "/new", {"Expect": "a miracle"}, body=b"x").status == 417


def test_421_is_a_name_that_this_server_does_not_have(reading: Served) -> None:
    assert reading.ask("GET", "/file", {"Host": "evil.example"}).status == 421


def test_429_slows_down_whoever_guesses_the_password(folder: Path) -> None:
    with sharing(folder, guards=[_guarded(folder)]) as served:
        replies = [served.get("/file", Authorization=WRONG) for _ in range(12)]
    slowed = [reply for reply in replies if reply.status == 429]
    assert replies[0].status == 401 and slowed, "12 guesses within a minute are too many"
    assert int(slowed[0]["Retry-After"]) > 0


def test_431_is_a_header_that_is_too_long(reading: Served) -> None:
    for header in (b"X: " + b"a" * 40_000 + b"\r\n", b"".join(b"X%d: a\r\n" % number for number in range(200))):
        with reading.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
            assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 431 ")


class _Faulty:
    name = "x"
    modified_ns = 0

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        raise ZeroDivisionError("the owner's secret")


def test_500_is_a_fault_of_ours_without_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "lanline.http"):
        with sharing(tmp_path, make=lambda _: Shared(None, READING, name="x", source=_Faulty())) as served:
            reply = served.get("/x")
            assert reply.status == 500
            assert b"secret" not in reply.body and b"Traceback" not in reply.body and b".py" not in reply.body
            assert served.get("/").status == 200, "and the server goes on"


def test_501_is_a_method_that_nobody_knows(reading: Served) -> None:
    reply = reading.ask("FROB", "/file")
    assert reply.status == 501 and "GET" in reply["Allow"]


def test_503_says_when_to_come_again(folder: Path) -> None:
    with sharing(folder, ALL, limits=WEB._replace(max_connections=1)) as served, served.connect() as busy:
        busy.sendall(b"PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert status_line(busy.recv(4096)) == b"HTTP/1.1 100 Continue"
        reply: Reply = served.get("/file")
        assert reply.status == 503 and int(reply["Retry-After"]) > 0
        busy.sendall(b"abcde")
        assert status_line(busy.recv(4096)).startswith(b"HTTP/1.1 201 ")


def test_507_is_a_disk_without_room_and_is_said_before_the_first_byte(folder: Path) -> None:
    with sharing(folder, ALL) as served, served.connect() as sock:
        length = b"%d" % 2**60
        sock.sendall(
            b"PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length + b"\r\nExpect: 100-continue\r\n\r\n"
        )
        assert status_line(sock.recv(4096)).startswith(b"HTTP/1.1 507 ")
    assert not (folder / "new").exists()


def test_connections_are_kept_in_http_1_1_and_closed_in_1_0_unless_asked(reading: Served) -> None:
    request = b"GET /file HTTP/1.%d\r\nHost: localhost\r\nRange: bytes=0-0\r\n%s\r\n"
    with reading.connect() as sock:
        for _ in range(3):
            sock.sendall(request % (1, b""))
            assert status_line(_one(sock)) == b"HTTP/1.1 206 Partial Content"
    with reading.connect() as sock:
        sock.sendall(request % (0, b"Connection: keep-alive\r\n"))
        assert b"\r\nConnection: keep-alive" in _one(sock)
        sock.sendall(request % (0, b""))
        assert status_line(_one(sock)) == b"HTTP/1.0 206 Partial Content"
        assert sock.recv(1) == b"", "closed"


def _one(sock: socket.socket) -> bytes:
    """One answer with a body of one byte."""
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.partition(b"\r\n\r\n")[2]:
        piece = sock.recv(4096)
        assert piece, answer
        answer += piece
    return answer
