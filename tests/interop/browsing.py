"""A real browser before a real share: headless Chromium, driven by playwright, for the tests of the page.

Rules: what the page complains about on its console, an error in its scripts and a request to anywhere else fail the
test that caused them. Nothing waits for a time; what must happen is waited for. The server runs in a thread of its own
(`tests.services.share.serving`), with a gate before it that counts what comes and can refuse from a certain moment on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from lanline.http.refusal import Refusal
from lanline.services.share.shared import Permissions
from lanline.services.share.target import Target
from tests.services.share.serving import Served, served

PATIENCE_MS = 30_000
"""How long something that must happen may take on a busy machine; playwright waits for conditions, not for this."""

_PLACES = "/usr/bin:/usr/local/bin:/snap/bin"  # not everybody has a browser on the path of tests
_ARGUMENTS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP share.test 127.0.0.1",  # a machine that is not this one, as the browser sees it
)

EVERYTHING = Permissions(upload=True, overwrite=True, delete=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of a file; each has a visitor of its own."""
    with chromium(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder with a little of everything, to be shared."""
    folder = tmp_path / "stuff"
    (folder / "photos" / "2026").mkdir(parents=True)
    (folder / "photos" / "one.txt").write_text("one\n")
    for name, size, age in (("part 2.bin", 300, 3), ("part 10.bin", 200, 1), ("Part 1.bin", 100, 2)):
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, (1_700_000_000 - age * 86_400,) * 2)
    return folder


@contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """A browser with a home of its own, or a skip that names what to install."""
    place = shutil.which("chromium", path=f"{os.environ.get('PATH', os.defpath)}:{_PLACES}")
    if place is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = _launched(playwright, place, home)
        try:
            yield browser
        finally:
            browser.close()


def _launched(playwright: Playwright, place: str, home: Path) -> Browser:
    return playwright.chromium.launch(
        executable_path=place,
        args=list(_ARGUMENTS),
        env={**os.environ, "HOME": str(home)},
    )


class Gate:
    """Stands before the site: notes every request, and refuses those it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str]]] = []
        """Method, target and header fields of each request, in the order they came."""
        self.refuses: Callable[[web.BaseRequest], Refusal | None] = lambda request: None
        """What a request is refused with. Set by tests; called in the server's thread."""

    def __call__(self, request: web.BaseRequest, target: Target) -> None:
        """Lets a request pass, or raises what it is refused with."""
        refusal = self.refuses(request)
        if refusal is not None:
            raise refusal
        self.heard.append((request.method, request.raw_path, dict(request.headers)))

    def fields(self, method: str, name: str) -> list[str]:
        """This header field of all requests of this method that passed and had it."""
        return [fields[name] for heard, _, fields in self.heard if heard == method and name in fields]

    def sent_bytes(self, method: str) -> int:
        """Bytes that were announced as bodies of requests of this method that passed."""
        return sum(int(each) for each in self.fields(method, "Content-Length"))

    def break_after(self, method: str, count: int) -> None:
        """From the request number `count` + 1 of this method on, they are refused with 503."""
        come = [0]

        def refuses(request: web.BaseRequest) -> Refusal | None:
            come[0] += request.method == method
            is_over = request.method == method and come[0] > count
            return Refusal(503, "Broken on purpose.", headers={"Retry-After": "3600"}) if is_over else None

        self.refuses = refuses


class Visit:
    """One page of one visitor, before one share.

    Attributes:
        page: as playwright gives it.
        host: what the browser calls the server.
        share: the running server.
        gate: what stands before it.
        complaints: what went wrong in the page; must be empty at the end.
    """

    def __init__(self, page: Page, share: Served, gate: Gate, host: str) -> None:
        self.page = page
        self.host = host
        self.share = share
        self.gate = gate
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Beginnings of complaints that a test causes on purpose."""
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", self._dialog)

    @property
    def origin(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{self.host}:{self.share.port}"

    def open(self, path: str = "/") -> Page:
        """Opens an address of the share, and waits until its list stands."""
        self.page.goto(self.origin + path)
        self.page.wait_for_function("() => { const app = document.querySelector('#app'); return app && !app.hidden }")
        self.page.wait_for_function("() => document.querySelector('#heading').textContent !== ''")
        return self.page

    def names(self) -> list[str]:
        """The names in the list, from the top."""
        return self.page.locator("#rows bdi").all_text_contents()  # innerText is empty for a row not laid out yet

    def check(self) -> None:
        """Passes if the page complained of nothing."""
        left = [each for each in self.complaints if not each.startswith(self.expected or ("\0",))]
        assert not left, "\n".join(left)

    def drop(self, *paths: Path) -> None:
        """Drops files and folders of this machine on the page, as a person does with a mouse."""
        session = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})
        session.detach()

    def _console(self, message: Any) -> None:
        # What the browser says about answers such as 412 is about the network, not about the page.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.origin + "/", "data:", "blob:", "chrome-extension:", "chrome:")):
            self.complaints.append(f"a request left for {url}")

    def _dialog(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.complaints.append(f"a dialog: {dialog.message}")
        dialog.accept()


@contextmanager
def visit(
    browser: Browser,
    path: Path,
    *,
    may: Permissions = EVERYTHING,
    only: str | None = None,
    host: str = "127.0.0.1",
    width: int = 1200,
    **more: Any,
) -> Iterator[Visit]:
    """Serves a folder, and opens a page of a visitor who has never been there.

    Args:
        browser: of `chromium`.
        path: the folder.
        may: what visitors may do.
        only: the one file of it that is shared.
        host: 127.0.0.1, or share.test, which is a page without the rights of TLS and localhost.
        width: of the screen, in pixels. A phone has 360.
        more: of playwright's `new_context`: `locale`, `color_scheme`, `has_touch`.
    """
    gate = Gate()
    with served(path, may=may, only=only, guards=[gate], host_names=[host]) as share:
        context: BrowserContext = browser.new_context(viewport={"width": width, "height": 760}, **_settings(more))
        try:
            visitor = Visit(context.new_page(), share, gate, host)
            yield visitor
            visitor.check()
        finally:
            context.close()


def _settings(more: dict[str, Any]) -> dict[str, Any]:
    return {"locale": "en-GB", "color_scheme": "light", "reduced_motion": "reduce", **more}
