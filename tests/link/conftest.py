"""Both event loops, every local scheme, and the promise that nothing is left behind.

`run` fails a test that leaves a task behind, or something in the loop that nobody saw fail.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lanline.testing import clock

_T = TypeVar("_T")
Run = Callable[[Coroutine[Any, Any, _T]], _T]

_names = itertools.count()


async def _checked(main: Coroutine[Any, Any, _T]) -> _T:
    unseen: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(str(context)))
    result = await main
    for _ in range(5):
        await asyncio.sleep(0)  # what was told to stop comes to its end
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"left behind: {left}"
    assert not unseen, f"failed unseen: {unseen}"
    return result


def _on_asyncio(main: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(_checked(main))


def _on_uvloop(main: Coroutine[Any, Any, _T]) -> _T:
    if find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_checked(main))


@pytest.fixture(params=[_on_asyncio, _on_uvloop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a coroutine on one kind of event loop, then on the other."""
    chosen: Run[Any] = request.param
    return chosen


@pytest.fixture
def run_virtual() -> Run[Any]:
    """Runs a coroutine in virtual time: for `mem` only."""
    return lambda main: clock.run(_checked(main))


@pytest.fixture
def run_once() -> Run[Any]:
    """Runs a coroutine on the stock loop, where the kind of loop makes no difference."""
    return _on_asyncio


@pytest.fixture(params=["mem", "tcp", "unix"])
def address(request: pytest.FixtureRequest, home: Path) -> str:
    """Where to serve: each local scheme in turn."""
    kind: str = request.param
    return {"mem": f"mem://test{next(_names)}", "tcp": "tcp://127.0.0.1:0", "unix": f"unix://{home}/s"}[kind]


@pytest.fixture
def mem() -> str:
    """A name in memory that nobody else serves."""
    return f"mem://test{next(_names)}"
