"""What an ask waits for: its result or its error, once, and only while somebody waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.errors import CallFailed, CallTimeout, Status
from lanline.link.answer import Answer
from lanline.link.values import decoder, encode
from lanline.session import events
from tests.link.conftest import Run


def _answer(kind: Any = Any) -> Answer:
    return Answer(asyncio.get_running_loop().create_future(), decoder(kind))


def test_a_result_is_decoded(run_once: Run[Any]) -> None:
    async def main() -> None:
        for body, raw, value in ((encode([1, "a"]), False, [1, "a"]), (b"", False, None), (b"\xff", True, b"\xff")):
            answer = _answer()
            answer.ended(events.Ended(1, body, raw, True))
            assert await answer.future == value

    run_once(main())


@pytest.mark.parametrize("body", [encode("text"), b"\xc1", b"\xa1\xff", b"\x91" * 60_000])
def test_a_result_of_another_type_is_the_calls_error(run_once: Run[Any], body: bytes) -> None:
    async def main() -> None:
        answer = _answer(int)
        answer.ended(events.Ended(1, body, False, True))
        with pytest.raises(CallFailed, match="not of the type expected") as caught:
            await answer.future
        assert caught.value.status is Status.BAD_MESSAGE

    run_once(main())


def test_a_failure_is_the_error_of_its_status(run_once: Run[Any]) -> None:
    async def main() -> None:
        answer = _answer()
        answer.failed(events.Failed(1, Status.DEADLINE, "too late", {"by": "2 s"}, False))
        with pytest.raises(CallTimeout, match="too late") as caught:
            await answer.future
        assert (caught.value.details, caught.value.may_have_run) == ({"by": "2 s"}, False)

    run_once(main())


def test_items_where_one_answer_was_expected_are_an_error_with_advice(run_once: Run[Any]) -> None:
    async def main() -> None:
        answer = _answer()
        for _ in range(2):
            answer.item_received(events.ItemReceived(1, b"\x05", False, 11))
        answer.credit_received()
        with pytest.raises(CallFailed, match=r"use link\.stream"):
            await answer.future

    run_once(main())


def test_whatever_comes_to_an_asker_who_is_gone_is_dropped(run_once: Run[Any]) -> None:
    async def main() -> None:
        answer = _answer()
        answer.future.cancel()
        answer.ended(events.Ended(1, b"\x05", False, True))
        answer.failed(events.Failed(1, Status.INTERNAL, "", {}, True))
        answer.item_received(events.ItemReceived(1, b"\x05", False, 11))
        assert answer.future.cancelled()

    run_once(main())
