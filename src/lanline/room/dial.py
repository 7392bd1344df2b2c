"""Reaching one member at several places: tried one after the other, each with a head start, the first that answers
wins.

A machine with a bridge of its own, an old address and a new one has several places, and most of them lead nowhere. In a
LAN the right one answers within a millisecond and the wrong ones not at all, so the next is tried after half a second
rather than after a timeout each. It knows nothing of TLS and rosters: `connect` says who answered.

Source: RFC 8305 (Happy Eyeballs) section 5, with a longer delay, since a hub that is busy with a thousand members that
return is not to be tried twice by each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lanline.errors import ConnectFailed, LanlineError
from lanline.link.link import Link

HEAD_START: Final = 0.5
"""Seconds before the next place is tried beside the one before."""


async def first_link(
    places: Sequence[str], connect: Callable[[str], Awaitable[Link]], *, head_start: float = HEAD_START
) -> Link:
    """A link with whoever answers first.

    Args:
        places: where to look, best first; at least one.
        connect: opens a link at one place, or raises a LanlineError.
        head_start: seconds each place has before the next is tried as well.

    Raises:
        ConnectFailed: none answered; the reason of the last, and how many were tried.
    """
    left = list(places)
    under_way: set[asyncio.Task[Link]] = set()
    failures: list[LanlineError] = []
    try:
        while left or under_way:
            if left:
                under_way.add(asyncio.get_running_loop().create_task(_at(left.pop(0), connect)))
            done, under_way = await asyncio.wait(
                under_way, timeout=head_start if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            answered: list[Link] = []
            for task in done:
                if (error := task.exception()) is None:
                    answered.append(task.result())
                elif isinstance(error, LanlineError):
                    failures.append(error)
                else:
                    raise error
            if answered:
                for spare in answered[1:]:
                    spare.refuse("another address answered first")
                return answered[0]
    finally:
        for task in under_way:
            task.cancel()
        for outcome in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(outcome, Link):
                outcome.refuse("another address answered first")
    raise _failed(failures)


async def _at(place: str, connect: Callable[[str], Awaitable[Link]]) -> Link:
    return await connect(place)


def _failed(failures: Sequence[LanlineError]) -> ConnectFailed:
    if not failures:
        raise ValueError("no place to look at")
    last = failures[-1]
    others = f" ({len(failures)} addresses were tried)" if len(failures) > 1 else ""
    return ConnectFailed(f"{last}{others}", advice=last.advice)
