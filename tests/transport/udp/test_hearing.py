"""One listener to shouts: whole datagrams with their senders, a port shared with listeners only, woken from elsewhere.

What it hears on real networks, with interfaces that come later, is in `test_multicast.py`.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import threading

import pytest

from lanline.address import Address
from lanline.errors import ChannelClosed, ListenFailed, TransportError
from lanline.transport.interfaces import Interface
from lanline.transport.udp.hearing import Listener
from lanline.transport.udp.multicast import send_to

IP_RECVERR = 11
"""linux/in.h: an unconnected socket is told of refusals too."""


def test_what_is_sent_to_one_address_is_heard_with_its_sender() -> None:
    with Listener(0) as listener:
        delivery = send_to(b"hello", Address("udp", "127.0.0.1", listener.port))
        heard = listener.receive(5.0)
    assert delivery.error is None
    assert (heard.message, heard.sender.host) == (b"hello", "127.0.0.1")


def test_broadcast_on_loopback_is_heard_by_every_listener_of_the_machine() -> None:
    with Listener(0) as first, Listener(first.port) as second:
        assert send_to(b"all", Address("udp", "127.255.255.255", first.port)).error is None
        assert first.receive(5.0).message == second.receive(5.0).message == b"all"


def test_nothing_heard_in_time_is_a_timeout() -> None:
    with Listener(0) as listener, pytest.raises(TimeoutError, match="within 0 s"):
        listener.receive(0)


def test_a_process_with_many_open_files_hears_as_well() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    opened: list[int] = []
    try:
        while not opened or opened[-1] < 1100:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        with Listener(0) as listener, pytest.raises(TimeoutError):
            listener.receive(0.01)
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_port_that_a_server_has_is_not_shared_with_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        with pytest.raises(ListenFailed):
            Listener(server.getsockname()[1])


def test_taking_never_waits_and_gives_what_is_there() -> None:
    with Listener(0) as listener:
        assert listener.take() is None
        send_to(b"x", Address("udp", "127.0.0.1", listener.port))
        assert select.select(listener.filenos(), [], [], 5.0)[0]
        heard = listener.take()
        assert heard is not None
        assert heard.message == b"x"
        assert listener.take() is None


def test_a_wake_up_ends_the_wait_in_another_thread() -> None:
    told: list[str] = []
    with Listener(0) as listener:

        def wait() -> None:
            try:
                listener.receive()
            except ChannelClosed as error:
                told.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        listener.wake()
        waiting.join(10.0)
        assert told == ["this side has closed the socket already"]
        with pytest.raises(ChannelClosed):
            listener.receive(0)


def test_interfaces_that_cannot_be_listed_and_errors_of_the_network_are_told_and_it_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> list[Interface]:
        raise TransportError("too many open files")

    with Listener(0) as listener:
        known = listener.interfaces
        monkeypatch.setattr("lanline.transport.udp.hearing.interfaces", none)
        for _ in range(2):
            listener.looks_at = 0.0
            assert listener.take() is None
        assert listener.interfaces == known
        assert [record.getMessage() for record in caplog.records] == [
            f"shouts at port {listener.port}: new interfaces are not listened to: too many open files"
        ]
        send_to(b"x", Address("udp", "127.0.0.1", listener.port))
        assert listener.receive(5.0).message == b"x"


def test_an_error_of_the_network_is_told_and_the_next_datagram_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    with Listener(0) as listener:
        first = socket.socket(fileno=os.dup(listener.filenos()[0]))
        with first:
            first.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
                gone.bind(("127.0.0.1", 0))
                nobody = gone.getsockname()
            first.sendto(b"to nobody", nobody)
            assert listener.take() is None
        assert [record.getMessage() for record in caplog.records] == [
            f"shouts at port {listener.port}: a datagram was not received: Connection refused"
        ]
        send_to(b"x", Address("udp", "127.0.0.1", listener.port))
        assert listener.receive(5.0).message == b"x"
