"""Chats over TCP and UDP, and the board that passes on what its clients say."""

from __future__ import annotations

import socket

from tests.examples.program import started


def test_both_sides_of_a_tcp_chat_speak_when_they_like_and_q_ends_it_for_both() -> None:
    with started("chat_tcp.py", "listen", "tcp://127.0.0.1:0") as anna:
        with started("chat_tcp.py", anna.address()) as ben:
            assert anna.line().startswith("talking with tcp://127.0.0.1:")
            assert ben.line().startswith("talking with tcp://127.0.0.1:")
            anna.type("hello", "are you there?")
            assert [ben.line(), ben.line()] == ["they: hello", "they: are you there?"]
            ben.type("猫")
            assert anna.line() == "they: 猫"
            ben.type("q")
            assert ben.rest() == ["the chat is over"]
            assert anna.rest() == ["the chat is over"]


def test_a_tcp_chat_ends_when_the_other_side_is_a_bare_socket_that_closes() -> None:
    with started("chat_tcp.py", "listen", "tcp://127.0.0.1:0") as anna:
        host, _, port = anna.address().removeprefix("tcp://").partition(":")
        with socket.create_connection((host, int(port))) as ben:
            assert anna.line().startswith("talking with")
            ben.sendall(b"a\x1b[2Jb\n")
            assert anna.line() == r"they: a\x1b[2Jb"
        assert anna.rest() == ["the chat is over"]


def test_ctrl_c_ends_a_tcp_chat_without_a_traceback() -> None:
    with started("chat_tcp.py", "listen", "tcp://127.0.0.1:0") as anna:
        with started("chat_tcp.py", anna.address()) as ben:
            assert [anna.line()[:12], ben.line()[:12]] == ["talking with"] * 2
            ben.interrupt()
            assert ben.rest() == []
            assert anna.rest() == ["the chat is over"]


def test_a_udp_chat_goes_to_whoever_spoke_last_and_q_ends_it_for_both() -> None:
    with started("chat_udp.py", "udp://127.0.0.1:0") as anna:
        address = anna.address()
        with started("chat_udp.py", "udp://127.0.0.1:0", address) as ben:
            assert ben.line().startswith("waiting at udp://127.0.0.1:")
            ben.type("hello")
            assert anna.line().endswith(": hello")
            anna.type("hello yourself")
            assert ben.line() == f"{address}: hello yourself"
            ben.type("q")
            assert ben.rest() == ["the chat is over"]
            assert anna.rest() == ["the chat is over"]


def test_the_board_passes_on_what_each_says_to_all_others() -> None:
    with started("server_class.py", "tcp://127.0.0.1:0") as server:
        host, _, port = server.address().removeprefix("tcp://").partition(":")
        with socket.create_connection((host, int(port))) as anna, anna.makefile("rb") as to_anna:
            assert to_anna.readline() == b"1 here\n"
            with socket.create_connection((host, int(port))) as ben, ben.makefile("rb") as to_ben:
                assert to_ben.readline() == b"2 here\n"
                anna.sendall(b"hello\n")
                assert to_ben.readline() == b"hello\n"
                ben.sendall(b"hi\n")
                assert to_anna.readline() == b"hi\n"
