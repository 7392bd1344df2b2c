"""Uploads through the page of `lanline share`, in Chromium: folders, cuts of every kind, taken names, limits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lanline.http.refusal import Refusal
from lanline.services.share.shared import Permissions
from tests.interop.browsing import PATIENCE_MS, Visit, browser, share, visit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]  # a browser on a busy machine

expect.set_options(timeout=PATIENCE_MS)

MIB = 1024 * 1024

__all__ = ["browser", "share"]  # fixtures


def _choose(page: Page, field: str, *paths: Path) -> None:
    page.locator(field).set_input_files([str(path) for path in paths])


def _settled(visitor: Visit, name: str, state: str) -> None:
    """Waits until an upload is in this state on the screen."""
    expect(visitor.page.locator(f"#upload-list li.{state}", has_text=name).first).to_be_visible()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder to upload: files in folders, one of them large, and a folder with nothing in it."""
    top = tmp_path / "trip"
    (top / "day 1" / "raw").mkdir(parents=True)
    (top / "nothing").mkdir()
    (top / "readme.txt").write_text("trip\n")
    (top / "day 1" / "b & c.txt").write_text("day one\n")
    (top / "day 1" / "raw" / "big.bin").write_bytes(os.urandom(9 * MIB))
    return top


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied(tree: Path, there: Path) -> bool:
    files = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    return all((there / path).read_bytes() == (tree / path).read_bytes() for path in files)


