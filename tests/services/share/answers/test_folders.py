"""Listings as answers: small ones at once, large ones in blocks that hold nobody up."""

from __future__ import annotations

import json
import re
import socket
import threading
from pathlib import Path

from aiohttp import web
from tests.http.serving import running
from tests.services.share.sharing import READING, sharing

from lanline.beneath import Folder
from lanline.services.share.answers.folders import PAGE_POLICY, Folders
from lanline.services.share.answers.listing import BLOCK_ENTRIES
from lanline.services.share.shared import Shared
from lanline.services.share.target import target_of


def test_the_policy_of_the_page_names_no_other_site_and_nothing_inline() -> None:
    sources = {source for part in PAGE_POLICY.split(";") for source in part.split()[1:]}
    assert sources == {"'none'", "'self'", "'nonce-{nonce}'", "data:", "'script'"}
    assert "frame-ancestors 'none'" in PAGE_POLICY


def test_scripts_and_sheets_carry_a_number_of_this_answer_alone(tmp_path: Path) -> None:
    (tmp_path / "$nonce").touch()
    seen = set()
    with sharing(tmp_path) as served:
        for _ in range(2):
            reply = served.get("/")
            (nonce,) = set(re.findall(r"'nonce-([0-9a-f]{32})'", reply["Content-Security-Policy"]))
            loads = re.findall(rb'<(?:script|link rel="(?:stylesheet|modulepreload)")[^>]*>', reply.body)
            assert len(loads) > 3 and all(b'nonce="%s"' % nonce.encode() in each for each in loads)
            assert "script-src 'nonce-" in reply["Content-Security-Policy"]
            assert b">$nonce</a>" in reply.body, "names are not the shell"
            seen.add(nonce)
    assert len(seen) == 2


def test_a_folder_of_one_block_has_a_length_and_a_larger_one_comes_in_chunks(tmp_path: Path) -> None:
    for number in range(BLOCK_ENTRIES):
        (tmp_path / f"{number:04}").touch()
    with sharing(tmp_path) as served:
        assert "Content-Length" in served.get("/", Accept="application/json")
        (tmp_path / "one more").touch()
        reply = served.get("/", Accept="application/json")
        assert reply["Transfer-Encoding"] == "chunked"
        assert len(json.loads(reply.body)["entries"]) == BLOCK_ENTRIES + 1


def test_whoever_reads_a_large_listing_slowly_holds_nobody_up(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / (f"{number:04}" + "x" * 200)).touch()
    (tmp_path / "a").write_bytes(b"a")
    with sharing(tmp_path) as served, served.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        assert served.get("/a").body == b"a"


def test_several_large_listings_at_once_are_each_whole(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:04}").touch()
    counts: list[int] = []
    with sharing(tmp_path) as served:

        def read() -> None:
            counts.append(len(json.loads(served.get("/", Accept="application/json").body)["entries"]))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [600] * 4


def test_large_listings_that_nobody_reads_are_bounded_and_small_ones_go_on(tmp_path: Path) -> None:
    count = 16_000  # about 10 MB: more than a socket holds
    for number in range(count):
        (tmp_path / (f"{number:05}" + "x" * 240)).touch()
    (tmp_path / "small").mkdir()
    asking = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    folders = Folders((b"", b"", b""), most=2 * count)
    with Folder(tmp_path) as held:
        shared = Shared(held, READING, name="s")

        async def site(request: web.BaseRequest) -> web.StreamResponse:
            return await folders.answer(request, target_of(request.raw_path), shared)

        with running(site) as served, socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", served.port))
            slow.sendall(asking)
            assert slow.recv(12) == b"HTTP/1.1 200"
            refused = served.get("/")
            assert (refused.status, refused["Retry-After"]) == (503, "5")
            assert served.get("/small/").status == 200
        with running(site) as served:
            assert served.get("/").status == 200


def test_a_listing_over_the_bound_is_sent_when_it_is_alone(tmp_path: Path) -> None:
    for number in range(BLOCK_ENTRIES + 1):
        (tmp_path / f"{number:04}").touch()
    folders = Folders((b"", b"", b""), most=1)
    with Folder(tmp_path) as held:
        shared = Shared(held, READING, name="s")

        async def site(request: web.BaseRequest) -> web.StreamResponse:
            return await folders.answer(request, target_of(request.raw_path), shared)

        with running(site) as served:
            assert [served.get("/").status for _ in range(2)] == [200] * 2
