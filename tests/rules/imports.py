"""What a file imports, read from its syntax tree: names of modules, absolute, with the line of each."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests.rules.source import PythonFile


@dataclass(frozen=True)
class Import:
    """One imported module; `name` is what is taken from it, empty where the module itself is."""

    module: str
    name: str
    line: int
    when_loaded: bool
    """True where it runs when the file is imported: not inside a function, not for the type checker only."""


def imports(file: PythonFile) -> Iterator[Import]:
    """Every import of a file, wherever it stands in it."""
    yield from _of(file.tree, file, when_loaded=True)


def _of(node: ast.AST, file: PythonFile, *, when_loaded: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, "", node.lineno, when_loaded)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, file)
        for alias in node.names:
            yield Import(module, alias.name, node.lineno, when_loaded)
    elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for statement in node.body:
            yield from _of(statement, file, when_loaded=False)
        for statement in node.orelse:
            yield from _of(statement, file, when_loaded=when_loaded)
    else:
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _of(child, file, when_loaded=when_loaded and not inside)


def _absolute(node: ast.ImportFrom, file: PythonFile) -> str:
    if not node.level:
        return node.module or ""
    depth = node.level - file.path.endswith("__init__.py")
    base = file.module.split(".")[: -depth or None]
    return ".".join([*base, *([node.module] if node.module else [])])


def loaded_with(module: str, files: Collection[PythonFile]) -> set[str]:
    """Every module that is imported when `module` is, itself and the packages above it included.

    Follows imports through the given files; others, such as the standard library's, are named, not followed.
    """
    by_name = {file.module: file for file in files}
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []
        if name in by_name:
            for one in imports(by_name[name]):
                if one.when_loaded:
                    inner = f"{one.module}.{one.name}"
                    waiting.append(inner if inner in by_name else one.module)
    return seen
