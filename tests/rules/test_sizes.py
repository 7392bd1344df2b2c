"""How long a file and a function may be. What outgrows this holds two ideas.

Hard: 600 lines a file, 60 a function, its docstring not counted. Soft: 400 and 40; one in ten may be over.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from tests.rules.source import Function, PythonFile, check_nothing, functions, python

FILE_SOFT, FILE_HARD = 400, 600
FUNCTION_SOFT, FUNCTION_HARD = 40, 60


def length(function: Function) -> int:
    """Lines of a function, from the one with its name to its last, without its docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or 0) if is_docstring else function.lineno
    return (function.end_lineno or 0) - start


def long_files(files: Collection[PythonFile], limit: int) -> list[str]:
    """The files with more lines than the limit."""
    sizes = ((file.path, file.text.count("\n")) for file in files)
    return [f"{path}: {lines} lines, limit {limit}" for path, lines in sizes if lines > limit]


def long_functions(files: Collection[PythonFile], limit: int) -> list[str]:
    """The functions with more lines than the limit."""
    return [
        f"{file.path}:{function.lineno} {function.name}: {length(function)} lines, limit {limit}"
        for file in files
        for function in functions(file.tree)
        if length(function) > limit
    ]


def test_no_file_is_longer_than_the_hard_limit() -> None:
    check_nothing(long_files(python(), FILE_HARD))


def test_no_function_is_longer_than_the_hard_limit() -> None:
    check_nothing(long_functions(python(), FUNCTION_HARD))


def test_at_most_one_file_in_ten_is_over_the_soft_limit() -> None:
    files = python("src/lanline")
    over = long_files(files, FILE_SOFT)
    assert len(over) <= len(files) / 10, "\n".join(over)


def test_at_most_one_function_in_ten_is_over_the_soft_limit() -> None:
    files = python("src/lanline")
    over = long_functions(files, FUNCTION_SOFT)
    assert len(over) <= sum(1 for file in files for _ in functions(file.tree)) / 10, "\n".join(over)


def test_planted_giants_are_found() -> None:
    body = "    x = 1\n" * 61
    giant = PythonFile("x.py", f'def f():\n    """Says\n    more."""\n{body}' + "#\n" * 600)
    assert long_files([giant], FILE_HARD) == ["x.py: 664 lines, limit 600"]
    assert long_functions([giant], FUNCTION_HARD) == ["x.py:1 f: 61 lines, limit 60"]
