"""HTTP by hand, against each other and against a client and a server that others have written."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.examples.program import output, started


def test_the_client_takes_the_answer_of_the_server_apart() -> None:
    with started("http_server.py", "tcp://127.0.0.1:0") as server:
        address = server.address()
        lines = output("http_client.py", address, "/hello")
        assert lines[0] == "head: HTTP/1.1 200 OK"
        assert "head: Connection: close" in lines
        assert lines[-1] == "body: GET /hello HTTP/1.1"
        assert output("http_client.py", address, "/", "some text")[-2:] == ["body: POST / HTTP/1.1", "some text"]


def test_curl_reaches_the_server() -> None:
    if shutil.which("curl") is None:
        pytest.skip("this machine has no curl")
    with started("http_server.py", "tcp://127.0.0.1:0") as server:
        url = server.address().replace("tcp://", "http://") + "/hello"
        for more, body in ([], "GET /hello HTTP/1.1\n"), (["--data", "some text"], "POST /hello HTTP/1.1\nsome text"):
            command = ["curl", "--silent", "--show-error", "--include", "--noproxy", "*", *more, url]
            head, _, text = subprocess.check_output(command, timeout=15, text=True).replace("\r", "").partition("\n\n")
            assert head.splitlines()[0] == "HTTP/1.1 200 OK"
            assert text == body


def test_the_client_reaches_a_server_that_others_have_written(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello\n")

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            lines = output("http_client.py", f"tcp://127.0.0.1:{server.server_port}", "/hello.txt")
        finally:
            server.shutdown()
            thread.join()
    assert lines[0].split()[2] == "200"
    assert lines[-1] == "body: hello"
