"""What the rules read: the files of this project and the syntax trees of its Python.

A rule never runs the code it judges unless it says so. Files are found by walking, not by asking git, so that
the rules hold in an unpacked archive too; what tools leave behind is passed over by name.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PASSED_OVER = {
    ".git",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "build",
    "dist",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class PythonFile:
    """One Python file: its path below the root, written with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        """The dotted name it is imported by: src/lanline/link/call.py is lanline.link.call."""
        return self.path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _PASSED_OVER and not name.startswith(".venv") and not name.endswith(".egg-info")
        )
        yield from (Path(here, name) for name in sorted(names))


@cache
def texts() -> dict[str, str]:
    """Every text file of the project by its path below the root; files that are no UTF-8 are left out."""
    found = {}
    for path in _walk(ROOT):
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@cache
def python(folder: str = "") -> tuple[PythonFile, ...]:
    """Every Python file below a folder of the root, such as `src/lanline`; all of them without one."""
    return tuple(
        PythonFile(path, text) for path, text in texts().items() if path.endswith(".py") and path.startswith(folder)
    )


def check_nothing(found: Iterable[str]) -> None:
    """Passes when there is nothing to find; fails with each finding on a line of its own otherwise."""
    lines = list(found)
    assert not lines, f"{len(lines)} to mend:\n" + "\n".join(lines)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method in a tree, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))
