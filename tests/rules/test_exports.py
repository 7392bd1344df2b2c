"""The public names of `import lanline`: all there, written once per place, in the same order, and lazy."""

from __future__ import annotations

import ast
import subprocess
import sys

import lanline
from tests.rules.imports import imports
from tests.rules.source import check_nothing, python


def _root() -> dict[str, str]:
    """What the type checker is told: each name and the module it is imported from."""
    (file,) = (file for file in python("src/lanline") if file.module == "lanline")
    return {one.name: one.module for one in imports(file) if not one.when_loaded and one.module.startswith("lanline")}


def disagreements(listed: list[str], homes: dict[str, str], told: dict[str, str]) -> list[str]:
    """Where `__all__`, the table of homes and the imports for the type checker tell different things."""
    found = [f"{name}: in __all__ or for the type checker, not both" for name in sorted(set(listed) ^ told.keys())]
    in_order = [name for name in listed if name in homes]
    if in_order != list(homes):
        found.append(f"the table's order {list(homes)} is not that of __all__ {in_order}")
    for name, module in told.items():
        home = homes.get(name, "lanline.errors")
        if home not in (module, f"{module}.{name}"):
            found.append(f"{name}: loaded from {home}, told to be from {module}")
    return found


def test_the_three_lists_of_public_names_agree() -> None:
    check_nothing(disagreements(lanline.__all__, lanline._HOMES, _root()))


def test_planted_disagreements_are_found() -> None:
    found = disagreements(["B", "A", "C"], {"A": "lanline.a", "B": "lanline.b"}, {"A": "lanline.x", "B": "lanline.b"})
    assert len(found) == 3


def test_every_public_name_resolves() -> None:
    missing = []
    for name in lanline.__all__:
        try:
            getattr(lanline, name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    check_nothing(missing)


def test_every_public_name_is_documented() -> None:
    check_nothing(name for name in lanline.__all__ if not getattr(lanline, name).__doc__)


def test_names_stand_in_groups_and_each_group_says_its_task() -> None:
    (file,) = (file for file in python("src/lanline") if file.module == "lanline")
    (names,) = (node for node in file.tree.body if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node))
    lines = file.text.split("\n")[names.lineno : (names.end_lineno or 0) - 1]
    groups = [line for line in lines if line.strip().startswith("# ")]
    assert lines[0].strip().startswith("# ")
    assert len(lines) / len(groups) < 35
    assert len(set(lanline.__all__)) == len(lanline.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(lanline, "Landline")
    assert "connect_link" in dir(lanline)


def test_importing_the_root_loads_nothing_else() -> None:
    code = "import sys, lanline; print(*sorted(name for name in sys.modules if name.startswith('lanline.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == []
