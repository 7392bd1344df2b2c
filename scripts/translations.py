"""Keeps the catalogues of translations: finds every text for people, adds what is missing, compiles.

A text is found where it is marked, `_("...")`; besides that the advice of every error, and what each word and plain
face does. A catalogue is `src/lanline/locale/LANGUAGE/LC_MESSAGES/lanline.po`, which translators edit, and the compiled
`lanline.mo` beside it, which the program reads. `tests/rules/test_translations.py` fails when they are not current.

Run: python -m scripts.translations
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from lanline import errors
from lanline.ui import cli
from lanline.ui.services import plain_faces
from lanline.ui.words import GROUPS

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "lanline"
CATALOGUES = SOURCES / "locale"

_OF_ARGPARSE = (
    "usage: ",
    "options",
    "positional arguments",
    "show this help message and exit",
    "the following arguments are required: %s",
    "unrecognized arguments: %s",
    "expected one argument",
    "argument %(argument_name)s: %(message)s",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "invalid %(type)s value: %(value)r",
    "not allowed with argument %s",
    "one of the arguments %s is required",
)
"""What argparse says to people; it looks these up in the catalogue that `lanline.translation.bind` names."""


def marked_texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each `_("...")` in a Python source.

    Raises:
        ValueError: what is marked is made up on the spot, so no translator would ever see it. (A name that holds a text
            found elsewhere is right.)
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield node.lineno, text.value
            elif isinstance(text, ast.JoinedStr | ast.BinOp) or ast.unparse(text).split("(")[0].endswith(".format"):
                raise ValueError(f"line {node.lineno}: what is marked is made up here: mark the text, then fill it in")


def all_texts() -> dict[str, list[tuple[str, int]]]:
    """Every text for people, with the files and lines where it stands; those without a line come from docstrings."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for line, text in marked_texts(source):
            found.setdefault(text, []).append((path.relative_to(ROOT).as_posix(), line))
        if "\n    Try: " in source:  # errors of its own: imported, or their advice would be found by chance only
            import_module(".".join(path.relative_to(SOURCES.parent).with_suffix("").parts))
    for kind in _kinds(errors.LanlineError):
        if advice := errors.advice_of(kind):
            found.setdefault(advice, []).append(("src/lanline/errors.py", 0))
    for summary in (*cli.all_words().values(), *plain_faces().values(), *GROUPS):
        found.setdefault(summary, []).append(("src/lanline", 0))
    for text in _OF_ARGPARSE:
        found.setdefault(text, []).append(("argparse.py", 0))
    return found


def read(path: Path) -> Catalog:
    """The catalogue in a file."""
    with open(path, "rb") as file:
        return read_po(file, locale=path.parts[-3], domain="lanline")


def updated(old: Catalog) -> Catalog:
    """The same translations for the texts that there are now: new ones without a translation, gone ones gone."""
    new = Catalog(
        locale=old.locale,
        domain="lanline",
        project="lanline",
        header_comment="# Translations of lanline. Renewed by: python -m scripts.translations",
        creation_date=old.creation_date,
        revision_date=old.revision_date,
        last_translator="lanline contributors",
        language_team="lanline contributors",
        fuzzy=False,
    )
    for text, places in sorted(all_texts().items()):
        known = old.get(text)
        files = sorted({(file, 0) for file, _line in places})  # without lines: they would change with every edit
        new.add(text, known.string if known else "", locations=files, flags=_flags(text))
    return new


def as_po(catalogue: Catalog) -> bytes:
    """The catalogue as translators edit it."""
    out = io.BytesIO()
    write_po(out, catalogue, width=120, include_lineno=False, sort_output=True)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """The catalogue as the program reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def names_in(text: str) -> list[str]:
    """The values that a text leaves places for: `{address}`, `%(type)s`."""
    return sorted({brace or percent for brace, percent in re.findall(r"\{(\w*)[^{}]*\}|%(?:\((\w+)\))?[srd]", text)})


def main() -> None:
    """Renews every catalogue."""
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/lanline.po")):
        catalogue = updated(read(path))
        missing = [message.id for message in catalogue if message.id and not message.string]
        path.write_bytes(as_po(catalogue))
        path.with_suffix(".mo").write_bytes(as_mo(catalogue))
        print(f"{path.relative_to(ROOT)}: {len(catalogue)} texts, {len(missing)} without a translation")


def _kinds(kind: type[errors.LanlineError]) -> Iterator[type[errors.LanlineError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _flags(text: str) -> list[str]:
    return ["python-brace-format"] if "{" in text else []


if __name__ == "__main__":
    main()
