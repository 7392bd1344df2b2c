"""The language of what people read, as the environment asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lanline import translation


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"LANG": "zh_CN.UTF-8"}, ["zh_CN"]),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, ["C"]),
        ({"LANG": "de_DE@euro", "LANGUAGE": "zh:en"}, ["zh", "en"]),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": ""}, ["zh_CN"]),
    ],
)
def test_the_first_variable_that_is_set_decides(
    variables: dict[str, str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert translation.languages() == expected


def test_a_reader_of_english_loads_no_catalogue() -> None:
    code = "import sys, lanline.translation as t; print(t._('x'), 'gettext' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if not name.startswith("L")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**others, "LANG": "en_GB.UTF-8"}, capture_output=True, check=True
    )
    assert done.stdout == b"x False\n"
