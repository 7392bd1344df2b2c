"""Both event loops, and a room's certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

import pytest

from .certificates import Room, make_room

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


def _on_asyncio(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def _on_uvloop(main: Coroutine[Any, Any, T]) -> T:
    if find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@pytest.fixture(params=[_on_asyncio, _on_uvloop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a coroutine on one kind of event loop, then on the other."""
    chosen: Run[Any] = request.param
    return chosen


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Certificates of one room, and of another."""
    return make_room(tmp_path_factory.mktemp("room"))
