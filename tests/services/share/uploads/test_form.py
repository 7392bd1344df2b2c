"""Forms over real connections: many files at once, each whole or refused, folders kept, names never lost."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.share.serving import Answered, Served, served

from lanline.services.share.shared import Permissions
from lanline.services.share.uploads.form import MAX_DEPTH, MAX_PARTS

_TYPE = {"Content-Type": "multipart/form-data; boundary=XX", "Accept": "application/json"}


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as share:
        yield share


def _form(*files: tuple[str, bytes]) -> bytes:
    body = b""
    for name, data in files:
        body += f'--XX\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        body += data + b"\r\n"
    return body + b"--XX--\r\n"


def _post(share: Served, *files: tuple[str, bytes], target: str = "/", **fields: str) -> Answered:
    return share.ask("POST", target, _form(*files), {**_TYPE, **fields})


def _statuses(answered: Answered) -> dict[str, Any]:
    return {each["name"]: each["status"] for each in answered.json()}


def test_many_files_arrive_and_their_folders_are_made(share: Served) -> None:
    (share.path / "into").mkdir()
    big = bytes(range(256)) * 20_000
    answered = _post(share, ("a.txt", b"a"), ("x/y/日本.bin", big), ("x/empty", b""), target="/into/")
    assert answered.status == 201
    assert answered.json()[1] == {
        "name": "x/y/日本.bin",
        "status": 201,
        "size": len(big),
        "sentence": "",
        "url": "/into/x/y/%E6%97%A5%E6%9C%AC.bin",
    }
    assert (share.path / "into/x/y/日本.bin").read_bytes() == big
    assert share.files() == ["into", "into/a.txt", "into/x", "into/x/empty", "into/x/y", "into/x/y/日本.bin"]


def test_a_taken_name_gets_a_number(share: Served) -> None:
    for _ in range(3):
        answered = _post(share, ("IMG_0001.jpg", b"picture"))
    assert answered.json()[0]["url"] == "/IMG_0001%20(3).jpg"
    assert share.files() == ["IMG_0001 (2).jpg", "IMG_0001 (3).jpg", "IMG_0001.jpg"]


def test_where_files_may_be_replaced_they_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with served(tmp_path, may=Permissions(upload=True, overwrite=True)) as share:
        assert _post(share, ("file", b"new")).json()[0]["status"] == 204
        assert (share.files(), (tmp_path / "file").read_bytes()) == (["file"], b"new")


def test_what_is_refused_leaves_the_others_alone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tmp_path / "a file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path_factory.mktemp("outside"))
    with served(tmp_path, may=Permissions(upload=True, max_upload_bytes=100)) as share:
        answered = _post(
            share,
            ("../up", b"x"),
            ("good", b"x"),
            ("/absolute", b"x"),
            ("C:\\\\windows", b"x"),
            (".hidden/x", b"x"),
            (".lanline/x", b"x"),
            (".lanline-part-0", b"x"),
            ("a file/x", b"x"),
            ("link/x", b"x"),
            ("a%22b", b"x"),
            ("too long", b"x" * 101),
            ("also good", b"x" * 100),
        )
        assert answered.status == 413
        assert _statuses(answered) == {
            "../up": 400,
            "good": 201,
            "/absolute": 400,
            "C:\\windows": 400,
            ".hidden/x": 400,
            ".lanline/x": 400,
            ".lanline-part-0": 400,
            "a file/x": 409,
            "link/x": 403,
            'a"b': 400,
            "too long": 413,
            "also good": 201,
        }
        assert all(bool(each["sentence"]) is not bool(each["url"]) for each in answered.json())
        assert share.files() == ["a file", "also good", "good", "link"]


def test_a_file_deeper_than_folders_are_made_is_refused_before_any_of_them_is(share: Served) -> None:
    deepest = "a/" * (MAX_DEPTH - 1) + "x"
    answered = _post(share, ("b/" * MAX_DEPTH + "x", b""), ("c/" * 4000 + "x", b""), (deepest, b"x"))
    assert [each["status"] for each in answered.json()] == [400, 400, 201]
    assert (share.path / deepest).read_bytes() == b"x"
    assert [each.name for each in share.path.iterdir()] == ["a"]


def test_fields_and_empty_file_inputs_are_read_over(share: Served) -> None:
    body = b'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n' + _form(("", b""), ("file", b"x"))
    assert _statuses(share.ask("POST", "/", body, _TYPE)) == {"file": 201}
    assert share.ask("POST", "/", _form(("", b"")), _TYPE).status == 400
    assert share.files() == ["file"]


def test_a_browser_without_scripts_is_led_back_to_the_folder(share: Served) -> None:
    (share.path / "in to").mkdir()
    answered = _post(share, ("file", b"x"), target="/in%20to/", Accept="text/html,*/*;q=0.8")
    assert (answered.status, answered.headers["Location"]) == (303, "/in%20to/")
    assert answered.headers["Cache-Control"] == "no-store"
    answered = _post(share, ("\x1b[2J", b"x"), ("other", b"x"), target="/in%20to/", Accept="text/html")
    assert answered.status == 400
    assert answered.body.startswith(b"1 of 2 files were taken.\n")
    assert b"\x1b" not in answered.body


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("multipart/form-data", _form(("file", b"x")), 415),
        ("multipart/form-data; boundary=YY", _form(("file", b"x")) + b"-" * 2000, 400),
        ("multipart/form-data; boundary=XX", b"--XX\r\n\r\n\r\n--XX--", 400),
        ("multipart/form-data; boundary=XX", b"", 400),
    ],
)
def test_what_is_no_form_is_refused(share: Served, content_type: str, body: bytes, status: int) -> None:
    assert share.ask("POST", "/", body, {"Content-Type": content_type}).status == status
    assert share.files() == []


def test_a_form_that_is_cut_off_keeps_what_was_whole(share: Served) -> None:
    body = _form(("whole", b"x"), ("half", b"y" * 100))
    with share.dial() as connection:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {_TYPE['Content-Type']}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-50])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert share.files() == ["whole"]
    assert _post(share, ("other", b"x")).status == 201
    answered = share.ask("POST", "/", body.removesuffix(b"--XX--\r\n"), _TYPE)
    assert answered.status == 400
    assert share.files() == ["other", "whole", "whole (2)"]


def test_a_form_of_too_many_files_is_refused_and_keeps_what_came(share: Served) -> None:
    files = [(f"d/{number}", b"") for number in range(20)]
    fields = b'--XX\r\nContent-Disposition: form-data; name="n"\r\n\r\n\r\n' * MAX_PARTS
    answered = share.ask("POST", "/", _form(*files).removesuffix(b"--XX--\r\n") + fields + b"--XX--", _TYPE)
    assert answered.status == 400
    assert len(share.files()) == 21


def test_a_form_that_no_disk_has_room_for_is_refused_before_it_travels(share: Served) -> None:
    with share.dial() as connection:
        head = (
            f"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: {_TYPE['Content-Type']}\r\n"
        )
        connection.sendall(f"{head}Content-Length: 900000000000000\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 507"


def test_a_file_and_a_missing_folder_take_no_form(share: Served) -> None:
    (share.path / "file").write_bytes(b"")
    assert _post(share, ("x", b"x"), target="/missing/").status >= 400
    assert _post(share, ("x", b"x"), target="/file").status >= 400
    assert share.files() == ["file"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_sends_a_form_with_a_name_of_its_own(share: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tmp_path_factory.mktemp("source") / 'odd";name'
    source.write_bytes(b"z" * 3_000_000)
    command = [
        "curl",
        "-sS",
        "-H",
        "Accept: application/json",
        "-F",
        f'files=@"{source.parent}/odd\\";name";filename="sub/o.bin"',
    ]
    done = subprocess.run([*command, f"http://127.0.0.1:{share.port}/"], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout)[0]["url"] == "/sub/o.bin"
    assert (share.path / "sub/o.bin").read_bytes() == b"z" * 3_000_000


def test_an_old_folder_with_a_name_that_nothing_new_gets_takes_files(share: Served) -> None:
    (share.path / "photos: 2026").mkdir()
    assert _post(share, ("a", b"x"), target="/photos:%202026/").status == 201
    assert share.ask("PUT", "/photos:%202026/b", b"x").status == 201
    assert _post(share, ("new: 2026/a", b"x")).status == 400
    assert share.files() == ["photos: 2026", "photos: 2026/a", "photos: 2026/b"]
