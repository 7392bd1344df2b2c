"""No two files import each other, not even through a third: each can be read and tested alone.

What is imported for the type checker only does not count.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.rules.imports import imports
from tests.rules.source import PythonFile, python


def cycle(files: Collection[PythonFile]) -> list[str]:
    """The modules of one import cycle, in order, or nothing."""
    modules = {file.module for file in files}
    needs: dict[str, set[str]] = {}
    for file in files:
        names = {(one.module, f"{one.module}.{one.name}") for one in imports(file) if one.when_loaded}
        needs[file.module] = {inner if inner in modules else outer for outer, inner in names} & modules
    done: set[str] = set()

    def follow(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for needed in sorted(needs[module]):
            if found := follow(needed, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(modules) if (found := follow(module, []))), [])


def test_no_file_imports_itself_through_others() -> None:
    found = cycle(python("src/lanline"))
    assert not found, " -> ".join(found)


def test_a_planted_cycle_is_found() -> None:
    files = [
        PythonFile("src/lanline/link/a.py", "from lanline.link.b import B"),
        PythonFile("src/lanline/link/b.py", "from lanline.link import c"),
        PythonFile("src/lanline/link/c.py", "import lanline.link.a"),
    ]
    assert cycle(files) == ["lanline.link.a", "lanline.link.b", "lanline.link.c", "lanline.link.a"]
    assert not cycle(files[:2])
