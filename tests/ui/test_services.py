"""Claims about how services are found: by their folders, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from lanline import services
from lanline.room.context import Context
from lanline.ui.cli import all_words, find_word
from lanline.ui.services import make_services, service_names, words_of


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of services with one, `planted`, that has words and no service.py."""
    folder = tmp_path / "services" / "planted"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("WORDS = {'plant': 'put something in the ground', 'dig-up': 'take it out'}\n")
    (folder / "words.py").write_text("def plant(*_): return 0\ndef dig_up(*_): return 0\n")
    (tmp_path / "services" / "__pycache__").mkdir()
    (tmp_path / "services" / "notes.txt").write_text("no service")
    monkeypatch.setattr(services, "__path__", [str(tmp_path / "services")])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [name for name in sys.modules if name.startswith("lanline.services.planted")]:
        del sys.modules[name]


def test_every_folder_is_a_service() -> None:
    folder = Path(services.__path__[0])
    assert service_names() == sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    assert {"echo", "run"} <= set(service_names())


def test_the_one_asked_for_comes_first() -> None:
    assert service_names(first="run")[0] == "run"
    assert sorted(service_names(first="run")) == service_names()


def test_a_new_folder_has_its_words_at_once(planted: Path) -> None:
    assert service_names() == ["planted"]
    assert list(words_of("planted")) == ["plant", "dig-up"]
    assert all_words()["plant"] == "put something in the ground"
    assert find_word("dig-up").__file__ == str(planted / "words.py")


def test_a_folder_without_a_service_is_hosted_by_no_node(planted: Path) -> None:
    assert make_services(cast(Context, None)) == []


def test_a_folder_with_a_service_is_hosted(planted: Path) -> None:
    (planted / "service.py").write_text("def make(context): return ('made for', context)\n")
    made: list[object] = [*make_services(cast(Context, "a node"))]
    assert made == [("made for", "a node")]
