"""Hostile requests against a whole share with every permission: never a 500, never a byte from outside, never the end.

The server is real, and so are its folder, its links out of it and the requests, byte by byte. What must never come back
or be written over is a marker: it lies beside the folder, in hidden files and in an unfinished upload.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import socket
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.http.serving import PATIENCE, Served, running

from lanline.beneath import Folder, check_name
from lanline.http.exchange import Exchange
from lanline.services.share.assembly import site_of
from lanline.services.share.shared import Permissions, Shared

MARKER = b"9f1c7e-marker-that-nobody-may-read-e7c1f9"
ALL = Permissions(upload=True, overwrite=True, delete=True, max_upload_bytes=1_000)
FAULTS = {500, 502, 504}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
"""Some hundred requests: two seconds on an idle machine, and much more on a busy one."""

BOUNDED = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The ground is planted anew for each example."""


class Ground:
    """A share that is up, what it shares, and every answer it gave so far."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "shared"
        self.outside = place / "outside"
        self.exchanges: list[Exchange] = []
        self.served: Served
        self.folder.mkdir()
        self.outside.mkdir()
        (self.outside / "marker").write_bytes(MARKER)
        (place / "marker").write_bytes(MARKER)

    def plant(self) -> None:
        """Brings the shared folder to what it was, whatever the last request made of it."""
        for each in self.folder.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        (self.folder / "a.txt").write_bytes(b"0123456789")
        (self.folder / "sub" / "deep").mkdir(parents=True)
        (self.folder / "sub" / "b.html").write_bytes(b"<script>1</script>")
        (self.folder / "sub" / "deep" / os.fsdecode(b"caf\xe9")).write_bytes(b"latin")
        (self.folder / ".git").mkdir()
        for hidden in (".env", ".git/config", ".lanline-part-0123456789ab"):
            (self.folder / hidden).write_bytes(MARKER)
        for name, target in (
            ("out", "../outside"),
            ("up", ".."),
            ("file", "../marker"),
            ("far", str(self.outside)),
            ("circle", "circle"),
            ("in", "sub"),
            ("sub/back", "../../outside"),
        ):
            (self.folder / name).symlink_to(target)
        os.mkfifo(self.folder / "pipe")

    def send(self, request: bytes, *, plants: bool = True) -> bytes:
        """All that comes back for these bytes, and a look at what it must never be."""
        if plants:
            self.plant()
        before = len(self.exchanges)
        received = bytearray()
        with socket.create_connection(("127.0.0.1", self.served.port), timeout=PATIENCE) as sock:
            with suppress(ConnectionError):  # a server may refuse and close while we are still sending
                sock.sendall(request)
                sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while piece := sock.recv(65536):
                    received += piece
        answer = bytes(received)
        assert not FAULTS & {each.status for each in self.exchanges[before:]}, self.exchanges[before:]
        assert not answer or answer.startswith(b"HTTP/1."), answer[:200]
        assert not any(answer.startswith(b"HTTP/1.%d %d" % (minor, code)) for minor in (0, 1) for code in FAULTS)
        assert MARKER not in answer
        assert MARKER not in _unpacked(answer)
        self.check_outside()
        return answer

    def check_outside(self) -> None:
        """Passes while everything outside is as it was."""
        assert os.listdir(self.outside) == ["marker"]
        assert (self.outside / "marker").read_bytes() == MARKER
        assert sorted(os.listdir(self.folder.parent)) == ["marker", "outside", "shared"]
        assert (self.folder.parent / "marker").read_bytes() == MARKER


def _unpacked(answer: bytes) -> bytes:
    """What the files of a zip in this answer hold, sent in chunks or not."""
    begin = answer.find(b"PK\x03\x04")
    if begin < 0:
        return b""
    try:
        body = answer.partition(b"\r\n\r\n")[2]
        if b"chunked" in answer.partition(b"\r\n\r\n")[0].lower():
            body = _joined(body)
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError):
        return b""  # a range of one, or one that was cut off


def _joined(chunks: bytes) -> bytes:
    whole = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        whole, chunks = whole + rest[:length], rest[length + 2 :]
    return whole


@pytest.fixture
def ground(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Ground]:
    """One share for all requests of a test. Afterwards it answers as before, and has told its owner of no fault."""
    found = Ground(tmp_path)
    with Folder(found.folder) as held, caplog.at_level(logging.ERROR):
        site = site_of(Shared(held, ALL, name="shared"))
        with running(site, heard=found.exchanges.append) as found.served:
            yield found
            found.plant()
            assert found.served.get("/a.txt").body == b"0123456789"
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def often(usual: list[bytes], odd: list[bytes], *, times: int = 8) -> some.SearchStrategy[bytes]:
    """Mostly something usual: a request that is odd in every part is refused at its first."""
    return some.integers(0, times).flatmap(lambda number: some.sampled_from(usual if number else odd))


def _escapes(text: str) -> list[bytes]:
    """A name as it may stand in a target: bare, escaped in part or whole, or twice."""
    data = text.encode("utf-8", "surrogateescape")
    whole = b"".join(b"%%%02X" % byte for byte in data)
    fit = b"".join(bytes([byte]) if 0x21 <= byte < 0x7F and byte != 0x25 else b"%%%02x" % byte for byte in data)
    return [fit, fit, fit, whole, whole.lower(), whole.replace(b"%", b"%25"), data.replace(b" ", b"%20")]


USUAL = [
    "a.txt",
    "sub",
    "sub/deep",
    "sub/b.html",
    "sub/deep/caf\udce9",
    "new",
    "sub/new",
    "new/new",
    "in",
    "in/b.html",
    "",
]
BAIT = ["out", "out/marker", "up/marker", "up/outside/marker", "file", "far/marker", "sub/back/marker", "in/back/new"]
BAIT += ["out/new", "far/new/new", "up/new", "file/new", "circle", "pipe", "pipe/x", "sub/../../marker", "../marker"]
BAIT += [".git", ".git/config", ".env", ".lanline-part-0123456789ab", "sub/.lanline-part-x", ".lanline/page.js"]
BAIT += [
    ".lanline/uploads/x",
    ".lanline/../../marker",
    "con",
    "sub/nul.txt",
    "x" * 256,
    "a\0b",
    "a\\b",
    "..\\..\\marker",
]
BAIT += ["sub/%", "a:b", "a.txt.", "\U0001f600", "\u202e", "a\r\nX: y", "a\tb", "\udcc0\udcae/marker", "\udcff"]
PATHS = some.one_of(
    some.sampled_from(USUAL), some.sampled_from(BAIT), some.text(some.characters(exclude_categories=["Cs"]), max_size=6)
)
PLACES = some.sampled_from([b"/", b"/", b"/sub/", b"/in/", b"/out/", b"/up/", b"/.git/", b"/new/"])
BETWEEN = often([b"/"], [b"//", b"/./", b"/../", b"\\", b"%2f", b"%5c", b"%2e%2e/", b"%c0%af", b";/", b"%00"], times=12)
MORE = [b"?tar&name=up", b"?zip&name=.git", b"?zip&name=%00", b"?tar&name=%ff", b"?zip&tar", b"?a=%", b"?tar&name=pipe"]
QUERIES = often(
    [b"", b"", b"", b"?zip", b"?tar", b"?download"],
    [b"?", b"?zip&name=..", b"?zip&name=%2e%2e%2fmarker", b"?zip&name=out&name=file", b"?zip&name=sub", b"?%", *MORE],
    times=3,
)


@some.composite
def targets(draw: some.DrawFn) -> bytes:
    """A target, more or less of one."""
    path = draw(often([b"/"], [b"", b"*", b"//", b"http://127.0.0.1/", b"file:///", b"/\\", b"%2f"], times=12))
    for name in draw(PATHS).split("/"):
        path += draw(some.sampled_from(_escapes(name))) + draw(BETWEEN)
    if draw(some.booleans()):
        path = path.rstrip(b"/") or b"/"
    path += draw(QUERIES)
    return bytes(byte for byte in path if byte not in b" \r\n\t") or b"/"


NUMBERS = some.one_of(some.integers(0, 12), some.integers(0, 12), some.integers(-(2**70), 2**70)).map(
    lambda number: b"%d" % number
)
ONE_RANGE = some.tuples(some.one_of(NUMBERS, some.just(b"")), some.one_of(NUMBERS, some.just(b""))).map(b"-".join)
RANGES = some.tuples(
    often([b"bytes="], [b"bytes = ", b"bytes", b"lines=", b"", b"Bytes="]),
    some.lists(
        some.one_of(ONE_RANGE, ONE_RANGE, often([b"0-0", b"-1"], [b"", b" 0-1 ", b"x-y", b"-"])), max_size=20
    ).map(b",".join),
).map(b"".join)
TAGS = some.sampled_from([b"*", b'"x"', b'W/"x"', b'"a", "b"', b"x", b'"', b"", b'W/"', b'"\xff"'])
DATES = some.sampled_from(
    [b"Thu, 01 Jan 1970 00:00:00 GMT", b"Fri, 31 Dec 9999 23:59:59 GMT", b"Thu, 99 Foo 0000 99:99:99 GMT", b"0", b"now"]
)
ANYTHING = some.binary(max_size=20).map(lambda data: bytes(byte for byte in data if byte not in b"\r\n\0"))
FIELDS = some.one_of(
    some.tuples(some.just(b"Range"), RANGES),
    some.tuples(some.just(b"If-Range"), some.one_of(TAGS, DATES)),
    some.tuples(some.sampled_from([b"If-Match", b"If-None-Match"]), TAGS),
    some.tuples(some.sampled_from([b"If-Modified-Since", b"If-Unmodified-Since"]), DATES),
    some.tuples(
        some.just(b"Accept"), some.sampled_from([b"application/json", b"text/html", b"*/*;q=0", b"json;q=x", b","])
    ),
    some.tuples(some.just(b"Expect"), some.sampled_from([b"100-continue", b"200-ok"])),
    some.tuples(some.just(b"Content-Type"), some.one_of(ANYTHING, some.just(b"multipart/form-data; boundary=B"))),
    some.tuples(some.just(b"Content-Encoding"), some.sampled_from([b"gzip", b"deflate", b"br", b"identity"])),
    some.tuples(some.just(b"Origin"), some.sampled_from([b"null", b"http://evil.example", b"http://127.0.0.1"])),
    some.tuples(some.just(b"Upload-Complete"), some.sampled_from([b"?0", b"?1", b"?2", b"1", b""])),
    some.tuples(some.sampled_from([b"Upload-Offset", b"Upload-Length"]), some.one_of(NUMBERS, ANYTHING)),
    some.tuples(
        some.just(b"Content-Digest"), some.sampled_from([b"sha-256=:AAAA:", b"sha-256=:", b"md5=:AA==:", b"="])
    ),
    some.tuples(some.just(b"Content-Length"), NUMBERS),
    some.tuples(
        some.just(b"Transfer-Encoding"), some.sampled_from([b"chunked", b"gzip", b"chunked, chunked", b"identity"])
    ),
    some.tuples(some.just(b"Content-Range"), some.sampled_from([b"bytes 0-3/4", b"bytes */*", b"x"])),
    some.tuples(some.just(b"Authorization"), some.sampled_from([b"Basic ", b"Basic YTpi", b"Bearer x", b"Basic \xff"])),
    some.tuples(some.sampled_from([b"Host", b"Connection", b"Upgrade", b"Cookie", b"X"]), ANYTHING),
)
METHODS = often(
    [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH"],
    [b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"G", b"MKCOL", b"PRI"],
)
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
)
BODIES = some.one_of(
    some.just(b""),
    some.binary(max_size=100),
    some.sampled_from(
        [b"../../marker", b"out/x", b"a/b/c", b"..\\x", b"", b"con", b"/etc/x", b"sub", b"a.txt", b"\xff"]
    ).map(lambda name: FORM % name),
    some.just(b"4\r\nabcd\r\n0\r\n\r\n"),
    some.just(b"x" * 1_500),
    some.just(b"name=out&name=../marker&name=sub"),
)


@some.composite
def requests(draw: some.DrawFn) -> bytes:
    """A request, whose length tells the truth more often than not."""
    body: bytes = draw(BODIES)
    version = draw(often([b"1.1"], [b"1.0", b"2.0", b"0.9", b"9"]))
    lines: list[bytes] = [b"%s %s HTTP/%s" % (draw(METHODS), draw(targets()), version)]
    if draw(some.integers(0, 9)):
        lines.append(b"Host: 127.0.0.1")
    lines += [b": ".join(field) for field in draw(some.lists(FIELDS, max_size=3))]
    if body and draw(some.integers(0, 4)):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_another_version_of_http_is_refused_in_ours(ground: Ground) -> None:
    for version in (b"2.0", b"0.9"):
        answer = ground.send(b"GET /a.txt HTTP/%s\r\nHost: 127.0.0.1\r\n\r\n" % version)
        assert answer.startswith(b"HTTP/1.1 505 ")


@given(target=targets(), method=some.sampled_from([b"GET", b"HEAD", b"OPTIONS"]))
@BOUNDED
def test_no_target_reaches_outside(ground: Ground, target: bytes, method: bytes) -> None:
    answer = ground.send(b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % (method, target))
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]


@given(target=targets(), body=BODIES)
@BOUNDED
def test_nothing_is_written_outside(ground: Ground, target: bytes, body: bytes) -> None:
    kinds = ((b"PUT", b"text/plain"), (b"POST", b"multipart/form-data; boundary=B"), (b"DELETE", b"text/plain"))
    for method, kind in kinds:
        head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: %s\r\n" % (
            method,
            target,
            kind,
        )
        ground.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    ground.check_outside()
    assert not _active(ground.folder)


def _active(folder: Path) -> list[str]:
    """Files with rights that no upload may have."""
    return [
        str(each)
        for each in folder.rglob("*")
        if not each.is_symlink() and each.is_file() and each.stat().st_mode & 0o7111
    ]


@given(names=some.lists(some.one_of(PATHS, some.text(max_size=20)), min_size=1, max_size=3), place=PLACES)
@BOUNDED
def test_no_file_name_in_a_form_leads_outside(ground: Ground, names: list[str], place: bytes) -> None:
    body = b""
    for name in names:
        written = name.encode("utf-8", "surrogateescape").replace(b'"', b"%22").replace(b"\r", b"").replace(b"\n", b"")
        body += b'--B\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\nhello\r\n' % written
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % place
    head += b"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n" % (len(body) + 7)
    answer = ground.send(head + body + b"--B--\r\n")
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    for each in ground.folder.rglob("*"):
        if each.is_file() and not each.is_symlink() and each.read_bytes() == b"hello":
            check_name(each.name, is_new=True)
            assert not each.name.startswith(".")


STEPS = some.tuples(
    some.sampled_from([b"PATCH", b"PATCH", b"PATCH", b"HEAD", b"GET", b"DELETE", b"PUT"]),
    some.one_of(
        some.just(b""), some.just(b""), some.sampled_from([b"/x", b"/../x", b"/..%2f..", b"%00", b"/out", b"/"])
    ),
    some.one_of(some.integers(0, 8), some.integers(-(2**70), 2**70)),
    some.sampled_from([b"?0", b"?1", b"1"]),
    some.sampled_from([b"", b"a", b"abcd", b"x" * 1_500]),
)


@given(target=targets(), complete=some.sampled_from([b"?0", b"?0", b"?1"]), steps=some.lists(STEPS, max_size=5))
@BOUNDED
def test_no_upload_in_parts_leads_outside(
    ground: Ground, target: bytes, complete: bytes, steps: list[tuple[bytes, bytes, int, bytes, bytes]]
) -> None:
    always = b"Host: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/partial-upload\r\n"
    head = b"POST %s HTTP/1.1\r\n%sUpload-Complete: %s\r\nContent-Length: 4\r\n\r\n" % (target, always, complete)
    begun = re.search(rb"Location: (\S+)", ground.send(head + b"abcd"))
    address = begun[1] if begun else b"/.lanline/uploads/0123456789ab"
    for method, tail, offset, is_last, body in steps:
        lines = b"Upload-Offset: %d\r\nUpload-Complete: %s\r\nContent-Length: %d\r\n" % (offset, is_last, len(body))
        ground.send(b"%s %s HTTP/1.1\r\n%s%s\r\n%s" % (method, address + tail, always, lines, body), plants=False)
    assert not _active(ground.folder)


@given(names=some.lists(PATHS, max_size=4), kind=some.sampled_from([b"zip", b"tar"]), place=PLACES)
@BOUNDED
def test_no_selection_packs_what_is_outside(ground: Ground, names: list[str], kind: bytes, place: bytes) -> None:
    fields = b"".join(b"&name=" + b"".join(b"%%%02X" % byte for byte in os.fsencode(name)) for name in names)
    answer = ground.send(
        b"GET %s?%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % (place, kind, fields)
    )
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]


@given(fields=some.lists(RANGES, min_size=1, max_size=2), tag=some.one_of(some.none(), TAGS, DATES))
@BOUNDED
def test_no_range_is_more_than_the_file(ground: Ground, fields: list[bytes], tag: bytes | None) -> None:
    lines = [b"GET /a.txt HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close", *(b"Range: " + one for one in fields)]
    if tag is not None:
        lines.append(b"If-Range: " + tag)
    answer = ground.send(b"\r\n".join(lines) + b"\r\n\r\n")
    assert answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 206", b"HTTP/1.1 400", b"HTTP/1.1 416"), answer[:200]


@given(request=requests())
@BOUNDED
def test_no_request_breaks_the_server(ground: Ground, request: bytes) -> None:
    assert b"Traceback" not in ground.send(request)


@given(
    one=requests(),
    other=requests(),
    cuts=some.lists(some.tuples(some.floats(0, 1), some.binary(max_size=3)), min_size=1, max_size=2),
)
@BOUNDED
def test_no_flipped_bytes_break_the_server(
    ground: Ground, one: bytes, other: bytes, cuts: list[tuple[float, bytes]]
) -> None:
    data = bytearray(one + other)
    for where, what in cuts:
        at = int(where * len(data))
        data[at : at + len(what)] = what
    assert b"Traceback" not in ground.send(bytes(data))
