"""`blocking.shout` and `blocking.hear`: heard once, from any thread closed, no event loop loaded."""

from __future__ import annotations

import inspect
import socket
import subprocess
import sys

import pytest

from lanline.errors import ChannelClosed, ListenFailed, LocalProtocolError, MessageTooLarge
from lanline.link import blocking
from lanline.transport.udp.multicast import PORT

from .bare import PATIENCE, InThread, until


def test_a_shout_is_heard_by_every_listener_once() -> None:
    with blocking.hear(0) as one, blocking.hear(one.address.port) as other:
        [delivery] = blocking.shout(b"lunch", f"127.255.255.255:{one.address.port}")
        assert delivery.error is None
        for ear in (one, other):
            heard = ear.receive(timeout=PATIENCE)
            assert (heard.message, heard.sender.host) == (b"lunch", "127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for message in (b"a", b"a", b"b"):
                sender.sendto(message, ("127.0.0.1", other.address.port))
        assert other.receive(timeout=PATIENCE).message == b"a"
        assert other.receive(timeout=PATIENCE).message == b"b"
        assert "lo" in one.interfaces


def test_nothing_heard_in_time_is_a_timeout_also_while_copies_come() -> None:
    with blocking.hear(0) as ear, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        with pytest.raises(TimeoutError):
            ear.receive(timeout=0)
        for _ in range(10):
            sender.sendto(b"same", ("127.0.0.1", ear.address.port))
        assert ear.receive(timeout=PATIENCE).message == b"same"
        with pytest.raises(TimeoutError):
            ear.receive(timeout=0.01)


def test_closing_in_another_thread_ends_the_iteration() -> None:
    ear = blocking.hear(0)
    port = ear.address.port
    with InThread(lambda: list(ear)) as listening:
        until(lambda: ear._turns.is_receiving)
        with pytest.raises(LocalProtocolError):
            ear.receive()
        blocking.shout(b"one", f"127.0.0.1:{port}")
        ear.close()
        heard = listening.outcome()
        assert isinstance(heard, list)
        assert [one.message for one in heard] in ([], [b"one"])
    with pytest.raises(ChannelClosed):
        ear.receive()
    ear.close()
    assert repr(ear) == f"<Shouts udp://*:{port} closed>"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.bind(("127.0.0.1", port))


def test_mistakes_are_told_at_once() -> None:
    with pytest.raises(MessageTooLarge, match="1201 bytes"):
        blocking.shout(b"x" * 1201)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        with pytest.raises(ListenFailed):
            blocking.hear(server.getsockname()[1])


def test_the_port_of_shouts_is_one_everywhere() -> None:
    for function in (blocking.shout, blocking.hear):
        assert inspect.signature(function).parameters["port"].default == PORT


def test_shouting_and_hearing_load_no_event_loop() -> None:
    code = (
        "import sys\nfrom lanline import blocking\n"
        "with blocking.hear(0) as ear:\n"
        "    blocking.shout(b'x', f'127.0.0.1:{ear.address.port}')\n"
        "    print(ear.receive(timeout=10.0).message, 'asyncio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout == "b'x' False\n"
