"""Tests stand where the code stands: lanline/link/call.py is tested by tests/link/test_call.py.

Where one file is too small for all claims about a module, more may follow it: test_call_cancel.py.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from tests.rules.source import PythonFile, check_nothing, functions, python

FREE_FOLDERS = {"rules", "faults", "interop", "docs", "examples"}
"""Folders of tests about no module: rules, faults to survive, other people's programs, pages, examples."""

UNTESTED: dict[str, str] = {
    "__main__": "two lines; tests of the command line start lanline through it",
}
"""Modules without a test file of their own, and why. What holds nothing that runs needs no line here."""

SUITES: dict[str, str] = {
    "framing/test_conformance": "one suite that every framing passes",
    "transport/test_conformance": "one suite that every transport passes",
    "services/share/test_fuzz": "hostile requests against a whole share",
    "services/share/test_statuses": "every status that a whole share answers with",
}
"""Test files about more than one module, and what about."""


def _is_exempt(module: str) -> bool:
    """On the list, or command words, whose tests go through the command line."""
    return module in UNTESTED or module.startswith("ui/words/") or module.endswith("/words")


def runs(file: PythonFile) -> bool:
    """Whether a file holds a function that does something; types, constants and protocols do not."""
    bodies = (function.body for function in functions(file.tree))
    return any(not isinstance(one, ast.Expr | ast.Pass) for body in bodies for one in body)


def violations(modules: Collection[str], tests: Collection[str], passive: Collection[str] = ()) -> Iterator[str]:
    """One line for each module without its test file, and for each test file without its module.

    Args:
        modules: paths below src/lanline without `.py`, such as link/call; no __init__ among them.
        tests: paths below tests without `.py`, such as link/test_call.
        passive: those of the modules that hold nothing that runs; they may go untested.
    """
    mirrored: set[str] = set()
    for test in sorted(tests):
        path = PurePosixPath(test)
        if path.parts[0] in FREE_FOLDERS or test in SUITES:
            continue
        words = path.name.removeprefix("test_").split("_")
        names = {str(path.parent / "_".join(words[:count])) for count in range(1, len(words) + 1)}
        if not names & set(modules):
            yield f"tests/{test}.py mirrors no module of src/lanline"
        mirrored |= {max(names & set(modules), key=len, default="")}
    for module in sorted(set(modules) - mirrored - set(passive)):
        if not _is_exempt(module):
            yield f"src/lanline/{module}.py has no test file"
    for module in sorted(UNTESTED.keys() & mirrored):
        yield f"{module} has a test file by now: take it from the list of the untested"


def test_every_module_has_its_test_file_and_every_test_file_its_module() -> None:
    below = {file.path.removeprefix("src/lanline/").removesuffix(".py"): file for file in python("src/lanline")}
    # The face of a folder counts as a module of the folder's name where it does anything.
    faces = {path.removesuffix("/__init__"): path for path in below if path.endswith("/__init__") and runs(below[path])}
    modules = [*faces, *(path for path in below if not path.endswith("__init__"))]
    below |= {face: below[path] for face, path in faces.items()}
    passive = [path for path in modules if not runs(below[path])]
    paths = [file.path.removeprefix("tests/").removesuffix(".py") for file in python("tests")]
    tests = [path for path in paths if path.rpartition("/")[2].startswith("test_")]
    check_nothing(violations(modules, tests, passive))


def test_planted_strays_are_found() -> None:
    modules = ["link/call", "link/link", "errors", "ui/words/who"]
    assert list(
        violations(modules, ["link/test_call", "link/test_call_cancel", "link/test_cable", "rules/test_x"])
    ) == [
        "tests/link/test_cable.py mirrors no module of src/lanline",
        "src/lanline/errors.py has no test file",
        "src/lanline/link/link.py has no test file",
    ]
    assert list(violations(["__main__"], ["test___main__"])) == [
        "__main__ has a test file by now: take it from the list of the untested"
    ]


def test_only_what_runs_must_be_tested() -> None:
    assert not runs(PythonFile("x.py", 'A = 1\nclass B(Protocol):\n    def c(self) -> int:\n        """C."""'))
    assert runs(PythonFile("x.py", "class B:\n    def c(self) -> int:\n        return 1"))
    assert not list(violations(["framing/base"], [], ["framing/base"]))
