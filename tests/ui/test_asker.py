"""Questions to plain addresses: what counts as an answer, and what happens when there is none."""

from __future__ import annotations

import socket
import threading

import pytest
from tests.ui.peers import free_port, keeping, tcp_peer

from lanline.address import Address
from lanline.errors import ConnectFailed
from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from lanline.ui.asker import Asker, NoAnswer


def _upper(data: bytes) -> bytes:
    return data.upper()


def test_a_question_has_its_answer_with_the_round_trip_and_who_gave_it() -> None:
    with tcp_peer(_upper) as address:
        asker = Asker(Address.parse(address), Raw())
        (answer,) = asker.ask(b"hello\n", count=1, wait=5.0)
        assert (answer.message, answer.sender) == (b"HELLO\n", address)
        assert 0 < answer.round_trip_ns < 5_000_000_000
        asker.close()


def test_one_connection_serves_many_questions_while_the_peer_keeps_it() -> None:
    seen: list[bytes] = []
    with tcp_peer(keeping(seen)) as address:
        asker = Asker(Address.parse(address), Raw())
        for _ in range(3):
            list(asker.ask(b"again", count=1, wait=5.0))
        asker.close()
    assert seen == [b"again"] * 3


def test_a_peer_that_closes_after_each_answer_is_connected_to_again() -> None:
    def once(data: bytes) -> bytes | None:
        return data if data != b"close" else None

    with tcp_peer(once) as address:
        asker = Asker(Address.parse(address), Raw())
        with pytest.raises(NoAnswer, match=r"closed the channel, after 0 of 1 answers"):
            list(asker.ask(b"close", count=1, wait=5.0))
        (answer,) = asker.ask(b"next", count=1, wait=5.0)
        assert answer.message == b"next"
        asker.close()


def test_an_answer_that_comes_late_is_no_answer_to_the_next_question() -> None:
    with tcp_peer(lambda data: data * 3) as address:
        asker = Asker(Address.parse(address), Lines())
        first = [answer.message for answer in asker.ask(b"one", count=1, wait=5.0)]
        second = [answer.message for answer in asker.ask(b"two", count=3, wait=5.0)]
        asker.close()
    assert first == [b"one"]
    assert second == [b"two"] * 3


def test_missing_answers_are_counted() -> None:
    with tcp_peer(_upper) as address:
        asker = Asker(Address.parse(address), Lines())
        with pytest.raises(NoAnswer, match=r"1 of 2 answers came from .*, and then none within 0.05 s"):
            list(asker.ask(b"x", count=2, wait=0.05))
        asker.close()


def test_no_answer_wanted_is_no_wait() -> None:
    with tcp_peer(lambda data: b"") as address:
        asker = Asker(Address.parse(address), Raw())
        assert list(asker.ask(b"x", count=0, wait=0.0)) == []
        asker.close()


def test_a_refusal_says_to_start_the_server_and_how_to_wait_for_it() -> None:
    asker = Asker(Address.parse(f"tcp://127.0.0.1:{free_port()}"), Raw())
    with pytest.raises(ConnectFailed, match="nothing listens at") as caught:
        list(asker.ask(b"x", count=1, wait=1.0))
    assert "start the server first" in caught.value.advice
    assert "--retry" in caught.value.advice


def test_a_server_that_starts_later_is_found_within_the_time_given() -> None:
    port = free_port()
    answers: list[bytes] = []

    def ask() -> None:
        asker = Asker(Address.parse(f"tcp://127.0.0.1:{port}"), Raw(), retry=20.0)
        answers.extend(answer.message for answer in asker.ask(b"x", count=1, wait=5.0))
        asker.close()

    thread = threading.Thread(target=ask)
    thread.start()
    with tcp_peer(_upper, port=port):
        thread.join(20.0)
    assert answers == [b"X"]


def test_a_greeting_is_the_first_answer_and_what_comes_between_questions_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        has_spoken = threading.Event()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as lines:
                sock.sendall(b"welcome\n")
                for line in lines:
                    sock.sendall(line.upper() + b"by the way\n")
                    has_spoken.set()

        thread = threading.Thread(target=serve)
        thread.start()
        asker = Asker(Address("tcp", "127.0.0.1", listener.getsockname()[1]), Lines())
        assert [answer.message for answer in asker.ask(b"one", count=2, wait=5.0)] == [b"welcome", b"ONE"]
        assert has_spoken.wait(15.0)
        assert [answer.message for answer in asker.ask(b"two", count=1, wait=5.0)] == [b"TWO"]
        asker.close()
        thread.join(10.0)
