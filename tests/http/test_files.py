"""One file as an answer, asked for by real requests: validators, 304, 206, 412, 416."""

from __future__ import annotations

import email
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web

from lanline.http.conditions import etag_of, http_date
from lanline.http.files import answer_file
from lanline.http.sending import SMALL_BYTES
from tests.http.serving import Reply, Served, running

SIZES = {"small": 10_000, "large": 3 * SMALL_BYTES}
OLD_NS = 1_000_000_000 * 1_700_000_000


class _Held(NamedTuple):
    fd: int
    status: os.stat_result


@contextmanager
def _file(path: Path) -> Iterator[Served]:
    async def site(request: web.BaseRequest) -> web.StreamResponse:
        fd = os.open(path, os.O_RDONLY)
        try:
            return await answer_file(
                request,
                _Held(fd, os.fstat(fd)),
                content_type="text/plain; charset=utf-8",
                disposition='inline; filename="x"',
                headers={"Cache-Control": "no-cache", "X-Further": "1"},
            )
        finally:
            os.close(fd)

    with running(site) as served:
        yield served


@pytest.fixture(params=SIZES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of each size, a year old."""
    path = tmp_path / str(request.param)
    path.write_bytes(bytes(place * 7 % 251 for place in range(SIZES[str(request.param)])))
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


def _parts(reply: Reply) -> list[tuple[str, str]]:
    """Type and range of each part of a multipart answer, read by another parser than ours."""
    head = f"Content-Type: {reply['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + reply.body)
    return [(part["Content-Type"], part["Content-Range"]) for part in message.walk() if not part.is_multipart()]


def test_a_file_goes_out_whole_with_its_validators(path: Path) -> None:
    with _file(path) as served:
        reply = served.get("/")
    content = path.read_bytes()
    assert (reply.status, reply.body) == (200, content)
    assert reply["Content-Length"] == str(len(content))
    assert reply["ETag"] == etag_of(path.stat())
    assert reply["Last-Modified"] == http_date(OLD_NS // 10**9)
    assert reply["Accept-Ranges"] == "bytes"
    assert reply["Content-Disposition"] == 'inline; filename="x"'
    assert reply["X-Further"] == "1"


def test_head_is_get_without_the_body(path: Path) -> None:
    with _file(path) as served:
        got, headed = served.get("/"), served.ask("HEAD", "/")
    assert headed.body == b""
    assert sorted((name, value) for name, value in headed.headers.items() if name != "Date") == sorted(
        (name, value) for name, value in got.headers.items() if name != "Date"
    )


@pytest.mark.parametrize(
    ("text", "first", "last"), [("bytes=5-9", 5, 9), ("bytes=-3", -3, -1), ("bytes=9990-", 9990, -1)]
)
def test_one_range_is_answered_by_206(path: Path, text: str, first: int, last: int) -> None:
    content = path.read_bytes()
    first, last = first % len(content), last % len(content)
    with _file(path) as served:
        reply = served.get("/", Range=text)
    assert reply.status == 206
    assert reply["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
    assert reply.body == content[first : last + 1]
    assert reply["Content-Type"] == "text/plain; charset=utf-8"
    assert reply["ETag"] == etag_of(path.stat())


def test_several_ranges_are_answered_in_parts_in_their_order(path: Path) -> None:
    content = path.read_bytes()
    with _file(path) as served:
        reply = served.get("/", Range="bytes=5000-5009,0-0,-4")
    size = len(content)
    assert reply.status == 206
    assert reply["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert "Content-Range" not in reply.headers
    assert int(reply["Content-Length"]) == len(reply.body)
    boundary = reply["Content-Type"].rpartition("=")[2].encode()
    pieces = [piece.partition(b"\r\n\r\n") for piece in reply.body.split(b"\r\n--" + boundary)[1:-1]]
    assert [piece[2] for piece in pieces] == [content[5000:5010], content[:1], content[-4:]]
    assert _parts(reply) == [
        ("text/plain; charset=utf-8", f"bytes 5000-5009/{size}"),
        ("text/plain; charset=utf-8", f"bytes 0-0/{size}"),
        ("text/plain; charset=utf-8", f"bytes {size - 4}-{size - 1}/{size}"),
    ]


def test_large_and_small_parts_follow_one_another_exactly(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(bytes(range(256)) * 16_384)
    content = path.read_bytes()
    spans = [(3_000_000, 3_999_999), (7, 9), (500_000, 2_499_999), (4_194_303, 4_194_303)]
    with _file(path) as served:
        reply = served.get("/", Range="bytes=" + ",".join(f"{first}-{last}" for first, last in spans))
    boundary = reply["Content-Type"].rpartition("=")[2].encode()
    frames = reply.body.split(b"\r\n--" + boundary)
    assert [frame.partition(b"\r\n\r\n")[2] for frame in frames[1:-1]] == [
        content[first : last + 1] for first, last in spans
    ]
    assert (frames[0], frames[-1]) == (b"", b"--\r\n") and int(reply["Content-Length"]) == len(reply.body)


def test_ranges_that_overlap_are_sent_once_as_one(path: Path) -> None:
    with _file(path) as served:
        reply = served.get("/", Range="bytes=0-99,50-149")
    assert (reply.status, reply["Content-Range"]) == (206, f"bytes 0-149/{path.stat().st_size}")


def test_no_range_within_the_file_is_416_with_its_size(path: Path) -> None:
    with _file(path) as served:
        reply = served.get("/", Range="bytes=999999999-")
    assert (reply.status, reply["Content-Range"]) == (416, f"bytes */{path.stat().st_size}")


def test_a_range_that_is_none_gets_the_whole_file(path: Path) -> None:
    with _file(path) as served:
        assert served.get("/", Range="lines=1-2").status == 200
        assert served.get("/", Range="bytes=9-1").status == 200
        assert served.ask("HEAD", "/", {"Range": "bytes=0-1"}).status == 200, "Range is for GET alone"


def test_a_cut_download_goes_on_where_the_file_is_still_the_same(path: Path) -> None:
    with _file(path) as served:
        tag, date = etag_of(path.stat()), http_date(OLD_NS // 10**9)
        for held in (tag, date):
            assert served.get("/", Range="bytes=5-", If_Range=held).status == 206
        for other in (f"W/{tag}", '"other"', http_date(OLD_NS // 10**9 - 1), "rubbish"):
            reply = served.get("/", Range="bytes=5-", If_Range=other)
            assert (reply.status, reply.body) == (200, path.read_bytes())


def test_what_the_client_has_is_304_with_the_tag_and_no_body(path: Path) -> None:
    with _file(path) as served:
        tag = etag_of(path.stat())
        for headers in ({"If-None-Match": tag}, {"If-Modified-Since": http_date(OLD_NS // 10**9)}):
            reply = served.ask("GET", "/", headers)
            assert (reply.status, reply.body, reply["ETag"]) == (304, b"", tag)
            assert reply["Cache-Control"] == "no-cache" and reply["Date"]
            assert "Content-Type" not in reply.headers and "Content-Length" not in reply.headers


def test_a_failed_condition_is_412_and_goes_before_the_range(path: Path) -> None:
    with _file(path) as served:
        assert served.ask("GET", "/", {"If-Match": '"other"'}).status == 412
        assert served.ask("GET", "/", {"If-Match": '"other"', "Range": "bytes=0-1"}).status == 412
        assert served.ask("GET", "/", {"If-Unmodified-Since": http_date(0)}).status == 412
        assert served.ask("GET", "/", {"If-None-Match": '"other"', "Range": "bytes=0-1"}).status == 206


def test_a_date_in_the_future_is_not_sent(path: Path) -> None:
    os.utime(path, (4_000_000_000, 4_000_000_000))
    with _file(path) as served:
        reply = served.get("/")
    assert "2096" not in reply["Last-Modified"]


def test_an_empty_file_is_an_empty_answer(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with _file(path) as served:
        reply = served.get("/")
        assert (reply.status, reply.body, reply["Content-Length"]) == (200, b"", "0")
        assert served.get("/", Range="bytes=0-").status == 416


def test_http_1_0_gets_ranges_as_well(path: Path) -> None:
    with _file(path) as served:
        reply = served.raw(b"GET / HTTP/1.0\r\nRange: bytes=0-3\r\n\r\n")
    assert reply.startswith(b"HTTP/1.0 206 ") and reply.endswith(b"\r\n\r\n" + path.read_bytes()[:4])
