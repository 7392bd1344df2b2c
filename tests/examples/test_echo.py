"""The echo server and client, and the same with the socket module alone: each server with each client."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.examples.program import output, started

GREETING = "你好, 客户端!"
RECEIVED = "服务端已收到: "


def test_many_clients_are_greeted_and_answered_side_by_side(home: Path) -> None:
    with started("echo_server.py", "tcp://127.0.0.1:0", "unix://echo.sock", folder=home) as server:
        tcp, unix = server.line().split()[1:]
        with started("echo_client.py", tcp) as one, started("echo_client.py", unix, folder=home) as two:
            assert [one.line(), two.line()] == [GREETING, GREETING]
            two.type("from two")
            assert two.line() == f"{RECEIVED}from two"
            one.type("from one")
            assert one.line() == f"{RECEIVED}from one"
            one.no_more_typing()
            assert one.rest() == []
            two.no_more_typing()
            assert two.rest() == []


@pytest.mark.parametrize("client", ["echo_client.py", "echo_client_bare.py"])
@pytest.mark.parametrize("server", ["echo_server.py", "echo_server_bare.py"])
def test_quit_is_answered_and_ends_that_client_only(server: str, client: str) -> None:
    arguments = ["127.0.0.1", "0"] if server == "echo_server_bare.py" else ["tcp://127.0.0.1:0"]
    with started(server, *arguments) as serving:
        port = serving.line().replace(":", " ").split()[-1]
        where = ["127.0.0.1", port] if client == "echo_client_bare.py" else [f"tcp://127.0.0.1:{port}"]
        with started(client, *where) as stays:
            assert stays.line() == GREETING
            lines = output(client, *where, typed="hello\nquit\n")
            assert lines[:3] == [GREETING, f"{RECEIVED}hello", f"{RECEIVED}quit"]
            stays.type("still here")
            assert stays.line() == f"{RECEIVED}still here"


def test_the_client_says_it_when_the_server_has_ended() -> None:
    with (
        started("echo_server.py", "tcp://127.0.0.1:0") as server,
        started("echo_client.py", server.address()) as client,
    ):
        assert client.line() == GREETING
        client.type("quit")
        assert client.line() == f"{RECEIVED}quit"
        client.type("hello?")
        assert client.rest()[0].startswith("the conversation is over: ")


def test_the_bare_client_says_it_when_the_server_has_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with started("echo_client_bare.py", "127.0.0.1", str(listener.getsockname()[1])) as client:
            sock, _ = listener.accept()
            with sock:
                sock.sendall("你好\n".encode()[:4])
            assert client.rest() == ["the server has ended the conversation"]