def test_a_folder_is_uploaded_with_its_folders_by_the_button(browser: Browser, share: Path, tree: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.locator("#folders").set_input_files(str(tree))
        expect(page.locator("#upload-total")).to_contain_text("3 files uploaded")
        assert _copied(tree, share / "trip")
        expect(page.locator("#rows bdi", has_text="trip")).to_be_visible()
        digest = _sha256(tree / "day 1" / "raw" / "big.bin")
        expect(page.locator("#upload-list li", has_text="big.bin").locator("code")).to_have_text(digest)


def test_a_dropped_folder_keeps_its_empty_folders_too(browser: Browser, share: Path, tree: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open("/photos/")
        visitor.drop(tree)
        expect(page.locator("#upload-total")).to_contain_text("3 files uploaded")
        expect(page.locator("#rows bdi", has_text="trip")).to_be_visible()
        assert _copied(tree, share / "photos" / "trip")
        page.wait_for_function("() => fetch('/photos/trip/nothing/').then(answer => answer.ok)")


def test_an_upload_of_200_mb_goes_on_after_a_reload_where_it_was_cut(
    browser: Browser, share: Path, tmp_path: Path
) -> None:
    big = tmp_path / "big.iso"
    with big.open("wb") as file:
        file.truncate(200 * MIB)
        for place in range(0, 200, 8):
            file.seek(place * MIB + 4711)
            file.write(f"block {place}".encode())
    with visit(browser, share) as visitor:
        page = visitor.open()
        visitor.gate.break_after("PATCH", 12)
        _choose(page, "#files", big)
        _settled(visitor, "big.iso", "retrying")
        assert not (share / "big.iso").exists()
        first = visitor.gate.sent_bytes("PATCH")
        page.reload()
        line = page.locator("#upload-list li.remembered")
        expect(line).to_contain_text("96 MiB of 200 MiB arrived")
        visitor.gate.refuses = lambda request: None
        _choose(page, "#files", big)
        _settled(visitor, "big.iso", "done")
        again = visitor.gate.sent_bytes("PATCH") - first
        assert again <= 200 * MIB - 12 * 8 * MIB, f"{again} bytes were sent the second time"
        expected = _sha256(big)
        assert _sha256(share / "big.iso") == expected
        expect(page.locator("#upload-list code")).to_have_text(expected)
        assert len(visitor.gate.fields("PATCH", "Content-Digest")) == 25


def test_an_upload_waits_while_the_network_is_gone_and_goes_on_by_itself(
    browser: Browser, share: Path, tmp_path: Path
) -> None:
    big = tmp_path / "film.mkv"
    big.write_bytes(os.urandom(20 * MIB))
    with visit(browser, share) as visitor:
        page = visitor.open()
        visitor.gate.break_after("PATCH", 1)
        _choose(page, "#files", big)
        _settled(visitor, "film.mkv", "retrying")
        page.context.set_offline(True)
        visitor.gate.refuses = lambda request: None
        page.get_by_role("button", name="Retry: film.mkv").click()
        expect(page.locator("#upload-list li.retrying")).to_contain_text("No answer from the other machine")
        page.context.set_offline(False)
        _settled(visitor, "film.mkv", "done")
        assert (share / "film.mkv").read_bytes() == big.read_bytes()


def test_an_upload_is_paused_resumed_and_cancelled(browser: Browser, share: Path, tmp_path: Path) -> None:
    big = tmp_path / "film.mkv"
    big.write_bytes(os.urandom(20 * MIB))
    with visit(browser, share) as visitor:
        page = visitor.open()
        visitor.gate.break_after("PATCH", 1)
        _choose(page, "#files", big)
        _settled(visitor, "film.mkv", "retrying")
        page.get_by_role("button", name="Pause all").click()
        _settled(visitor, "film.mkv", "paused")
        expect(page.locator("#upload-total")).to_contain_text("Uploads paused")
        page.get_by_role("button", name="Resume all").click()
        _settled(visitor, "film.mkv", "retrying")
        page.get_by_role("button", name="Cancel: film.mkv").click()
        _settled(visitor, "film.mkv", "cancelled")
        page.wait_for_function("() => fetch('/film.mkv').then(answer => answer.status === 404)")
    assert not [path for path in share.iterdir() if path.name.startswith(".lanline-part")]


def test_a_taken_name_is_asked_about(browser: Browser, share: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for name in ("Part 1.bin", "part 2.bin", "part 10.bin"):
        (tmp_path / "new" / name).write_text("new")
    new = sorted((tmp_path / "new").iterdir())
    with visit(browser, share) as visitor:
        page = visitor.open()
        _choose(page, "#files", new[0])
        expect(page.locator("#asked")).to_have_text("Part 1.bin is there already.")
        page.get_by_role("button", name="Keep both").click()
        _settled(visitor, "Part 1 (2).bin", "done")
        _choose(page, "#files", *new[1:])
        page.locator("#for-all").check()
        page.get_by_role("button", name="Replace").click()
        expect(page.locator("#upload-list li.done")).to_have_count(3)
    assert (share / "Part 1.bin").stat().st_size == 100
    assert [(share / name).read_text() for name in ("Part 1 (2).bin", "part 2.bin", "part 10.bin")] == ["new"] * 3


def test_where_nothing_is_replaced_replacing_is_not_offered(browser: Browser, share: Path, tmp_path: Path) -> None:
    (tmp_path / "Part 1.bin").write_text("new")
    with visit(browser, share, may=Permissions(upload=True)) as visitor:
        page = visitor.open()
        _choose(page, "#files", tmp_path / "Part 1.bin")
        expect(page.get_by_role("button", name="Skip")).to_be_visible()
        expect(page.get_by_role("button", name="Replace")).to_have_count(0)
        page.get_by_role("button", name="Skip").click()
        _settled(visitor, "Part 1.bin", "skipped")
    assert (share / "Part 1.bin").stat().st_size == 100


def test_a_file_over_the_limit_is_refused_with_the_limit(browser: Browser, share: Path, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(2001))
    with visit(browser, share, may=Permissions(upload=True, max_upload_bytes=2000)) as visitor:
        page = visitor.open()
        _choose(page, "#files", tmp_path / "large.bin")
        expect(page.locator("#upload-list li.failed .note")).to_have_text("Too large: at most 2.0 KiB is accepted.")
        assert not visitor.gate.fields("PUT", "Content-Length")


def test_a_chunk_that_came_damaged_is_sent_again(browser: Browser, share: Path, tmp_path: Path) -> None:
    big = tmp_path / "film.mkv"
    big.write_bytes(os.urandom(20 * MIB))
    with visit(browser, share) as visitor:
        visitor.open()
        damaged = Refusal(400, "What came has another sha-256 than the request says.")
        answers = iter([None, damaged, damaged])
        visitor.gate.refuses = lambda request: next(answers, None) if request.method == "PATCH" else None
        _choose(visitor.page, "#files", big)
        _settled(visitor, "film.mkv", "done")
        offsets = [int(each) for each in visitor.gate.fields("PATCH", "Upload-Offset")]
        assert offsets == [0, 8 * MIB, 16 * MIB]
        assert (share / "film.mkv").read_bytes() == big.read_bytes()


def test_a_file_that_changed_meanwhile_is_not_sent_as_if_it_had_not(
    browser: Browser, share: Path, tmp_path: Path
) -> None:
    big = tmp_path / "film.mkv"
    big.write_bytes(os.urandom(20 * MIB))
    with visit(browser, share) as visitor:
        page = visitor.open()
        visitor.gate.break_after("PATCH", 1)
        _choose(page, "#files", big)
        _settled(visitor, "film.mkv", "retrying")
        big.write_bytes(os.urandom(19 * MIB))
        visitor.gate.refuses = lambda request: None
        page.get_by_role("button", name="Retry: film.mkv").click()
        expect(page.locator("#upload-list li.failed .note")).to_contain_text("The file changed")
    assert not (share / "film.mkv").exists()


def test_on_plain_http_the_hash_that_the_server_computed_is_shown(
    browser: Browser, share: Path, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.bin"
    small.write_text("small")
    large.write_bytes(os.urandom(9 * MIB))
    with visit(browser, share, host="share.test") as visitor:
        visitor.expected = ("console: The Cross-Origin-Opener-Policy",)  # counts on TLS only, and the browser says so
        page = visitor.open()
        assert page.evaluate("() => globalThis.crypto.subtle === undefined")
        _choose(page, "#files", small, large)
        for path in (small, large):
            _settled(visitor, path.name, "done")
            line = page.locator("#upload-list li", has_text=path.name)
            expect(line.locator("code")).to_have_text(_sha256(path))
        assert not visitor.gate.fields("PATCH", "Content-Digest")
        assert large.read_bytes() == (share / "large.bin").read_bytes()
