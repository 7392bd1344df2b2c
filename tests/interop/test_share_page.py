"""The page of `lanline share` in Chromium: list, previews, downloads, and what strangers' files may not do.

Its uploads are in test_share_page_uploads.py.
"""

from __future__ import annotations

import io
import os
import re
import wave
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lanline.services.share.shared import Permissions
from lanline.sizes import show_size
from tests.interop.browsing import EVERYTHING, PATIENCE_MS, browser, share, visit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]  # a browser on a busy machine

expect.set_options(timeout=PATIENCE_MS)

MIB = 1024 * 1024
HTML = "<title>still</title><script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">"


__all__ = ["browser", "share"]  # fixtures


def _png() -> bytes:
    """A picture of one pixel."""
    return bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c63f8cfc0f01f0005000201a5f645400000000049454e44ae426082"
    )


# The list.


def test_folders_come_first_and_names_in_their_natural_order(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        visitor.open()
        assert visitor.names() == ["photos", "Part 1.bin", "part 2.bin", "part 10.bin"]


def test_headers_sort_and_say_so(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        head = page.locator("th.size")
        head.get_by_role("button").press("Enter")
        expect(head).to_have_attribute("aria-sort", "descending")
        assert visitor.names() == ["photos", "part 2.bin", "part 10.bin", "Part 1.bin"]
        head.get_by_role("button").press("Enter")
        expect(head).to_have_attribute("aria-sort", "ascending")
        assert visitor.names() == ["photos", "Part 1.bin", "part 10.bin", "part 2.bin"]
        page.locator("th.date button").click()
        expect(page.locator("[aria-sort]")).to_have_count(1)
        assert visitor.names() == ["photos", "part 10.bin", "Part 1.bin", "part 2.bin"]
        page.reload()
        expect(page.locator("th.date")).to_have_attribute("aria-sort", "descending")


def test_search_filters_while_one_types(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("BIN 1")
        expect(page.locator("#rows bdi")).to_have_text(["Part 1.bin", "part 10.bin"])
        page.keyboard.type("no such thing")
        expect(page.locator("#state")).to_contain_text("Nothing here is called")
        page.keyboard.press("Escape")
        expect(page.locator("#rows bdi")).to_have_count(4)


def test_folders_open_within_the_page_and_back_leads_back(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.evaluate("() => { window.same = true }")
        page.get_by_role("link", name="photos", exact=True).click()
        expect(page.locator("#rows bdi")).to_have_text(["2026", "one.txt"])
        expect(page.locator("#crumbs a[aria-current=page]")).to_have_text("photos")
        assert page.url == f"{visitor.origin}/photos/"
        page.go_back()
        expect(page.locator("#rows bdi").first).to_have_text("photos")
        page.go_forward()
        page.locator("#crumbs a").first.click()
        expect(page.locator("#rows bdi").first).to_have_text("photos")
        assert page.evaluate("() => window.same"), "the page was loaded anew, and would have lost its uploads"


def test_ten_thousand_entries_are_all_there_and_cost_layout_only_in_sight(browser: Browser, tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"file {number}.txt").touch()
    with visit(browser, tmp_path) as visitor:
        page = visitor.open()
        expect(page.locator("#rows tr")).to_have_count(10_000)
        assert page.locator("#rows tr").first.evaluate("row => getComputedStyle(row).contentVisibility") == "auto"
        page.locator("#search").fill("9999")
        expect(page.locator("#rows bdi")).to_have_text(["file 9999.txt"])
        page.locator("#select-all").check()
        expect(page.locator("#selected")).to_have_text("1 selected")


def test_an_empty_folder_and_one_that_is_gone_are_said(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open("/photos/2026/")
        expect(page.locator("#state")).to_have_text(re.compile("This folder is empty"))
        expect(page.locator("#choose-files")).to_be_visible()
        page.evaluate("() => { history.pushState(null, '', '/gone/'); dispatchEvent(new PopStateEvent('popstate')) }")
        expect(page.locator("#state")).to_contain_text("It is not there")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        expect(page.locator("#choose-files")).to_be_hidden()  # files would go to the folder that was shown before


def test_where_nothing_may_be_changed_nothing_is_offered(browser: Browser, share: Path) -> None:
    with visit(browser, share, may=Permissions()) as visitor:
        page = visitor.open()
        page.locator("#rows input").first.check()
        expect(page.locator("#download-selected")).to_be_visible()
        for place in ("#choose-files", "#choose-folder", "#delete-selected"):
            expect(page.locator(place)).to_be_hidden()


def test_the_page_works_without_scripts(browser: Browser, share: Path) -> None:
    with visit(browser, share, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto(visitor.origin)
        expect(page.locator("#app")).to_be_hidden()
        page.get_by_role("link", name="photos/").click()
        expect(page.get_by_role("link", name="one.txt")).to_be_visible()
        page.locator("input[type=file]:visible").set_input_files(share / "part 2.bin")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("link", name="part 2.bin")).to_be_visible()
    assert (share / "photos" / "part 2.bin").stat().st_size == 300


# Previews.


def test_previews_open_walk_and_give_the_focus_back(browser: Browser, share: Path) -> None:
    (share / "a.png").write_bytes(_png())
    (share / "b.txt").write_text("plain words\n")
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.locator("#rows a.entry", has_text="a.png").focus()
        page.keyboard.press("Enter")
        picture = page.locator("#preview img")
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") == 1
        page.keyboard.press("ArrowRight")
        expect(page.locator("#preview pre")).to_have_text("plain words\n")
        expect(page.locator("#preview-next")).to_be_disabled()
        page.keyboard.press("ArrowLeft")
        expect(picture).to_be_visible()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        expect(page.locator("#preview")).to_be_hidden()
        expect(page.locator("#rows a.entry", has_text="b.txt")).to_be_focused()


def test_sizes_are_written_as_everywhere_else(browser: Browser, share: Path) -> None:
    sizes = [0, 1000, 1023, 1024, 1280, 1434, 10188, 10189, 10752, 1047551, 1047552, 1 << 20, 3 << 30, 5 << 40, 5 << 50]
    with visit(browser, share) as visitor:
        page = visitor.open()
        script = (
            "async (sizes) => { const format = await import('/.lanline/format.js'); return sizes.map(format.size) }"
        )
        shown = page.evaluate(script, sizes)
    assert [text.replace(",", "") for text in shown] == [show_size(size) for size in sizes]


def test_of_a_long_text_only_the_beginning_is_fetched(browser: Browser, share: Path) -> None:
    (share / "long.log").write_text("你好 line\n" * 100_000)
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.get_by_role("link", name="long.log", exact=True).click()
        expect(page.locator("#preview pre .cut")).to_contain_text("Only the first 256 KiB of 1.1 MiB")
        assert "bytes=0-262143" in visitor.gate.fields("GET", "Range")
        assert "\ufffd" not in page.locator("#preview pre").inner_text()


def test_html_is_shown_as_text_and_opened_by_itself_runs_nothing(browser: Browser, share: Path) -> None:
    (share / "evil.html").write_text(HTML)
    (share / "evil.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=\'ran\'">{HTML}</svg>'
    )
    with visit(browser, share) as visitor:
        visitor.expected = (
            "console: Blocked script execution",
            "console: Refused",
            "console: Executing inline",
            "console: Loading",
        )
        page = visitor.open()
        page.get_by_role("link", name="evil.html", exact=True).click()
        expect(page.locator("#preview pre")).to_have_text(HTML)
        assert page.locator("#preview pre *").count() == 0
        for name in ("evil.html", "evil.svg"):
            page.goto(f"{visitor.origin}/{name}")
            assert page.title() != "ran"
            assert page.evaluate("() => self.origin") == "null", "it shares the origin of the page"


def test_a_pdf_goes_to_the_viewer_of_the_browser(browser: Browser, share: Path) -> None:
    (share / "one.pdf").write_bytes(b"%PDF-1.4\ntrailer<</Root 1 0 R>>\n")
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.get_by_role("link", name="one.pdf", exact=True).click()
        frame = page.locator("#preview iframe")
        expect(frame).to_have_attribute("src", "/one.pdf")
        expect(page.locator("#preview-name")).to_contain_text("one.pdf")


RECORD = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 240];
    const paint = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(30), {mimeType: "video/webm;codecs=vp8"});
    const pieces = [];
    let frame = 0;
    await new Promise((done) => {
        recorder.ondataavailable = (event) => { pieces.push(event.data); if (pieces.length > 2) recorder.stop(); };
        recorder.onstop = done;
        const draw = () => {
            paint.fillStyle = `hsl(${(frame += 7) % 360} 80% 50%)`;
            paint.fillRect(0, 0, 320, 240);
            if (recorder.state === "recording") requestAnimationFrame(draw);
        };
        recorder.start(200);
        draw();
    });
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return Array.from(bytes);
}"""


def test_a_video_plays_from_ranges(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        (share / "film.webm").write_bytes(bytes(page.evaluate(RECORD)))
        page.locator("#reload").click()
        page.get_by_role("link", name="film.webm", exact=True).click()
        film = page.locator("#preview video")
        film.evaluate("film => { film.muted = true; return film.play() }")
        page.wait_for_function("() => document.querySelector('#preview video').currentTime > 0.1")
        assert visitor.gate.fields("GET", "Range"), "it was asked for without a range"


def test_seeking_far_into_a_recording_asks_for_that_part_only(browser: Browser, share: Path) -> None:
    hour = share / "hour.wav"
    with wave.open(str(hour), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.setnframes(16_000 * 3600)
        sound.writeframes(b"")
    head = bytearray(hour.read_bytes())
    length = 16_000 * 3600 * 2
    head[4:8] = (36 + length).to_bytes(4, "little")
    head[40:44] = length.to_bytes(4, "little")
    hour.write_bytes(head)
    os.truncate(hour, 44 + length)
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.get_by_role("link", name="hour.wav", exact=True).click()
        sound_element = page.locator("#preview audio")
        page.wait_for_function("() => document.querySelector('#preview audio').readyState >= 1")
        sound_element.evaluate("sound => new Promise(done => { sound.onseeked = done; sound.currentTime = 3000 })")
        starts = [int(re.sub(r"\D.*", "", each.removeprefix("bytes="))) for each in visitor.gate.fields("GET", "Range")]
        assert max(starts) > 90 * MIB, starts


# What is done with a selection.


def test_a_selection_is_downloaded_as_zip(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        boxes = page.locator("#rows input")
        boxes.nth(0).check()
        boxes.nth(2).click(modifiers=["Shift"])
        expect(page.locator("#selected")).to_contain_text("3 selected")
        with page.expect_download() as coming:
            page.get_by_role("button", name="Download as zip").click()
        names = zipfile.ZipFile(coming.value.path()).namelist()
        assert {"stuff/photos/one.txt", "stuff/Part 1.bin", "stuff/part 2.bin"} <= set(names)
        assert "stuff/part 10.bin" not in names


def test_a_selection_too_long_for_an_address_is_downloaded_too(browser: Browser, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number} {'n' * 60}.txt").write_text(str(number))
    with visit(browser, tmp_path) as visitor:
        page = visitor.open()
        page.locator("#select-all").check()
        with page.expect_download() as coming:
            page.get_by_role("button", name="Download as zip").click()
        assert sum(name.endswith(".txt") for name in zipfile.ZipFile(coming.value.path()).namelist()) == 200


def test_a_shared_script_or_sheet_is_no_part_of_the_page_even_where_markup_slips_in(
    browser: Browser, share: Path
) -> None:
    (share / "evil.js").write_text("document.title = 'ran'")
    (share / "evil.css").write_text("body { display: none }")
    slipped = """<script src="/evil.js"></script><script type="module" src="/evil.js"></script>
        <link rel="stylesheet" href="/evil.css"><script>document.title = 'ran'</script>"""
    watch = (
        "window.seen = []; addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective))"
    )

    def with_markup(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("<body>", f"<body>{slipped}"))

    with visit(browser, share) as visitor:
        visitor.expected = ("console: Loading the s", "console: Executing inline", "console: Refused to")
        visitor.page.add_init_script(watch)
        visitor.page.route(visitor.origin + "/", with_markup, times=1)
        page = visitor.open()
        assert "evil.js" in visitor.names()
        page.wait_for_function("() => seen.length >= 4")
        assert sorted(page.evaluate("seen")) == ["script-src-elem"] * 3 + ["style-src-elem"]
        assert page.title() != "ran" and page.locator("body").is_visible()
        expect(page.locator("#choose-files")).to_have_css("display", re.compile("flex"))  # its own sheets are there


def test_where_one_file_is_shared_no_archive_is_offered(browser: Browser, share: Path) -> None:
    with visit(browser, share, only="Part 1.bin") as visitor:
        page = visitor.open()
        assert visitor.names() == ["Part 1.bin"]
        expect(page.locator("#download-all")).to_be_hidden()
        expect(page.locator("#as-tar")).to_be_hidden()
        page.get_by_role("checkbox", name="Part 1.bin").check()
        expect(page.locator("#selection")).to_be_visible()
        expect(page.locator("#download-selected")).to_be_hidden()


def test_everything_is_downloaded_at_once(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download all").click()
        content = zipfile.ZipFile(io.BytesIO(Path(coming.value.path()).read_bytes()))
        assert any(name.endswith("photos/one.txt") for name in content.namelist())


def test_what_is_deleted_is_asked_for_first(browser: Browser, share: Path) -> None:
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.locator("#select-all").check()
        page.get_by_role("button", name="Delete").click()
        expect(page.locator("#confirm-no")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#confirm")).to_be_hidden()
        assert (share / "Part 1.bin").exists()
        page.get_by_role("button", name="Delete").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#notice")).to_contain_text("photos is not empty")
        expect(page.locator("#rows bdi")).to_have_text(["photos"])
    assert [path.name for path in share.iterdir()] == ["photos"]


# Strangers' names.


def test_hostile_names_look_harmless(browser: Browser, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    names = [
        "<img src=x onerror=alert(1)>",
        "two\nlines",
        "annual\u202efdp.exe",
        "é" * 127,
        "\"quoted\" & 'so'",
        "%2e%2e%2f",
        "zip?zip",
        "#",
    ]
    for name in names:
        (share / name).write_text(name)
    with visit(browser, share, width=360) as visitor:
        page = visitor.open()
        expect(page.locator("#rows tr")).to_have_count(len(names))
        shown = visitor.names()
        assert "<img src=x onerror=alert(1)>" in shown
        assert "two‹U+000A›lines" in shown
        assert "annual‹U+202E›fdp.exe" in shown
        assert page.locator("#rows img, #plain").count() == 0
        assert page.evaluate("() => document.scrollingElement.scrollWidth") == 360
        for name in ("zip?zip", "#", "%2e%2e%2f"):
            link = page.locator("#rows a.entry", has=page.locator("bdi").get_by_text(name, exact=True))
            assert (
                page.evaluate("href => fetch(href).then(answer => answer.text())", link.get_attribute("href")) == name
            )


# Everybody can use it.


def _widths(page: Page) -> int:
    return int(page.evaluate("() => document.scrollingElement.scrollWidth"))


def test_nothing_is_beside_the_screen_of_a_phone(browser: Browser, share: Path, tmp_path: Path) -> None:
    (share / ("a very long name without an end " * 7 + ".txt")).write_text("x" * 3000)
    (tmp_path / "Part 1.bin").write_text("new")
    with visit(browser, share, width=360, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open()
        assert _widths(page) == 360
        sizes = "all => all.map(each => each.getBoundingClientRect()).filter(box => box.width).map(box => box.height)"
        assert min(page.locator("button, .button, .entry, .tick, #search").evaluate_all(sizes)) >= 40
        top = page.locator("#list").evaluate("list => list.getBoundingClientRect().top")
        page.locator("#rows .tick").first.tap()
        expect(page.locator("#selection")).to_be_visible()
        assert page.locator("#list").evaluate("list => list.getBoundingClientRect().top") == top
        assert _widths(page) == 360
        page.locator("#clear-selection").tap()
        page.locator("#files").set_input_files(tmp_path / "Part 1.bin")
        expect(page.locator("#question")).to_be_visible()
        assert _widths(page) == 360
        page.get_by_role("button", name="Skip").tap()
        page.locator("#rows a.entry", has_text="a very long name").tap()
        expect(page.locator("#preview pre")).to_be_visible()
        assert page.locator("#preview").evaluate("dialog => dialog.scrollWidth") <= 360


CONTRAST = """() => {
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$|transparent/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const all = [...document.querySelectorAll("#app *")].filter((element) => element.checkVisibility()
        && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return all.map((element) => {
        const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
        return [(one + 0.05) / (other + 0.05), element.textContent.slice(0, 40)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_light_and_dark(browser: Browser, share: Path, scheme: str) -> None:
    with visit(browser, share, color_scheme=scheme) as visitor:
        page = visitor.open()
        ground = page.evaluate(
            "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)"
        )
        assert (max(ground) < 64) if scheme == "dark" else (min(ground) > 192)
        assert page.evaluate(CONTRAST) == []
        page.locator("#rows .tick").nth(1).click()
        page.mouse.move(0, 0)
        assert page.evaluate(CONTRAST) == []


def test_a_chinese_browser_is_spoken_to_in_chinese(browser: Browser, share: Path) -> None:
    with visit(browser, share, locale="zh-CN") as visitor:
        page = visitor.open()
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.get_by_role("button", name="上传文件", exact=True)).to_be_visible()
        expect(page.locator("#counts")).to_have_text("1 个文件夹，3 个文件，600 B")
        page.locator("#rows input").nth(1).check()
        expect(page.locator("#selected")).to_have_text("已选 1 项 · 100 B")
        missing = page.evaluate(
            """async () => {
                const [one, other] = await Promise.all(["en", "zh"].map((tag) => import(`/.lanline/words-${tag}.js`)));
                const fields = (entry) => typeof entry === "string" ? entry : entry.other;
                const gaps = (text) => (fields(text).match(/\\{\\w+\\}/g) ?? []).sort().join();
                const keys = new Set([...Object.keys(one.words), ...Object.keys(other.words)]);
                return [...keys].filter((key) => !(key in one.words) || !(key in other.words)
                    || gaps(one.words[key]) !== gaps(other.words[key]));
            }"""
        )
        assert missing == []


def test_the_keyboard_alone_is_enough(browser: Browser, share: Path) -> None:
    (share / "b.txt").write_text("words\n")
    with visit(browser, share) as visitor:
        page = visitor.open()
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("/")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#rows a.entry").first).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Space")
        expect(page.locator("#selected")).to_contain_text("1 selected")
        page.keyboard.press("Escape")
        expect(page.locator("#selection")).to_be_hidden()
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        expect(page.locator("#rows bdi")).to_have_text(["2026", "one.txt"])
        outline = "() => getComputedStyle(document.activeElement).outlineStyle"
        for _ in range(4):
            page.keyboard.press("Tab")
            assert page.evaluate(outline) == "solid", page.evaluate("() => document.activeElement.outerHTML")


def test_everything_has_a_name_for_those_who_listen(browser: Browser, share: Path) -> None:
    with visit(browser, share, may=EVERYTHING) as visitor:
        page = visitor.open()
        nameless = page.locator("#app button, #app a, #app input, #app dialog, #app [role=group]").evaluate_all(
            """all => all.filter(each => !each.hidden && each.type !== "file" && each.checkVisibility()
                && !each.getAttribute("aria-label") && !each.getAttribute("aria-labelledby")
                && !each.textContent.trim())
                .map(each => each.outerHTML)"""
        )
        assert nameless == []
        expect(page.get_by_role("banner")).to_have_count(1)
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.get_by_role("navigation", name="Folders")).to_be_visible()
        expect(page.get_by_role("search")).to_be_visible()
        expect(page.get_by_role("table", name="stuff")).to_be_visible()
        expect(page.locator("#said")).to_have_text("stuff: 1 folder, 3 files, 600 B")
