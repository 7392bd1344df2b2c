"""The blocking face: its classes are there by name, and a link loads nothing that only channels need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lanline.link import blocking

ONLY_FOR_CHANNELS = ("lanline.framing.raw", "lanline.link.blocking.channel", "threading", "logging", "asyncio", "ssl")


def _loaded_by(statements: str) -> set[str]:
    code = f"import sys\n{statements}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    return set(done.stdout.split())


def test_every_name_of_the_face_is_there() -> None:
    assert all(getattr(blocking, name).__doc__ for name in blocking.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(blocking, "Landline")


def test_the_face_alone_loads_neither_sessions_nor_channels() -> None:
    loaded = _loaded_by("import lanline.link.blocking")
    assert not loaded & {*ONLY_FOR_CHANNELS, "lanline.link.blocking.link", "lanline.session.session"}


def test_a_link_loads_nothing_that_only_channels_need() -> None:
    assert not _loaded_by("from lanline.link import blocking\nblocking.Link") & set(ONLY_FOR_CHANNELS)


def test_a_channel_loads_no_session() -> None:
    assert "lanline.session.session" not in _loaded_by("from lanline.link import blocking\nblocking.Channel")


@pytest.mark.parametrize("name", ["connect", "connect_link"])
def test_what_opens_something_is_a_function_of_the_face_itself(name: str) -> None:
    assert getattr(blocking, name).__module__ == "lanline.link.blocking"
