"""What stands in no file of this project, and which calls have one place only.

Each pattern has a bracket around one letter, so that this file does not hold what it forbids.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from tests.rules.source import PythonFile, check_nothing, python, texts

FORBIDDEN = {
    "a path of one machine": r"/[w]ork/(?:main|shared|steering)|/[f]arm/in|/[r]oot/|/[o]pt/lv",
    "the address of a package index": r"py[p]i\.org|python[h]osted\.org|registry\.[n]pmjs|deb\.[d]ebian\.org",
    "a word about how it was written": r"\b(?:[A]I|[L]LMs?|[c]hatbots?|[c]opilot|[l]anguage models?)\b",
    "a word with other meanings here": r"(?i)(?<!ssh-)(?<!user-)\b[a]gents?\b|\bthis [w]orkplace\b",
    "work left undone": r"(?:#|//|<!--).*\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b|\b[N]otImplementedError\b",
}


def forbidden(files: Mapping[str, str]) -> Iterator[str]:
    """One line for each forbidden text, with where it stands."""
    for path, text in files.items():
        for what, pattern in FORBIDDEN.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{path}:{line} holds {what}: {match.group()[:60]}"


def misplaced(file: PythonFile) -> Iterator[str]:
    """One line for each call or handler that the house keeps out of this file."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            waits = called == "time.sleep" or (called == "asyncio.sleep" and ast.unparse(node) != "asyncio.sleep(0)")
            if waits and file.path.startswith("tests/"):
                yield f"{file.path}:{node.lineno} sleeps: wait for the event itself"
            prints = called in (
                "print",
                "click.echo",
                "click.secho",
                "sys.stdout.write",
                "sys.stdout.buffer.write",
            )
            if prints and file.path.startswith("src/") and file.path != "src/lanline/ui/output.py":
                yield f"{file.path}:{node.lineno} prints: only ui/output.py does"
        if isinstance(node, ast.ExceptHandler) and _swallows(node):
            yield f"{file.path}:{node.lineno} swallows every error: name the one that is expected"


def _swallows(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    takes_all = ast.unparse(handler.type) in ("Exception", "BaseException")
    return takes_all and all(isinstance(node, ast.Pass | ast.Continue) for node in handler.body)


def silent_tests(file: PythonFile) -> Iterator[str]:
    """One line for each test that cannot fail by its own word."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            if not re.search(r"assert|raises|check_|expect|fail\(", ast.unparse(node)):
                yield f"{file.path}:{node.lineno} {node.name} asserts nothing"


def test_no_file_holds_what_belongs_in_none() -> None:
    check_nothing(forbidden(texts()))


def test_every_call_is_where_the_house_wants_it() -> None:
    check_nothing(line for file in python() for line in misplaced(file))


def test_every_test_asserts_something() -> None:
    check_nothing(line for file in python("tests") for line in silent_tests(file))


def test_planted_texts_are_found() -> None:
    planted = {
        "a.md": "made by A" + "I\nan ag" + "ent",
        "b.py": "# TO" + "DO",
        "c.md": "see /ro" + "ot/x, ssh-agent",
    }
    assert [line.split(" holds")[0] for line in forbidden(planted)] == [
        "a.md:1",
        "a.md:2",
        "b.py:1",
        "c.md:1",
    ]


def test_planted_calls_are_found() -> None:
    text = "print(1)\ntry: pass\nexcept Exception: pass\ntry: pass\nexcept: x()\n"
    assert len(list(misplaced(PythonFile("src/lanline/link/x.py", text)))) == 3
    text = "time.sleep(1)\nasyncio.sleep(0)\nasyncio.sleep(0.1)\nprint(1)"
    assert len(list(misplaced(PythonFile("tests/x.py", text)))) == 2
    assert not list(misplaced(PythonFile("src/lanline/ui/output.py", "print(1)")))


def test_a_planted_silent_test_is_found() -> None:
    assert (
        len(list(silent_tests(PythonFile("tests/x.py", "def test_a():\n    f()\ndef test_b():\n    assert f()")))) == 1
    )
