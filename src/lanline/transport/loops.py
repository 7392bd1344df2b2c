"""Which event loop a process of lanline's own runs: uvloop where it can be had.

An idle TLS connection costs 28 KiB there and 282 KiB with asyncio's own loop. LANLINE_LOOP=asyncio chooses the latter.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from lanline.errors import UsageError

LOOP_VARIABLE: Final = "LANLINE_LOOP"


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's, or asyncio's own.

    Raises:
        UsageError: LANLINE_LOOP names another, or one that is not there.
    """
    wanted = os.environ.get(LOOP_VARIABLE, "")
    if wanted not in ("", "uvloop", "asyncio"):
        raise UsageError(f"{LOOP_VARIABLE} is {wanted!r}; it takes uvloop or asyncio")
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted:
                raise UsageError(
                    f"{LOOP_VARIABLE} is uvloop, which is not installed here", advice=f"{LOOP_VARIABLE}=asyncio"
                ) from None
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
