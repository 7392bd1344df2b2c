"""Uploads to a share whose server is killed, whose disk is full, whose client leaves: nothing half has a name, and what
was told to be there is there."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import signal
import socket
from pathlib import Path

import pytest
from tests.faults.test_full_disk import full_disk
from tests.services.share.serving import PATIENCE, Served, served
from tests.ui.served import spawned

from lanline.services.share.shared import Permissions
from lanline.services.share.uploads.fields import bytes_field

_MIB = 1 << 20


def _ask(
    port: int, method: str, target: str, body: bytes | None = None, **fields: str
) -> tuple[int, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


def _append(
    port: int, url: str, offset: int, body: bytes, *, ends: bool = False
) -> tuple[int, http.client.HTTPMessage]:
    fields = {"Upload_Offset": str(offset), "Upload_Complete": "?1" if ends else "?0"}
    return _ask(port, "PATCH", url, body, Content_Type="application/partial-upload", **fields)


def _kill_in_mid_chunk(folder: Path, url: str, offset: int, data: bytes) -> int:
    """Starts a server, sends it a chunk, and kills it in the middle of the next. The last offset it told."""
    with spawned("share", str(folder), "--upload", "--port", "0", "--log", "none") as server:
        port = server.wait("sharing")["port"]
        told = int(_ask(port, "HEAD", url)[1]["Upload-Offset"])
        assert told >= offset, "an offset was taken back"
        status, headers = _append(port, url, told, data[told : told + _MIB])
        assert status == 204
        told = int(headers["Upload-Offset"])
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        head = f"PATCH {url} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/partial-upload\r\n"
        fields = f"Upload-Offset: {told}\r\nUpload-Complete: ?0\r\nContent-Length: {len(data) - told}\r\n\r\n"
        with connection:
            connection.sendall((head + fields).encode())
            most = random.randrange(1, 12 * _MIB)
            connection.sendall(data[told : told + most])
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(PATIENCE)
    return told


def test_a_server_that_is_killed_again_and_again_takes_back_no_offset_and_ends_with_the_right_file(
    tmp_path: Path, seed: int
) -> None:
    data = random.Random(seed).randbytes(40 * _MIB)
    with spawned("share", str(tmp_path), "--upload", "--port", "0", "--log", "none") as server:
        port = server.wait("sharing")["port"]
        length = str(len(data))
        status, headers = _ask(
            port, "POST", "/file", Upload_Complete="?0", Upload_Length=length, Want_Repr_Digest="sha-256=1"
        )
        assert status == 201
        url = headers["Location"]
        server.process.kill()
        server.process.wait(PATIENCE)
    told = 0
    for _ in range(3):
        told = _kill_in_mid_chunk(tmp_path, url, told, data)
        assert not (tmp_path / "file").exists()
    with spawned("share", str(tmp_path), "--upload", "--port", "0", "--log", "none") as server:
        port = server.wait("sharing")["port"]
        offset = int(_ask(port, "HEAD", url)[1]["Upload-Offset"])
        assert offset >= told
        status, headers = _append(port, url, offset, data[offset:], ends=True)
        assert status == 201
        assert headers["Repr-Digest"] == bytes_field({"sha-256": hashlib.sha256(data).digest()})
    assert told >= 3 * _MIB
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == data


def test_a_server_that_is_killed_in_a_put_leaves_no_file_under_the_name(tmp_path: Path) -> None:
    with spawned("share", str(tmp_path), "--upload", "--port", "0", "--log", "none") as server:
        port = server.wait("sharing")["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            head = f"PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {9 * _MIB}\r\n\r\n"
            connection.sendall(head.encode() + b"x" * 5 * _MIB)
            server.process.kill()
            server.process.wait(PATIENCE)
    assert not (tmp_path / "file").exists()
    assert len(os.listdir(tmp_path)) <= 1  # its draft; the next server removes it once it is a day old


def _all_of(share: Served, size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("has_length", [True, False])
def test_a_disk_that_gets_full_in_mid_body_is_507_and_leaves_nothing(tmp_path: Path, has_length: bool) -> None:
    with served(tmp_path) as share:
        data = _all_of(share, 3 * _MIB)
        with full_disk(2 * _MIB):
            answered = share.ask("PUT", "/file", data if has_length else iter([data[:_MIB], data[_MIB:]]))
        assert answered.status == 507
        assert share.files() == []
        assert share.ask("PUT", "/file", data).status == 201


def test_a_form_on_a_full_disk_tells_which_files_did_not_fit(tmp_path: Path) -> None:
    body = b""
    for name, size in (("small", 10), ("large", 3 * _MIB), ("other", 10)):
        body += f'--XX\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode()
        body += b"x" * size + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=XX", "Accept": "application/json"}
    with served(tmp_path) as share:
        with full_disk(2 * _MIB):
            answered = share.ask("POST", "/", body + b"--XX--", headers)
        assert answered.status == 507
        assert [each["status"] for each in answered.json()] == [201, 507, 201]
        assert share.files() == ["other", "small"]


def test_a_resumable_upload_waits_for_room_on_a_full_disk(tmp_path: Path) -> None:
    with served(tmp_path) as share:
        data = _all_of(share, 3 * _MIB)
        status, headers = _ask(share.port, "POST", "/file", Upload_Complete="?0", Upload_Length=str(len(data)))
        assert status == 201
        with full_disk(2 * _MIB):
            status, _ = _append(share.port, headers["Location"], 0, data, ends=True)
            assert status == 507
        offset = int(_ask(share.port, "HEAD", headers["Location"])[1]["Upload-Offset"])
        assert 0 < offset <= 2 * _MIB
        assert _append(share.port, headers["Location"], offset, data[offset:], ends=True)[0] == 201
        assert share.files() == ["file"]
        assert (tmp_path / "file").read_bytes() == data


def test_a_client_that_vanishes_leaves_nothing_and_harms_nobody(tmp_path: Path) -> None:
    with served(tmp_path, may=Permissions(upload=True)) as share:
        for _ in range(20):
            with share.dial() as connection:
                connection.sendall(
                    b"PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 9
                )
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset at the close
        assert share.ask("PUT", "/other", b"x").status == 201
        share.stop()
        assert share.files() == ["other"]
