"""Claims about the signals that end a talk."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lanline.services.talk.signals import Signals, Told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_is_waited_for(number: signal.Signals) -> None:
    async def main() -> int:
        with Signals() as signals:
            os.kill(os.getpid(), number)
            with pytest.raises(Told) as told:
                await signals.unless_told(asyncio.Event().wait())
        return told.value.exit_code

    assert asyncio.run(main()) == 128 + number


def test_what_ends_first_is_given() -> None:
    async def work() -> str:
        return "done"

    async def main() -> str:
        with Signals() as signals:
            return await signals.unless_told(work())

    assert asyncio.run(main()) == "done"


def test_a_key_counts_as_the_signal_it_stands_for() -> None:
    async def main() -> signal.Signals:
        with Signals() as signals:
            signals.tell(signal.SIGINT)
            signals.tell(signal.SIGTERM)
            return await signals.told

    assert asyncio.run(main()) is signal.SIGINT


def test_what_is_ignored_stays_ignored_and_afterwards_all_is_as_before() -> None:
    async def main() -> None:
        with Signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(main())
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is terminate
    finally:
        signal.signal(signal.SIGHUP, before)
