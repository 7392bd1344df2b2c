"""Several processes on one port: shared, replaced when they die or their code changes, and gone with their parent."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.ui.machines import wait_until
from tests.ui.served import Served, served

SECONDS = 10.0

TELLS_PID = """\
import os


async def handler(channel):
    async for message in channel:
        await channel.send(b"{word} %d" % os.getpid())
"""


def _connected(server: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port()), timeout=SECONDS)


def _ask(server: Served) -> tuple[str, int]:
    """What the handler says, and the process that said it."""
    with _connected(server) as sock:
        sock.sendall(b"who")
        word, pid = sock.recv(100).decode().split()
        return word, int(pid)


def _write(folder: Path, word: str) -> None:
    (folder / "mine.py").write_text(TELLS_PID.replace("{word}", word))


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_share_one_port_and_all_their_clients_are_told_in_one_place(tmp_path: Path) -> None:
    _write(tmp_path, "one")
    with served("./mine.py:handler", "--on", "tcp://127.0.0.1:0", "--workers", "3", cwd=tmp_path) as server:
        workers = _children(server.process.pid)
        assert len(workers) == 3
        held = [_connected(server) for _ in range(60)]
        for sock in held:
            sock.sendall(b"who")
        pids = {int(sock.recv(100).split()[1]) for sock in held}
        assert pids <= workers
        for sock in held:
            sock.close()
        for _ in held:
            server.wait("left", why="ChannelEnded")
        assert server.stop() == 0
        assert server.events[-1]["clients"] == 60
    assert not any(map(_is_running, workers))


def test_a_worker_that_dies_is_replaced_and_said_and_the_others_serve_on(tmp_path: Path) -> None:
    _write(tmp_path, "one")
    with served("./mine.py:handler", "--on", "tcp://127.0.0.1:0", "--workers", "2", cwd=tmp_path) as server:
        first = _children(server.process.pid)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        died = server.wait("worker_died", pid=victim)
        assert "SIGKILL" in died["text"]
        wait_until(lambda: len(_children(server.process.pid)) == 2)
        assert _ask(server)[1] in _children(server.process.pid)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    _write(tmp_path, "one")
    with served("./mine.py:handler", "--on", "tcp://127.0.0.1:0", "--workers", "2", cwd=tmp_path) as server:
        workers = _children(server.process.pid)
        server.process.kill()
        wait_until(lambda: not any(map(_is_running, workers)))
        assert _is_refused(server)


def test_the_most_clients_are_counted_over_all_workers(tmp_path: Path) -> None:
    _write(tmp_path, "one")
    words = ("--on", "tcp://127.0.0.1:0", "--workers", "3", "--max-clients", "5")
    with served("./mine.py:handler", *words, cwd=tmp_path) as server:
        held = []
        for _ in range(5):
            held.append(_connected(server))
            held[-1].sendall(b"who")
            assert held[-1].recv(100)
        with _connected(server) as sixth:
            assert sixth.recv(100) == b""
        server.wait("refused", limit=5)
        for sock in held:
            sock.close()


def test_datagrams_that_are_answered_one_by_one_are_shared_and_others_refused(tmp_path: Path) -> None:
    with served("echo", "--on", "udp://127.0.0.1:0", "--workers", "2") as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect(("127.0.0.1", server.port("udp")))
            for number in range(20):
                sock.send(b"%d" % number)
                assert sock.recv(100) == b"%d" % number
    _write(tmp_path, "one")
    words = ("./mine.py:handler", "--on", "udp://127.0.0.1:0", "--workers", "2")
    with served(*words, cwd=tmp_path, has_begun=False) as server:
        assert server.end() == 2
        assert "several processes cannot share udp://127.0.0.1:0" in server.err
        assert "answer(message, sender)" in server.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_changed_code_is_served_by_new_workers_and_a_broken_file_changes_nothing(tmp_path: Path, workers: str) -> None:
    _write(tmp_path, "one")
    words = ("--on", "tcp://127.0.0.1:0", "--workers", workers, "--reload")
    with served("./mine.py:handler", *words, cwd=tmp_path) as server:
        assert _ask(server)[0] == "one"
        old = _children(server.process.pid)
        (tmp_path / "mine.py").write_text("async def handler(channel:\n")
        failed = server.wait("reload_failed")
        assert "mine.py, line 1" in failed["text"]
        assert "the old one goes on" in failed["text"]
        assert _ask(server)[0] == "one"
        _write(tmp_path, "two")
        server.wait("reloaded")
        wait_until(lambda: not old & _children(server.process.pid))
        assert _ask(server)[0] == "two"
        assert len(_children(server.process.pid)) == int(workers)


def test_a_module_that_the_handler_imports_from_its_folder_is_watched_too(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("WORD = b'one'\n")
    text = "from words import WORD\n\n\nasync def handler(channel):\n    await channel.send(WORD)\n"
    (tmp_path / "mine.py").write_text(text)
    with served("./mine.py:handler", "--on", "tcp://127.0.0.1:0", "--reload", cwd=tmp_path) as server:
        with _connected(server) as sock:
            assert sock.recv(100) == b"one"
        (tmp_path / "words.py").write_text("WORD = b'two'\n")
        assert server.wait("reloaded")["files"] == [str((tmp_path / "words.py").resolve())]
        wait_until(lambda: _first_word(server) == b"two")


def _is_refused(server: Served) -> bool:
    try:
        _connected(server).close()
    except ConnectionRefusedError:
        return True
    return False


def _first_word(server: Served) -> bytes:
    with _connected(server) as sock:
        return sock.recv(100)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("async def handler(channel:\n", "mine.py, line 1"),
        ("import nowhere\n", "No module named 'nowhere' (mine.py, line 1)"),
        ("def handler(channel):\n    pass\n", "handler is a plain function"),
        ("import os\nos._exit(3)\n", "the first worker ended before it served"),
    ],
)
def test_a_file_that_cannot_be_loaded_ends_it_before_anything_is_served(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    words = ("./mine.py:handler", "--on", "tcp://127.0.0.1:0", "--workers", "2")
    with served(*words, cwd=tmp_path, has_begun=False) as server:
        assert server.end() == (1 if "exit" in text else 2)
        assert says in server.err
        assert not server.events


def test_a_second_signal_cuts_off_the_clients_of_all_workers(tmp_path: Path) -> None:
    _write(tmp_path, "one")
    words = ("--on", "tcp://127.0.0.1:0", "--workers", "2", "--drain", "600")
    with served("./mine.py:handler", *words, cwd=tmp_path) as server, _connected(server) as sock:
        sock.sendall(b"x")
        sock.recv(100)
        server.process.send_signal(signal.SIGINT)
        server.wait("stopping", clients=1)
        wait_until(lambda: _is_refused(server))
        assert server.stop(signal.SIGINT) == 130
        assert server.find("left", why="stopped")["received_messages"] == 1


def test_a_handler_is_found_by_the_name_of_its_module_too(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    _write(folder, "packed")
    with served("pack.mine:handler", "--on", "tcp://127.0.0.1:0", cwd=tmp_path) as server:
        assert _ask(server)[0] == "packed"
