"""Listings as answers: small ones at once, large ones in blocks that hold nobody up."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from tests.services.share.sharing import sharing

from lanline.services.share.folders import PAGE_POLICY
from lanline.services.share.listing import BLOCK_ENTRIES


def test_the_policy_of_the_page_names_no_other_site_and_nothing_inline() -> None:
    sources = {source for part in PAGE_POLICY.split(";") for source in part.split()[1:]}
    assert sources == {"'none'", "'self'", "data:", "'script'"}
    assert "script-src 'self';" in PAGE_POLICY and "frame-ancestors 'none'" in PAGE_POLICY


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
