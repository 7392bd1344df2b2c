"""The site by bare requests: paths, hidden names, links out, Allow, guards, one file, a source."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from aiohttp import web
from tests.services.share.sharing import ALL, READING, Served, sharing

from lanline.http.refusal import Refusal
from lanline.services.share.answers.mediatypes import SANDBOX
from lanline.services.share.shared import Permissions, Shared
from lanline.services.share.target import Target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shared folder beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    shared = tmp_path / "shared"
    (shared / "a b" / "c").mkdir(parents=True)
    (shared / "a b" / "c" / "d.txt").write_text("deep")
    (shared / "x.txt").write_text("text")
    (shared / "page.html").write_text("<script>1</script>")
    (shared / ".env").write_text("hidden")
    (shared / ".git").mkdir()
    (shared / ".git" / "config").write_text("hidden")
    (shared / "out").symlink_to(tmp_path / "secret.txt")
    (shared / "in").symlink_to("x.txt")
    os.mkfifo(shared / "pipe")
    return shared


def listing(served: Served, target: str = "/") -> dict[str, object]:
    reply = served.get(target, Accept="application/json")
    assert reply.status == 200 and reply["Content-Type"] == "application/json; charset=utf-8"
    value = json.loads(reply.body)
    assert isinstance(value, dict)
    return value


def names(served: Served, target: str = "/") -> list[str]:
    entries = listing(served, target)["entries"]
    assert isinstance(entries, list)
    return [entry["name"] for entry in entries]


def test_files_and_folders_are_answered(folder: Path) -> None:
    with sharing(folder) as served:
        assert served.get("/x.txt").body == b"text"
        assert served.get("/a%20b/c/d.txt").body == b"deep"
        assert served.get("/in").body == b"text"
        assert names(served) == ["a b", "in", "page.html", "x.txt"]
        assert listing(served)["left_out"] == 2
        assert names(served, "/a%20b/") == ["c"]


def test_the_address_in_a_listing_leads_to_what_it_lists(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff?#&%41 \xe4\xbd\xa0")).write_text("odd")
    with sharing(folder) as served:
        entries = listing(served)["entries"]
        assert isinstance(entries, list)
        assert [served.get(entry["url"]).status for entry in entries] == [200] * 5
        odd = next(entry["url"] for entry in entries if "\ufffd" in entry["name"])
        assert served.get(odd).body == b"odd"


def test_a_browser_gets_a_page_whose_policy_allows_nothing_foreign(folder: Path) -> None:
    with sharing(folder) as served:
        reply = served.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert reply["Content-Type"] == "text/html; charset=utf-8" and b'href="/x.txt"' in reply.body
    assert reply["Vary"] == "Accept" and reply["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().partition(" ")[::2] for part in reply["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"].startswith("'nonce-")
    assert policy["frame-ancestors"] == "'none'" and "unsafe" not in reply["Content-Security-Policy"]
    assert "Set-Cookie" not in reply


def test_json_and_the_page_are_told_apart_by_accept_alone(folder: Path) -> None:
    with sharing(folder) as served:
        assert served.get("/", Accept="application/json")["Vary"] == "Accept"
        assert served.get("/", Accept="*/*")["Content-Type"].startswith("text/html")
        assert served.get("/", Accept="text/html, application/json;q=0.5")["Content-Type"].startswith("text/html")
        assert served.get("/")["Content-Type"].startswith("text/html")


def test_head_of_a_folder_is_get_without_the_body(folder: Path) -> None:
    with sharing(folder) as served:
        got, headed = served.get("/"), served.ask("HEAD", "/")
    assert headed.body == b"" and headed["Content-Length"] == str(len(got.body))


def test_a_large_folder_is_streamed_whole(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"f{number:04}").touch()
    with sharing(tmp_path) as served:
        assert len(names(served)) == 1000
        page = served.get("/")
        assert page["Transfer-Encoding"] == "chunked" and page.body.count(b"<tr><td><a") == 1000
        assert served.ask("HEAD", "/").body == b""
        old = served.raw(b"GET / HTTP/1.0\r\n\r\n")
        assert b"chunked" not in old.partition(b"\r\n\r\n")[0] and old.count(b"<tr><td><a") == 1000


@pytest.mark.parametrize(
    "target", ["/.env", "/.git/", "/.git/config", "/%2eenv", "/a%20b/.x", "/.lanline", "/.lanline/"]
)
def test_what_is_hidden_is_missing(folder: Path, target: str) -> None:
    with sharing(folder) as served:
        assert served.get(target).status == 404


def test_the_owner_can_show_what_is_hidden(folder: Path) -> None:
    with sharing(folder, Permissions(shows_hidden=True)) as served:
        assert served.get("/.git/config").body == b"hidden"
        assert ".env" in names(served)


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/a%20b/../../secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/x.txt%00",
        "/%c0%ae%c0%ae/secret.txt",
        "//etc/passwd",
        "/./x.txt",
        "/x.txt%",
        "/\\x",
        "/a%20b//c",
    ],
)
def test_paths_that_would_lead_elsewhere_are_bad_requests(folder: Path, target: str) -> None:
    with sharing(folder) as served:
        reply = served.get(target)
    assert reply.status == 400 and b"secret" != reply.body


def test_a_link_out_of_the_folder_is_forbidden_but_for_the_brave(folder: Path) -> None:
    with sharing(folder) as served:
        reply = served.get("/out")
        assert reply.status == 403 and str(folder).encode() not in reply.body
        assert "out" not in names(served)
    with sharing(folder, follows_links=True) as served:
        assert served.get("/out").body == b"secret"


def test_what_is_neither_file_nor_folder_is_forbidden_at_once(folder: Path) -> None:
    with sharing(folder) as served:
        assert served.get("/pipe").status == 403


def test_a_folder_without_its_slash_leads_to_itself_on_this_server(folder: Path) -> None:
    with sharing(folder) as served:
        reply = served.get("/a%20b?zip&name=c")
        assert (reply.status, reply["Location"]) == (308, "/a%20b/?zip&name=c")
        assert served.ask("HEAD", "/a%20b/c")["Location"] == "/a%20b/c/"
        assert served.get("http://localhost/a%20b")["Location"] == "/a%20b/"


def test_a_file_with_a_slash_is_missing(folder: Path) -> None:
    with sharing(folder) as served:
        assert served.get("/x.txt/").status == 404
        assert served.get("/x.txt/y").status == 404


def test_a_folder_that_was_moved_or_replaced_is_gone_and_nothing_else_is_served(folder: Path) -> None:
    with sharing(folder) as served:
        folder.rename(folder.with_name("moved"))
        assert served.get("/x.txt").status == 404
        folder.mkdir()
        (folder / "x.txt").write_text("another folder's")
        reply = served.get("/x.txt")
        assert reply.status == 404 and str(folder).encode() not in reply.body
        assert served.get("/").status == 404


def test_files_are_not_guessed_and_active_ones_sandboxed(folder: Path) -> None:
    with sharing(folder) as served:
        page, text = served.get("/page.html"), served.get("/x.txt")
    assert page["Content-Type"] == "text/html; charset=utf-8" and page["Content-Security-Policy"] == SANDBOX
    assert "Content-Security-Policy" not in text
    for reply in (page, text):
        assert reply["X-Content-Type-Options"] == "nosniff"
        assert reply["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_sandbox_goes_with_parts_of_an_active_file_too(folder: Path) -> None:
    with sharing(folder) as served:
        for ranges in ("bytes=0-3", "bytes=0-0,200-,-1"):
            assert served.get("/page.html", Range=ranges)["Content-Security-Policy"] == SANDBOX


def test_a_download_is_an_attachment_with_its_name(folder: Path) -> None:
    (folder / "报告.txt").write_text("x")
    with sharing(folder) as served:
        assert served.get("/x.txt")["Content-Disposition"] == 'inline; filename="x.txt"'
        assert served.get("/x.txt?download")["Content-Disposition"] == 'attachment; filename="x.txt"'
        name = served.get("/%E6%8A%A5%E5%91%8A.txt?download")["Content-Disposition"]
        assert name == "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A.txt"


@pytest.mark.parametrize(
    ("target", "reading", "everything"),
    [
        ("/x.txt", "", "DELETE POST PUT"),
        ("/a%20b/", "", "DELETE POST"),
        ("/a%20b", "", "DELETE POST"),
        ("/", "", "POST"),
        ("/?zip", "POST", "POST"),
        ("/missing", "", "DELETE POST PUT"),
        ("*", "POST", "DELETE PATCH POST PUT"),
    ],
)
def test_allow_tells_the_truth(folder: Path, target: str, reading: str, everything: str) -> None:
    for may, more in ((READING, reading), (ALL, everything)):
        with sharing(folder, may) as served:
            reply = served.ask("OPTIONS", target)
            assert (reply.status, reply.body) == (204, b"")
            assert set(reply["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", *more.split()}
            for method in ("PUT", "DELETE", "PATCH", "TRACE"):
                if target != "*" and method not in more.split():
                    refused = served.ask(method, target)
                    assert refused.status == 405 and refused["Allow"] == reply["Allow"], method


def test_one_file_is_shared_without_its_neighbours(folder: Path) -> None:
    with sharing(folder, ALL, only="x.txt") as served:
        assert names(served) == ["x.txt"] and served.get("/x.txt").body == b"text"
        for target in ("/page.html", "/a%20b/", "/in", "/x.txt/y", "/missing"):
            assert served.get(target).status == 404
        assert served.ask("PUT", "/x.txt", body=b"new").status == 405
        assert served.ask("DELETE", "/x.txt").status == 405
    assert (folder / "x.txt").read_text() == "text"


class _Source:
    name = "big.tar"
    modified_ns = 0

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        return web.Response(body=b"streamed")


def test_a_source_is_served_under_its_name_alone(tmp_path: Path) -> None:
    with sharing(tmp_path, make=lambda _: Shared(None, ALL, name="big.tar", source=_Source())) as served:
        assert names(served) == ["big.tar"]
        assert served.get("/big.tar").body == b"streamed"
        assert served.get("/other").status == 404 and served.get("/big.tar/").status == 404
        assert served.ask("OPTIONS", "/big.tar")["Allow"] == "GET, HEAD, OPTIONS"
        assert served.ask("PUT", "/big.tar", body=b"x").status == 405
        assert served.ask("DELETE", "/other").status == 405


def test_a_rebound_name_reads_nothing(folder: Path) -> None:
    with sharing(folder) as served:
        for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example"):
            for target in ("/x.txt", "/", "/.lanline/page.css", "/missing"):
                reply = served.ask("GET", target, {"Host": host})
                assert reply.status == 421 and b"text" not in reply.body.split()
        assert served.ask("GET", "http://evil.example/x.txt", {"Host": "localhost"}).status == 421
        assert served.ask("GET", "/x.txt", {"Host": f"localhost:{served.port}"}).status == 200
        assert served.ask("GET", "/x.txt", {"Host": socket.gethostname()}).status == 200
    with sharing(folder, host_names=["files.example"]) as served:
        assert served.ask("GET", "/x.txt", {"Host": "files.example"}).status == 200


def test_two_hosts_are_a_bad_request(folder: Path) -> None:
    with sharing(folder) as served:
        answer = served.raw(b"GET /x.txt HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_page_of_another_site_changes_nothing(folder: Path) -> None:
    with sharing(folder, ALL) as served:
        for method in ("PUT", "DELETE", "POST", "OPTIONS"):
            assert served.ask(method, "/x.txt", {"Origin": "http://evil.example"}, body=b"").status == 403
            assert served.ask(method, "/x.txt", {"Origin": "null"}, body=b"").status == 403
        assert served.ask("DELETE", "/x.txt", {"Origin": f"http://127.0.0.1:{served.port}"}).status == 204


def test_guards_and_a_source_are_given_the_target_as_the_site_read_it(tmp_path: Path) -> None:
    seen: list[Target] = []

    class Telling:
        name = "big.tar"
        modified_ns = 0

        async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
            assert target is seen[-1]
            return web.Response(body=b"x" if target.asks("download") else b"")

    def guard(request: web.BaseRequest, target: Target) -> None:
        seen.append(target)

    def make(_: object) -> Shared:
        return Shared(None, READING, name="big.tar", source=Telling())

    with sharing(tmp_path, make=make, guards=[guard]) as served:
        assert served.get("/big%2Etar?download").body == b"x"
    assert [each.names for each in seen] == [("big.tar",)]


def test_guards_come_before_everything_that_could_be_learned(folder: Path) -> None:
    def guard(request: web.BaseRequest, target: Target) -> None:
        raise Refusal(401, "A password is needed.", headers={"WWW-Authenticate": 'Basic realm="x"'})

    with sharing(folder, ALL, guards=[guard]) as served:
        for method, target in (
            ("GET", "/x.txt"),
            ("GET", "/missing"),
            ("GET", "/"),
            ("GET", "/.lanline/page.css"),
            ("PUT", "/new"),
            ("OPTIONS", "*"),
            ("OPTIONS", "/x.txt"),
            ("TRACE", "/"),
        ):
            reply = served.ask(method, target)
            assert reply.status == 401 and reply["WWW-Authenticate"].startswith("Basic ")
        assert served.ask("GET", "/", {"Host": "evil.example"}).status == 421


def test_the_files_of_the_page_are_served_and_its_shell_is_not(folder: Path) -> None:
    with sharing(folder) as served:
        reply = served.get("/.lanline/page.css")
        assert reply.status == 200 and reply["Content-Type"] == "text/css; charset=utf-8"
        assert reply["X-Content-Type-Options"] == "nosniff" and reply["Referrer-Policy"] == "no-referrer"
        assert served.get("/.lanline/page.css", If_None_Match=reply["ETag"]).status == 304
        refused = served.ask("PUT", "/.lanline/page.css", body=b"x")
        assert (refused.status, refused["Allow"]) == (405, "GET, HEAD, OPTIONS")
        for target in ("/.lanline/shell.html", "/.lanline/page.css/", "/.lanline/page.css/x", "/.lanline/__init__.py"):
            assert served.get(target).status == 404


def test_refusals_are_sentences_for_people_and_problems_for_programs(folder: Path) -> None:
    with sharing(folder) as served:
        reply = served.get("/missing")
        assert reply["Content-Type"].startswith("text/plain") and reply.body.endswith(b"\n")
        problem = served.get("/missing", Accept="application/json")
        assert problem["Content-Type"].startswith("application/problem+json")
        assert json.loads(problem.body)["status"] == 404


def test_the_folder_is_held_not_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "link"
    (tmp_path / "real").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("other")
    folder.symlink_to("real")
    with sharing(folder) as served:
        folder.unlink()
        folder.symlink_to("other")
        assert served.get("/x").status == 404


def test_a_browser_without_scripts_adds_a_file_and_is_back_in_the_folder(folder: Path) -> None:
    with sharing(folder, ALL) as served:
        assert b'enctype="multipart/form-data"' in served.get("/a%20b/", Accept="text/html").body
        part = b'Content-Disposition: form-data; name="file"; filename="new.txt"\r\n\r\nnew'
        body = b"--B\r\n" + part + b"\r\n--B--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=B", "Accept": "text/html"}
        reply = served.ask("POST", "/a%20b/", {**headers, "Origin": f"http://127.0.0.1:{served.port}"}, body)
        assert (reply.status, reply["Location"]) == (303, "/a%20b/")
        assert served.get("/a%20b/new.txt").body == b"new"
