"""What `make` installs holds everything that pyproject.toml asks for: `make lock` was run after the last change."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.rules.source import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def _normal(requirement: str) -> str:
    """The name at the beginning of a requirement, as package indexes compare names."""
    found = _NAME.match(requirement)
    assert found, requirement
    return re.sub(r"[._-]+", "-", found[0]).lower()


def _pinned(file: str) -> set[str]:
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return {_normal(line) for line in lines if _NAME.match(line) and "==" in line}


@pytest.mark.parametrize(("file", "extra"), [("run.txt", None), ("test.txt", "test"), ("bench.txt", "bench")])
def test_every_requirement_of_the_project_is_pinned(file: str, extra: str | None) -> None:
    wanted = [*_PROJECT["dependencies"], *(_PROJECT["optional-dependencies"][extra] if extra else [])]
    missing = {_normal(one) for one in wanted} - _pinned(file)
    assert not missing, f"requirements/{file} lacks {', '.join(sorted(missing))}: run `make lock`"
