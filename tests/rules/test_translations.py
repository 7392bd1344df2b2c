"""Every text for people has its translation, and the compiled catalogue is the one that was translated."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import translations

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
