"""No file, folder or class is named after the author's lack of a name for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from tests.rules.source import PythonFile, check_nothing, python

NAMELESS = {
    "util",
    "utils",
    "utility",
    "utilities",
    "helper",
    "helpers",
    "common",
    "manager",
    "managers",
    "misc",
}


def _words(name: str) -> set[str]:
    """The words a name is made of, in small letters: of `job_utils` and of `JobUtils` job and utils."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def violations(files: Collection[PythonFile]) -> Iterator[str]:
    """One line for each name that says nothing."""
    for file in files:
        if found := NAMELESS & _words(file.path):
            yield f"{file.path}: {found.pop()} names no idea"
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ClassDef) and (found := NAMELESS & _words(node.name)):
                yield f"{file.path}:{node.lineno} class {node.name}: {found.pop()} names no idea"


def test_every_name_names_an_idea() -> None:
    check_nothing(violations(python()))


def test_planted_nameless_names_are_found() -> None:
    files = [
        PythonFile("src/lanline/job_utils.py", ""),
        PythonFile("x.py", "class JobManager: ...\nclass Commons: ..."),
    ]
    assert list(violations(files)) == [
        "src/lanline/job_utils.py: utils names no idea",
        "x.py:1 class JobManager: manager names no idea",
    ]
