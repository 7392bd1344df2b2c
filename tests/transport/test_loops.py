"""Which event loop a process runs."""

from __future__ import annotations

import asyncio

import pytest

from lanline.errors import UsageError
from lanline.transport.loops import LOOP_VARIABLE, loop_factory


def test_uvloop_is_chosen_where_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop", reason="pip install uvloop")
    assert loop_factory() is uvloop.new_event_loop


def test_the_environment_chooses_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOOP_VARIABLE, "asyncio")
    assert loop_factory() is asyncio.new_event_loop


def test_another_loop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOOP_VARIABLE, "gevent")
    with pytest.raises(UsageError, match="takes uvloop or asyncio"):
        loop_factory()
