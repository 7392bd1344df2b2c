"""Claims about the signals that stop a server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from tests.ui.terminal import environment

from lanline.room.stopsignals import StopSignals

_PROGRAM = """
import asyncio, os, signal
from lanline.room.stopsignals import StopSignals
async def main():
    signals = StopSignals()
    print("ready", flush=True)
    await signals.first.wait()
    print("first", flush=True)
    await signals.second.wait()
    print("second", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_first_and_the_second_are_told_and_the_third_ends_the_process() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        for expected in ("ready", "first", "second"):
            assert process.stdout.readline() == f"{expected}\n"
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM


def test_a_parent_that_goes_counts_as_the_first() -> None:
    async def main() -> None:
        here, there = os.pipe()
        signals = StopSignals(here)
        os.close(there)
        await asyncio.wait_for(signals.first.wait(), 30)
        assert not signals.second.is_set()
        os.close(here)

    with asyncio.Runner() as runner:
        runner.run(main())
