"""What can be served to bare sockets, by name."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from tests.ui.recording import Recording

from lanline.arguments import WordParser
from lanline.errors import UsageError
from lanline.ui.plain.faces import add_face_options, make_face
from lanline.ui.services import plain_faces


def _made(name: str, *words: str) -> object:
    parser = WordParser("serve", Recording(), "", examples="")
    add_face_options(name, parser)
    return make_face(name, parser.parse_args(list(words)), Recording())


@pytest.mark.parametrize("name", sorted(plain_faces()))
def test_every_face_that_a_service_names_can_be_made_and_handles_channels(name: str) -> None:
    face = make_face(name, _options(name), Recording())
    assert face.name == name
    assert face.handler is not None
    assert face.folder == ""


def _options(name: str) -> argparse.Namespace:
    parser = WordParser("serve", Recording(), "", examples="")
    add_face_options(name, parser)
    return parser.parse_args([])


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError, match="nothing called 'ecko'") as caught:
        _made("ecko")
    assert "perhaps echo is meant" in caught.value.advice


def test_a_name_that_is_nothing_is_answered_with_all_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        _made("zzz")
    assert all(name in caught.value.advice for name in plain_faces())


def test_an_object_that_answers_datagrams_is_known_for_one_and_a_class_is_not(tmp_path: Path) -> None:
    file = tmp_path / "answering.py"
    file.write_text(
        "class Face:\n    async def handle(self, channel):\n        return None\n"
        "    def answer(self, message, sender):\n        return message\n\n\nface = Face()\n"
    )
    options = argparse.Namespace()
    assert make_face(f"{file}:face", options, Recording()).answer is not None
    made = make_face(f"{file}:Face", options, Recording())
    assert made.answer is None
    assert made.folder == str(tmp_path.resolve())
