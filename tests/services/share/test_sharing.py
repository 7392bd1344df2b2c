"""`lanline share` as a process of its own, visited by programs that share no code with it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest
from tests.ui.recording import Recording
from tests.ui.served import Served, spawned
from tests.ui.terminal import environment

from lanline.services.share.owner.accesslog import AccessLog
from lanline.services.share.sharing import _logged

SECONDS = 60.0


class Share:
    """A share that is up."""

    def __init__(self, process: Served) -> None:
        self.process = process
        self.event = process.wait("sharing")
        self.port: int = self.event["port"]

    def ask(
        self, target: str = "/", method: str = "GET", body: bytes | None = None, **fields: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """One request over a connection of its own, unencrypted."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            line.request(method, target, body, fields)
            answer = line.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            line.close()

    def log(self) -> list[dict[str, Any]]:
        """What `--log json` has said; asked for after the end."""
        return [
            json.loads(line) for line in self.process.err.splitlines() if line.startswith("{") and '"status"' in line
        ]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; the exit code."""
        return self.process.stop(number)


@contextmanager
def sharing(
    *words: str, stdin: int | IO[bytes] = subprocess.DEVNULL, through: Sequence[str] = (), **more: str
) -> Iterator[Share]:
    """Shares on any free port, for the length of the block."""
    port = () if "--port" in words else ("--port", "0")
    with spawned("share", *words, *port, stdin=stdin, through=through, more=more) as process:
        yield Share(process)


def refused(*words: str, **more: str) -> tuple[int, str]:
    """The exit code and the words of a share that does not begin."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lanline", "share", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        env=environment(HOME=os.environ["HOME"], **more),
        start_new_session=True,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a file, and a hidden one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"beach")
    (folder / ".env").write_bytes(b"secret")
    return folder


# -- what is served to whom ------------------------------------------------------------------------------------


def test_a_folder_is_read_by_this_machine_alone_and_nothing_can_be_changed(photos: Path) -> None:
    with sharing(str(photos)) as share:
        assert share.event["name"] == "photos" and share.event["kind"] == "folder"
        assert {one["scope"] for one in share.event["addresses"]} == {"machine"}
        assert share.ask("/a.txt")[:2] == (200, b"beach")
        assert share.ask("/.env")[0] == 404
        assert share.ask("/a.txt", "PUT", b"x")[0] == share.ask("/a.txt", "DELETE")[0] == 405
        assert share.ask(Host="attacker.example")[0] == 421
        assert share.stop() == 0
        last = share.process.events[-1]
        assert (last["event"], last["requests"], last["files"]) == ("stopped", 5, 1)


def test_each_right_is_given_by_its_own_option(photos: Path) -> None:
    with sharing(str(photos), "--upload", "--max-upload", "10", "--hidden", "--host", "Share.Example") as share:
        assert share.event["may"] == {"upload": True, "overwrite": False, "delete": False}
        assert share.ask("/new.txt", "PUT", b"new")[0] == 201
        assert share.ask("/large.txt", "PUT", b"x" * 11)[0] == 413
        assert share.ask("/a.txt", "PUT", b"x")[0] in (405, 409)
        assert share.ask("/a.txt", "DELETE")[0] == 405
        assert share.ask("/.env")[1] == b"secret"
        assert share.ask(Host="share.example")[0] == 200
    with sharing(str(photos), "--delete") as share:
        assert share.ask("/b.txt", "PUT", b"x")[0] == 405
        assert share.ask("/new.txt", "DELETE")[0] == 204
    with sharing(str(photos), "--upload", "--overwrite") as share:
        assert share.ask("/a.txt", "PUT", b"sea")[0] == 204
    assert (photos / "a.txt").read_bytes() == b"sea" and not (photos / "new.txt").exists()


