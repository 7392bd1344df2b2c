"""Which files know nothing of asyncio, and what the quick command words must not load.

The pure layers run under asyncio, under a blocking socket and in a simulated room: only because they import
none of it. And `lanline run` and `lanline who` start fast only because their process loads no event loop,
no TLS, no certificates and no table printer.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator

import pytest

from tests.rules.imports import loaded_with
from tests.rules.source import PythonFile, check_nothing, python

LOOPS = {"asyncio", "uvloop"}
PURE_FOLDERS = ("lanline.framing", "lanline.session")
PURE_MODULES = (
    *(f"lanline.{name}" for name in ("errors", "roles", "address", "limits", "clean", "console", "translation")),
    *(f"lanline.room.{name}" for name in ("keys", "roster", "policy", "audit", "paths")),
    "lanline.beneath",
    "lanline.transport.sockets",
    "lanline.transport.udp.multicast",
    "lanline.link.blocking",
    "lanline.link.datagrams.sendertable",
)
SLOW_TO_LOAD = ("asyncio", "uvloop", "ssl", "cryptography", "rich", "aiohttp", "segno")


def violations(files: Collection[PythonFile]) -> Iterator[str]:
    """One line for each pure module that loads an event loop, or is not there."""
    modules = {file.module for file in files}
    inside = {name for name in modules if name.startswith(tuple(f"{folder}." for folder in PURE_FOLDERS))}
    for module in sorted(inside | set(PURE_MODULES)):
        if module not in modules:
            yield f"{module}: there is no such file"
        elif found := LOOPS & {name.split(".")[0] for name in loaded_with(module, files)}:
            yield f"{module} loads {', '.join(sorted(found))}"


def test_the_pure_files_load_no_event_loop() -> None:
    check_nothing(violations(python("src/lanline")))


def test_a_planted_event_loop_is_found_through_another_file() -> None:
    files = [
        PythonFile("src/lanline/framing/__init__.py", ""),
        PythonFile("src/lanline/framing/x.py", "from lanline.framing import y"),
        PythonFile("src/lanline/framing/y.py", "import asyncio.streams"),
        PythonFile("src/lanline/framing/z.py", "def later():\n    import asyncio"),
    ]
    found = [line for line in violations(files) if "loads" in line]
    assert found == ["lanline.framing.x loads asyncio", "lanline.framing.y loads asyncio"]


def _loaded_by(statement: str) -> set[str]:
    """What a fresh Python holds after one statement, of the modules that are slow to load."""
    code = f"import sys\n{statement}\nprint(*[name for name in {SLOW_TO_LOAD!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "lanline",
        "lanline.link.blocking",
        "lanline.ui.cli",
        "lanline.services.run.words",
        "lanline.ui.words.ask",
        "lanline.services.talk.words",
        "lanline.services.shout.words",
        "lanline.services.share.words",
    ],
)
def test_what_a_quick_word_imports_is_quick_to_load(module: str) -> None:
    assert not _loaded_by(f"import {module}")


def test_a_planted_slow_import_is_found() -> None:
    assert "ssl" in _loaded_by("import ssl")
