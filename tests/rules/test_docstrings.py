"""Every public module, class, function and method says what its caller gets.

Public is what has no leading underscore and stands in nothing that has one. What an `@overload` or a setter
says stands at the function they belong to.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from tests.rules.source import Function, PythonFile, check_nothing, python


def _public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _public([*node.body, *node.orelse])


def _is_said_elsewhere(node: Function | ast.ClassDef) -> bool:
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    return any(mark.endswith(("overload", ".setter")) for mark in marks)


def _silent(path: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in _public(body):
        if not ast.get_docstring(node) and not _is_said_elsewhere(node):
            yield f"{path}:{node.lineno} {node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _silent(path, node.body)


def violations(files: Collection[PythonFile]) -> Iterator[str]:
    """One line for each public name without a docstring."""
    for file in files:
        if not ast.get_docstring(file.tree):
            yield f"{file.path} does not open with a docstring"
        yield from _silent(file.path, file.tree.body)


def test_every_public_name_has_a_docstring() -> None:
    check_nothing(violations(python("src/lanline")))


def test_every_test_file_says_what_it_is_about() -> None:
    files = (*python("tests"), *python("benchmarks"), *python("examples"))
    check_nothing(file.path for file in files if not ast.get_docstring(file.tree))


def test_planted_silence_is_found() -> None:
    text = "class A:\n    def b(self): ...\n    def _c(self): ...\nclass _D:\n    def e(self): ...\n"
    assert list(violations([PythonFile("x.py", text)])) == [
        "x.py does not open with a docstring",
        "x.py:1 A has no docstring",
        "x.py:2 b has no docstring",
    ]
