"""What holds for every example: short, listed, says how to use it, ends at Ctrl-C without a traceback."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.examples.program import EXAMPLES, output, started

NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_under_40_lines_and_says_how_to_run_it(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert text.count("\n") < 40
    assert f"python examples/{name} " in (ast.get_docstring(ast.parse(text)) or "")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_without_its_addresses_says_how_it_is_used(name: str) -> None:
    assert output(name, exit_code=1)[0].startswith(f"usage: python {name} ")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_run_by_a_test_and_listed_with_what_it_shows(name: str) -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in EXAMPLES.parent.glob("tests/examples/test_*.py"))
    assert f'"{name}"' in tests
    assert f"]({name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


SERVERS = {
    "echo_server.py": ["tcp://127.0.0.1:0"],
    "echo_server_bare.py": ["127.0.0.1", "0"],
    "acknowledge_server.py": ["udp://127.0.0.1:0"],
    "server_class.py": ["tcp://127.0.0.1:0"],
    "time_server.py": ["udp://127.0.0.1:0"],
    "unix_pair.py": ["serve", "unix://pair.sock"],
    "ipv6.py": ["serve", "tcp://[::1]:0"],
    "remote_command.py": ["serve", "tcp://127.0.0.1:0"],
    "shout.py": ["listen", "udp://127.0.0.1:0"],
    "file_receive.py": ["tcp://127.0.0.1:0", "."],
    "http_server.py": ["tcp://127.0.0.1:0"],
    "addresses.py": ["serve", "tcp://127.0.0.1:0"],
    "chat_tcp.py": ["listen", "tcp://127.0.0.1:0"],
    "chat_udp.py": ["udp://127.0.0.1:0"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_ends_at_ctrl_c_without_a_traceback(name: str, home: Path) -> None:
    with started(name, *SERVERS[name], folder=home) as program:
        assert program.line()
        program.interrupt()
        assert program.rest() == []
