"""Who may import whom. Higher layers import lower ones, never the other way and never sideways.

Imports for the type checker count as well: a layer that knows another's types depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tests.rules.imports import imports
from tests.rules.source import PythonFile, check_nothing, python

LAYERS = {
    "framing": 1,
    "session": 2,
    "transport": 3,
    "link": 4,
    "http": 4,
    "room": 5,
    "services": 6,
    "ui": 7,
    "testing": 7,
}
FOUNDATION = {
    "errors",
    "roles",
    "address",
    "limits",
    "clean",
    "beneath",
    "console",
    "durations",
    "sizes",
    "arguments",
    "translation",
}
FRONT = {"", "__main__"}  # lanline/__init__.py and __main__.py: they may name everything


def house(module: str) -> str:
    """The folder whose rules a module lives by: `link`, `services.run`, `errors`, or empty for the root."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[:1] == ["services"] else "".join(parts[:1])


def layer(module: str) -> int:
    """The number of a module's layer.

    Raises:
        ValueError: the architecture knows no such folder or file.
    """
    first = house(module).split(".")[0]
    if first in FRONT:
        return 8
    if first in FOUNDATION:
        return 0
    if first not in LAYERS:
        raise ValueError(f"{module}: no layer is written down for it, in tests/rules/test_layers.py")
    return LAYERS[first]


def _objection(importer: str, imported: str) -> str:
    """Why the one may not import the other; empty where it may."""
    own, other = layer(importer), layer(imported)
    if own == 8:
        return ""
    if imported == "lanline":
        return "" if own >= 6 else "the root is for users and the two top layers"
    if house(importer) == house(imported):
        return ""
    if other > own:
        return f"layer {own} imports from layer {other}, which is above it"
    if other == own and own != 0 and imported != "lanline.services":
        return f"both are of layer {own}: sideways"
    if house(importer) == "transport" and house(imported) in ("framing", "session"):
        return "transport meets framing and session only in link"
    return ""


def _is_private(name: str) -> bool:
    # `_` alone is the name under which every text for people goes through the catalogue of translations.
    return name.startswith("_") and not name.startswith("__") and name != "_"


def violations(files: Collection[PythonFile]) -> Iterator[str]:
    """One line for each import that the layers do not allow."""
    modules = {file.module for file in files}
    for file in files:
        for one in imports(file):
            inner = f"{one.module}.{one.name}"
            imported = inner if inner in modules else one.module
            if imported.split(".")[0] != "lanline":
                continue
            if why := _objection(file.module, imported):
                yield f"{file.path}:{one.line} imports {imported}: {why}"
            elif _is_private(one.name) and house(imported) != house(file.module):
                yield f"{file.path}:{one.line} imports {one.name} of {imported}: private to another folder"


def test_no_layer_imports_from_above_or_from_beside() -> None:
    check_nothing(violations(python("src/lanline")))


def _planted(path: str, text: str) -> list[str]:
    return list(violations([PythonFile(f"src/lanline/{path}", text)]))


def test_a_planted_import_from_above_is_found() -> None:
    assert "above" in _planted("framing/x.py", "from lanline.link.channel import Channel")[0]
    assert "above" in _planted("errors.py", "def late():\n    import lanline.room.node")[0]
    assert "above" in _planted("link/x.py", "if TYPE_CHECKING:\n    from ..room import node")[0]


def test_a_planted_import_from_beside_is_found() -> None:
    assert "sideways" in _planted("services/run/x.py", "from lanline.services.echo import service")[0]
    assert "sideways" in _planted("services/run/x.py", "from ..echo.service import Echo")[0]
    assert "only in link" in _planted("transport/x.py", "from lanline.framing.lines import Lines")[0]
    assert "private" in _planted("services/run/x.py", "from lanline.link.call import _hidden")[0]


def test_the_root_is_not_for_the_lower_layers() -> None:
    assert "root" in _planted("room/x.py", "from lanline import Lines")[0]
    assert not _planted("services/run/x.py", "from lanline import Service")


def test_a_folder_that_the_architecture_does_not_know_is_found() -> None:
    try:
        _planted("misc/x.py", "import lanline.errors")
    except ValueError as error:
        assert "no layer is written down" in str(error)
    else:
        raise AssertionError("a new folder went unnoticed")


def test_what_the_layers_allow_is_allowed() -> None:
    assert not _planted("link/x.py", "from lanline.transport import registry\nfrom .call import _private")
    assert not _planted("services/run/x.py", "from .job import Job\nfrom lanline.room.policy import Policy")
