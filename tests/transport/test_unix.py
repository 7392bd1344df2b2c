"""Unix sockets: mode, stale files, long paths, abstract names, and who is at the other end."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed, ListenFailed
from lanline.transport import socketfile, unix
from lanline.transport.base import Arrival, connection_facts
from lanline.transport.unixname import socket_name

from .conftest import Run
from .recorder import Recorder


def _at(path: Path | str) -> Address:
    return Address("unix", path=str(path))


async def _answers(address: Address) -> bool:
    client = Recorder()
    try:
        await unix.connect(address, lambda: client, timeout=15)
    except ConnectFailed:
        return False
    await client.end()
    return True


@pytest.mark.parametrize("by_descriptor", [True, False])
@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_file_has_its_mode_from_the_first_moment(
    run: Run[Any], home: Path, mode: int, by_descriptor: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketfile, "_MODE_BY_DESCRIPTOR", by_descriptor)
    seen: list[int] = []
    real_listen = socket.socket.listen

    def listen(sock: socket.socket, backlog: int) -> None:
        seen.append(stat.S_IMODE(os.stat(home / "x").st_mode))  # bound, and nobody can connect yet
        real_listen(sock, backlog)

    monkeypatch.setattr(socket.socket, "listen", listen)
    umask = os.umask(0o002)

    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), Recorder, mode=mode)
        await listener.close()

    try:
        run(main())
        assert os.umask(0o002) == 0o002
    finally:
        os.umask(umask)
    assert seen == [mode]


def test_the_default_lets_in_this_user_alone(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), Recorder)
        assert stat.S_IMODE(os.stat(home / "x").st_mode) == 0o600
        await listener.close()

    run(main())


def test_the_file_goes_when_the_listener_stops(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), Recorder)
        listener.stop_accepting()
        assert not (home / "x").exists()
        await listener.close()

    run(main())


def test_a_file_that_another_server_put_there_since_is_left_alone(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        first = await unix.listen(_at(home / "x"), Recorder)
        (home / "x").unlink()
        second = await unix.listen(_at(home / "x"), Recorder)
        await first.close()
        assert await _answers(_at(home / "x"))
        await second.close()
        (home / "x").write_bytes(b"")
        await second.close()
        assert (home / "x").exists()

    run(main())


def test_a_stale_file_is_replaced(run: Run[Any], home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(home / "x"))

    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), Recorder)
        assert await _answers(_at(home / "x"))
        await listener.close()
        assert os.listdir(home) == []

    run(main())


def test_a_socket_somebody_listens_at_is_not_taken(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        first = await unix.listen(_at(home / "x"), Recorder)
        with pytest.raises(ListenFailed, match="another server listens there"):
            await unix.listen(_at(home / "x"), Recorder)
        assert await _answers(_at(home / "x"))
        await first.close()

    run(main())


def test_a_server_that_woke_up_while_its_file_was_moved_gets_it_back(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), Recorder)
        before = os.stat(home / "x").st_ino
        in_use = OSError("in use")
        with pytest.raises(OSError) as caught:
            socketfile.remove_stale(str(home / "x"), in_use)  # as if both looks had found nobody
        assert caught.value is in_use
        assert os.stat(home / "x").st_ino == before
        assert os.listdir(home) == ["x"]
        await listener.close()

    run(main())


def test_a_file_that_is_no_socket_is_never_removed(run: Run[Any], home: Path) -> None:
    (home / "x").write_text("letters")

    async def main() -> None:
        with pytest.raises(ListenFailed, match="a file that is not a socket is in the way"):
            await unix.listen(_at(home / "x"), Recorder)
        with pytest.raises(ConnectFailed):
            await unix.connect(_at(home / "x"), Recorder, timeout=15)

    run(main())
    assert (home / "x").read_text() == "letters"


def test_a_path_beyond_107_bytes_is_served_and_reached(run: Run[Any], home: Path) -> None:
    folder = home / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    path = folder / "x"

    async def main() -> None:
        for _ in range(2):
            listener = await unix.listen(_at(path), Recorder)
            assert await _answers(_at(path))
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            with pytest.raises(ListenFailed, match="another server listens there"):
                await unix.listen(_at(path), Recorder)
            await listener.close()
            assert os.listdir(folder) == []
            with socket.socket(socket.AF_UNIX) as killed, socket_name(str(path)) as name:
                killed.bind(name)  # stale for the second round

    run(main())


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("nowhere/x", "its folder does not exist"), ("file/x", "part of its path is a file"), ("y" * 200, "too long")],
)
def test_a_path_that_cannot_be_says_why(run: Run[Any], home: Path, path: str, sentence: str) -> None:
    (home / "file").write_text("")

    async def main() -> None:
        with pytest.raises(ListenFailed, match=sentence):
            await unix.listen(_at(home / path), Recorder)
        with pytest.raises(ConnectFailed):
            await unix.connect(_at(home / path), Recorder, timeout=15)

    run(main())


def test_an_abstract_name_is_served_without_a_file(run: Run[Any], seed: int) -> None:
    address = Address("unix", path=f"@lanline-test-{seed}-{os.getpid()}")

    async def main() -> None:
        listener = await unix.listen(address, Recorder)
        assert await _answers(address)
        with pytest.raises(ListenFailed, match="another server listens there"):
            await unix.listen(address, Recorder)
        await listener.close()
        assert not await _answers(address)

    run(main())


def test_the_other_ends_user_is_what_the_kernel_says(run: Run[Any], home: Path) -> None:
    arrivals: list[Arrival] = []

    def factory(arrival: Arrival) -> Recorder:
        arrivals.append(arrival)
        return Recorder(arrival)

    async def main() -> None:
        listener = await unix.listen(_at(home / "x"), factory)
        client = Recorder()
        await unix.connect(_at(home / "x"), lambda: client, timeout=15)
        assert connection_facts(client.transport).uid == os.getuid()
        client.transport.write(b"x")
        await client.end()
        await listener.close()
        assert arrivals[0].uid == os.getuid()
        assert arrivals[0].peer_address == f"unix://{home}/x (uid {os.getuid()}, process {os.getpid()})"

    run(main())


def test_a_full_listen_queue_is_waited_for_and_then_said(run: Run[Any], home: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(home / "x"))
            server.listen(0)
            first = Recorder()
            await unix.connect(_at(home / "x"), lambda: first, timeout=15)
            with pytest.raises(ConnectFailed, match="too busy"):
                await unix.connect(_at(home / "x"), Recorder, timeout=0.05)
            await first.end()

    run(main())
