"""Handlers of people's own: what is found, and what is said of each mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.errors import UsageError
from lanline.link.service import Service
from lanline.ui.plain.handlerfile import files_of, is_own_handler, line_of, load_handler

GOOD = """\
from lanline import Service


async def handler(channel):
    return None


class Echo:
    async def handle(self, channel):
        return None


class Sums(Service):
    name = "sums"


class Wants(Service):
    name = "wants"

    def __init__(self, more):
        self.more = more


echo = Echo()
number = 7


def plain(channel):
    return None
"""


@pytest.fixture(autouse=True)
def _modules_as_before() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with mine.py in it, which is the working folder."""
    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["./mine.py:handler", "mine.py:x", "package.module:name", "/tmp/x", "x.py"])
def test_what_names_a_file_or_a_module_is_a_handler_of_ones_own(name: str) -> None:
    assert is_own_handler(name)


@pytest.mark.parametrize("name", ["echo", "time", ""])
def test_a_bare_word_is_not(name: str) -> None:
    assert not is_own_handler(name)


@pytest.mark.parametrize("name", ["handler", "Echo", "echo", "echo.handle"])
def test_functions_objects_and_classes_are_found(mine: Path, name: str) -> None:
    assert callable(load_handler(f"./mine.py:{name}")) or name == "echo"
    assert load_handler(f"mine:{name}") is not None


def test_a_class_of_services_is_made_one_service(mine: Path) -> None:
    assert isinstance(load_handler("./mine.py:Sums"), Service)


@pytest.mark.parametrize(
    ("name", "says", "advice"),
    [
        ("./nowhere.py:handler", "./nowhere.py is not there", "check the path"),
        ("./:handler", "is a folder", "check the path"),
        ("nowhere:handler", "no module 'nowhere'", "./nowhere.py:handler"),
        ("no where:handler", "neither a file nor a module", "./mine.py:handler"),
        ("./mine.py:handlr", "has no 'handlr'", "./mine.py:handler or ./mine.py:Echo"),
        ("./mine.py", "which handler of ./mine.py", "./mine.py:handler or ./mine.py:Echo"),
        ("./mine.py:plain", "plain is a plain function", "async def plain"),
        ("./mine.py:number", "no handler but of the type int", "async def"),
        ("./mine.py:Wants", "wants arguments", "and name that"),
    ],
)
def test_each_mistake_in_the_name_has_its_sentence_and_advice(mine: Path, name: str, says: str, advice: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        load_handler(name)
    assert advice in caught.value.advice
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "says", "advice"),
    [
        ("x = 1\nasync def handler(channel:\n", "was never closed (mine.py, line 2)", "async def handler(channel:"),
        ("\nimport nowhere\n", "ModuleNotFoundError: No module named 'nowhere' (mine.py, line 2)", ""),
        ("def f():\n    return 1 / 0\n\n\nf()\n", "ZeroDivisionError: division by zero (mine.py, line 2)", ""),
        ("raise SystemExit(1)\n", "SystemExit: 1 (mine.py, line 1)", "__main__"),
        ("\0", "cannot be loaded", ""),
    ],
)
def test_each_mistake_in_the_file_names_its_line(mine: Path, text: str, says: str, advice: str) -> None:
    (mine / "mine.py").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_handler("./mine.py:handler")
    assert says in str(caught.value)
    assert advice in caught.value.advice
    assert caught.value.__cause__ is not None


def test_a_file_called_like_a_loaded_module_does_not_take_its_place(mine: Path) -> None:
    (mine / "json.py").write_text(GOOD)
    import json

    load_handler("./json.py:handler")
    assert sys.modules["json"] is json


def test_the_files_of_a_handler_are_its_own_and_those_beside_it(mine: Path) -> None:
    (mine / "words.py").write_text("WORD = 1\n")
    (mine / "mine.py").write_text(f"import words\nimport json\n{GOOD}")
    load_handler("./mine.py:handler")
    assert set(files_of("./mine.py:handler")) == {str((mine / name).resolve()) for name in ("mine.py", "words.py")}


def test_an_environment_beside_a_handler_is_not_its_owners_code(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = mine / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "foreign.py").write_text("def fail():\n    raise ValueError\n")
    monkeypatch.syspath_prepend(packages)
    (mine / "mine.py").write_text(f"import foreign\n{GOOD}")
    load_handler("./mine.py:handler")
    assert set(files_of("./mine.py:handler")) == {str((mine / "mine.py").resolve())}
    try:
        exec(compile("import foreign\nforeign.fail()", str(mine / "mine.py"), "exec"), {})
    except ValueError as error:
        assert line_of(error, str(mine.resolve())) == "mine.py, line 2"
    else:
        raise AssertionError("it should have failed")


def test_the_line_of_an_error_is_the_last_in_ones_own_code(tmp_path: Path) -> None:
    code = compile("import json\n\njson.loads('{')", str(tmp_path / "own.py"), "exec")
    try:
        exec(code, {})
    except ValueError as error:
        assert line_of(error, str(tmp_path)) == "own.py, line 3"
        assert line_of(error, "/nowhere") == ""
    else:
        raise AssertionError("it should have failed")
