"""Every text for people has its translation, and the compiled catalogue is the one that was translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import translations

from tests.rules.source import PythonFile, check_nothing, python

CATALOGUES = sorted(translations.CATALOGUES.glob("*/LC_MESSAGES/lanline.po"))


def test_there_is_a_chinese_catalogue() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["zh"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_no_text_lacks_its_translation(path: Path) -> None:
    catalogue = translations.read(path)
    texts = translations.all_texts()
    missing = [text for text in texts if text not in catalogue or not catalogue[text].string]
    assert not missing, "add them with python -m scripts.translations, then translate them"
    gone = [message.id for message in catalogue if message.id and message.id not in texts]
    assert not gone, "texts that are gone: python -m scripts.translations removes them"
    assert not [message.id for message in catalogue if message.fuzzy and message.id]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_has_the_values_of_its_text(path: Path) -> None:
    for message in translations.read(path):
        if message.id:
            assert translations.names_in(str(message.string)) == translations.names_in(str(message.id)), message.id


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_the_compiled_catalogue_is_current(path: Path) -> None:
    assert path.with_suffix(".mo").read_bytes() == translations.as_mo(translations.read(path))


def test_what_is_marked_is_a_literal() -> None:
    with pytest.raises(ValueError, match="line 1"):
        list(translations.marked_texts('_(f"hello {name}")'))
    assert list(translations.marked_texts('_("hello {name}").format(name=name)')) == [(1, "hello {name}")]


def test_what_a_word_says_is_marked() -> None:
    words = [*python("src/lanline/ui"), *python("src/lanline/services"), *python("src/lanline/arguments.py")]
    check_nothing(f"{file.path}:{line}: mark it, _(...): {text}" for file in words for line, text in _unmarked(file))


def test_whoever_translates_names_nothing_else_so() -> None:
    functions = (
        (file, node)
        for file in python("src/lanline")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    check_nothing(
        f"{file.path}:{function.lineno}: {function.name} both calls _() and assigns _: the call would fail"
        for file, function in functions
        if {"call", "assign"} <= {_use(node) for node in ast.walk(function)}
    )


def _use(node: ast.AST) -> str:
    """What is done with the name `_` here, if anything."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
        return "call"
    return "assign" if isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store) else ""


_SPEAKING = {"line", "note", "progress", "confirm", "ask", "secret"}
"""The methods of a console that show a text to a person."""


def _unmarked(file: PythonFile) -> Iterator[tuple[int, str]]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            for text in _said_by(node):
                if isinstance(text, ast.Constant | ast.JoinedStr) and _has_words(text):
                    yield text.lineno, ast.unparse(text)


def _said_by(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that a person will read."""
    name = ast.unparse(call.func)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _SPEAKING and name.split(".")[-2].endswith("console"):
        yield from call.args
    elif name == "Painted":
        yield from call.args[:1]
    elif name == "WordParser":
        yield from call.args[2:3]
    elif name.endswith((".add_argument", ".add_flag_or_words")):
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "help")


def _has_words(text: ast.expr) -> bool:
    """Whether a translator would have work with it: two small words, or one that is no part of a command."""
    whole = "".join(
        part.value for part in ast.walk(text) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
    return not whole.startswith("lanline") and re.search(r"[a-z]{2}", whole) is not None