def test_links_that_lead_out_are_followed_only_when_told(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_bytes(b"outside")
    (photos / "link.txt").symlink_to("../outside.txt")
    with sharing(str(photos)) as share:
        assert share.ask("/link.txt")[0] == 403
    with sharing(str(photos), "--follow") as share:
        assert share.ask("/link.txt")[1] == b"outside"


def test_a_file_is_shared_alone_by_the_name_it_was_given(photos: Path) -> None:
    (photos / "latest.txt").symlink_to("a.txt")
    with sharing(str(photos / "latest.txt")) as share:
        assert share.event["addresses"][0]["url"].rpartition("/")[2] == "latest.txt"
        assert share.ask("/latest.txt")[:2] == (200, b"beach")
        assert share.ask("/a.txt")[0] == 404


def test_a_name_of_any_script_stands_encoded_in_the_address(tmp_path: Path) -> None:
    (tmp_path / "海 滩.txt").write_bytes(b"beach")
    with sharing(str(tmp_path / "海 滩.txt")) as share:
        path = "/" + share.event["addresses"][0]["url"].rpartition("/")[2]
        assert path == "/%E6%B5%B7%20%E6%BB%A9.txt"
        assert share.ask(path)[1] == b"beach"


# -- ports -----------------------------------------------------------------------------------------------------


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_that_says_by_whom(photos: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, says = refused(str(photos), "--port", str(port))
    assert code == 1 and f"port {port} is in use by" in says and f"process {os.getpid()}" in says


def test_without_a_port_the_next_free_one_from_8080_on_is_taken(photos: Path) -> None:
    try:
        server = socket.create_server(("127.0.0.1", 8080))
    except OSError:
        server = None  # somebody else has it already: as good
    try:
        with spawned("share", str(photos)) as process:
            assert 8081 <= process.wait("sharing")["port"] <= 8099
            process.stop()
            assert "port 8080 is" in process.err
    finally:
        if server is not None:
            server.close()


# -- passwords and TLS -----------------------------------------------------------------------------------------


def _basic(password: str, user: str = "anna") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_password_is_asked_for_and_stands_in_no_line(photos: Path) -> None:
    with sharing(str(photos), "--log", "json", LANLINE_SHARE_PASSWORD="öffne dich") as share:
        assert share.event["password"] is True
        status, _body, headers = share.ask("/a.txt")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="lanline share", charset="UTF-8"')
        assert share.ask("/a.txt", Authorization=_basic("wrong"))[0] == 401
        assert share.ask("/a.txt", Authorization=_basic("öffne dich"))[:2] == (200, b"beach")
        assert share.stop() == 0
        assert [(one["status"], one["user"]) for one in share.log()] == [(401, ""), (401, ""), (200, "anna")]
        assert "dich" not in share.process.err and "Basic" not in share.process.err


def test_guessing_is_slowed_down_with_the_time_to_wait(photos: Path) -> None:
    with sharing(str(photos), LANLINE_SHARE_PASSWORD="x") as share:
        answers = [share.ask(Authorization=_basic(str(n))) for n in range(7)]
        assert [status for status, _body, _headers in answers][:5] == [401] * 5
        status, _body, headers = answers[-1]
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 5


def _https(port: int, **fields: str) -> tuple[int, bytes, bytes]:
    """Status, body and certificate, whoever it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    line = http.client.HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=context)
    try:
        line.request("GET", "/a.txt", headers=fields)
        answer = line.getresponse()
        body = answer.read()
        assert isinstance(line.sock, ssl.SSLSocket)
        shown = line.sock.getpeercert(binary_form=True)
        assert shown is not None
        return answer.status, body, shown
    finally:
        line.close()


def test_a_certificate_is_made_its_fingerprint_is_shown_and_it_stays(photos: Path) -> None:
    shown = []
    for _ in range(2):
        with sharing(str(photos), "--tls", LANLINE_SHARE_PASSWORD="x") as share:
            assert all(one["url"].startswith("https://") for one in share.event["addresses"])
            status, body, certificate = _https(share.port, Authorization=_basic("x"))
            assert (status, body) == (200, b"beach")
            digest = hashlib.sha256(certificate).hexdigest().upper()
            assert share.event["fingerprint"].replace(":", "") == digest
            shown.append(digest)
            assert share.stop() == 0
    assert shown[0] == shown[1]


def test_a_certificate_of_ones_own_is_shown(photos: Path, home: Path) -> None:
    with sharing(str(photos), "--tls"):
        own = home / ".local" / "state" / "lanline" / "share" / "certificate.pem"
        assert own.exists()
    copy = home / "own.pem"
    copy.write_bytes(own.read_bytes())
    with sharing(str(photos), "--tls-cert", str(copy), "--tls-key", str(copy)) as share:
        assert _https(share.port)[0] == 200
        assert len(share.event["fingerprint"]) == 95


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_a_link_to_this_machines_keys_leads_nowhere(photos: Path, home: Path, follow: tuple[str, ...]) -> None:
    keys = photos / "keys"
    keys.symlink_to(home / ".local" / "state" / "lanline")
    state = home / ".local" / "state" / "lanline" / "share"
    state.mkdir(mode=0o700, parents=True)
    (state / "certificate.pem").write_bytes(b"key")
    with sharing(str(photos), *follow) as share:
        assert [share.ask(f"/keys/{name}")[0] for name in ("", "share/", "share/certificate.pem")] == [403] * 3
        assert b"keys" not in share.ask(Accept="application/json")[1]
        assert share.ask("/a.txt")[0] == 200


# -- for one download ------------------------------------------------------------------------------------------


def test_once_ends_well_when_somebody_has_all_of_it(photos: Path) -> None:
    with sharing(str(photos / "a.txt"), "--once") as share:
        share.ask("/")
        share.ask("/a.txt", "HEAD")
        assert share.ask("/a.txt")[1] == b"beach"
        assert share.process.end() == 0
        assert share.process.find("taken")["by"] == "127.0.0.1"


@pytest.mark.parametrize("size", [2_000, 5_000_000])
def test_once_over_tls_ends_well_for_who_closes_at_once(photos: Path, size: int) -> None:
    (photos / "a.bin").write_bytes(bytes(size))
    with sharing(str(photos / "a.bin"), "--once", "--tls") as share:
        with socket.create_connection(("127.0.0.1", share.port), timeout=SECONDS) as bare:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(bare) as line:
                line.sendall(b"GET /a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head, _, body = _until_header(line).partition(b"\r\n\r\n")
                left = size - len(body)
                while left:
                    left -= len(line.recv(min(left, 65536)))
                line.settimeout(0)
                with suppress(ssl.SSLWantReadError):
                    line.unwrap()  # as curl does: it says that it ends, and does not wait to hear the same
        assert head.startswith(b"HTTP/1.1 200")
        assert share.process.end() == 0
        assert share.process.find("taken")["by"] == "127.0.0.1"


def _until_header(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(1)
    return data


def test_once_that_is_stopped_before_says_that_nobody_has_it(photos: Path) -> None:
    with sharing(str(photos / "a.txt"), "--once") as share:
        assert share.stop(signal.SIGINT) == 130
        assert "nobody has taken it" in share.process.err


def test_among_json_every_line_is_an_object(photos: Path) -> None:
    with sharing(str(photos / "a.txt"), "--once", "--log", "json") as share:
        share.ask("/", "HEAD")
        assert share.stop(signal.SIGINT) == 130
        documents = [json.loads(line) for line in share.process.err.splitlines()]
    assert [one.get("note", one.get("status")) for one in documents] == [200, "nobody has taken it"]


def test_a_flood_of_warnings_from_any_thread_waits_for_an_output_that_takes_none() -> None:
    async def main() -> None:
        console, takes_more = Recording(), [False]
        log = AccessLog(console, "text", takes_more=lambda: takes_more[0])
        library = logging.getLogger("lanline.http")
        with _logged(log):
            for number in range(100):
                library.warning("here %d", number)
            await asyncio.to_thread(library.warning, "there")
            await asyncio.sleep(0)
            assert console.err == ""
            takes_more[0] = True
            log.close()
        assert console.err.splitlines() == [*(f"here {number}" for number in range(100)), "there"]

    asyncio.run(main())


def test_an_upload_that_was_begun_is_told_in_the_end(photos: Path) -> None:
    fields = {"Upload-Complete": "?0", "Upload-Length": "9"}
    with sharing(str(photos), "--upload") as share:
        share.ask("/new.txt", "POST", None, **fields)
        assert share.stop() == 0
        assert "1 upload is unfinished: it goes on" in share.process.err
    with sharing(str(photos), "--upload") as share:
        share.ask("/other.txt", "POST", None, **fields)
        assert share.stop() == 0
        assert "2 uploads are unfinished: they go on" in share.process.err


def _fed(data: bytes) -> tuple[int, threading.Thread]:
    """The end of a pipe that this is written into, and who writes."""
    out, into = os.pipe()

    def write() -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(into, view) :]
        except BrokenPipeError:
            pass
        os.close(into)

    thread = threading.Thread(target=write)
    thread.start()
    return out, thread


def test_standard_input_is_taken_once_and_then_it_ends_well() -> None:
    data = bytes(range(256)) * 20_000
    out, thread = _fed(data)
    with sharing("-", "--name", "big.tar", stdin=out) as share:
        os.close(out)
        assert share.event["kind"] == "input"
        assert share.ask("/big.tar")[1] == data
        assert share.process.end() == 0
        assert share.process.find("taken")["by"] == "127.0.0.1"
    thread.join()


def test_standard_input_that_was_taken_in_part_is_a_failure_with_the_number_of_bytes() -> None:
    out, thread = _fed(bytes(64 << 20))
    with sharing("-", "--name", "big.tar", stdin=out) as share:
        os.close(out)
        with socket.create_connection(("127.0.0.1", share.port), timeout=SECONDS) as sock:
            sock.sendall(b"GET /big.tar HTTP/1.1\r\nHost: localhost\r\n\r\n")
            left = 100_000  # more than a header, so that something of the input has been sent
            while left > 0:
                left -= len(sock.recv(left))
        assert share.process.end() == 1
        event = share.process.find("broken_off")
        assert event["reason"] == "broken off" and 0 < event["sent_bytes"] < 64 << 20
        assert f"{event['sent_bytes']} bytes" in share.process.err
    thread.join()


def test_a_file_at_standard_input_has_its_name_and_ranges(photos: Path) -> None:
    with (photos / "a.txt").open("rb") as file, sharing("-", stdin=file) as share:
        assert share.event["name"] == "a.txt"
        status, body, headers = share.ask("/a.txt", Range="bytes=1-2")
        assert (status, body, headers["Content-Range"]) == (206, b"ea", "bytes 1-2/5")
        assert share.ask("/a.txt")[1] == b"beach"
        assert share.stop() == 0


# -- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_ends_it_well(photos: Path, number: signal.Signals) -> None:
    with sharing(str(photos)) as share:
        assert share.stop(number) == 0


def test_a_second_signal_cuts_off_who_is_still_taking_something(photos: Path) -> None:
    with (photos / "big").open("wb") as file:
        file.truncate(1 << 30)
    with sharing(str(photos)) as share:
        with socket.create_connection(("127.0.0.1", share.port), timeout=SECONDS) as sock:
            sock.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            share.process.process.send_signal(signal.SIGINT)
            with pytest.raises(OSError):  # nobody listens any more: the first signal has been heard
                while True:
                    socket.create_connection(("127.0.0.1", share.port), timeout=SECONDS).close()
            assert share.stop(signal.SIGINT) == 130


def test_it_raises_its_own_limit_of_open_files(photos: Path) -> None:
    limited = ["sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh"]
    with sharing(str(photos), through=limited) as share:
        lines = [socket.create_connection(("127.0.0.1", share.port), timeout=SECONDS) for _ in range(100)]
        for line in lines:
            line.sendall(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            line.close()


# -- what is refused before anything is served -----------------------------------------------------------------


def test_what_cannot_be_shared_is_refused_with_advice(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for words, says in (
        ([], "what to share is not said"),
        ([str(tmp_path / "missing")], "there is no"),
        ([""], "is empty"),
        ([str(tmp_path / "pipe")], "named pipe"),
        ([str(photos), "--overwrite"], "--overwrite goes with --upload"),
        ([str(photos), "--port", "65536"], "not a whole number"),
        ([str(photos), "--max-upload", "x"], "no size"),
        ([str(photos), "--password", "--lan"], "can read the password"),
        ([str(photos), "--password"], "no terminal to ask at"),
        ([str(photos), "--tls-cert", "x", "--tls-key", "y"], "x cannot be read"),
    ):
        code, told = refused(*words)
        assert code == 2 and says in told and "try: " in told, (words, told)


def test_an_input_that_is_closed_or_a_terminal_is_nothing_to_share() -> None:
    command = [sys.executable, "-P", "-m", "lanline", "share", "-", "--name", "x"]
    settings: dict[str, Any] = {
        "capture_output": True,
        "timeout": SECONDS,
        "env": environment(HOME=os.environ["HOME"]),
        "check": False,
    }
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], **settings)
    assert closed.returncode == 2 and b"standard input is closed" in closed.stderr
    head, end = os.openpty()
    typed = subprocess.run(command, stdin=end, **settings)
    os.close(head)
    os.close(end)
    assert typed.returncode == 2 and b"standard input is a terminal" in typed.stderr


def test_the_folder_of_keys_is_refused_wherever_it_is(home: Path) -> None:
    state = home / "lanline"
    state.mkdir(mode=0o700)
    code, told = refused(str(home), LANLINE_HOME=str(state))
    assert code == 2 and "keeps its keys" in told
