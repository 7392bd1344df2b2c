"""The service `echo`: one endpoint of each shape, to try a link with and to copy from.

It keeps nothing and decides nothing. What it is given it gives back, at the pace of whoever asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from lanline.errors import UsageError
from lanline.link.call import Call
from lanline.link.service import Service, endpoint
from lanline.roles import Role

if TYPE_CHECKING:
    from lanline.room.context import Context

MAX_COUNT = 1_000_000
"""The highest number that `count` counts to."""


class Echo(Service):
    """Sends back what it gets."""

    name = "echo"

    @endpoint(role=Role.GUEST)
    def say(self, text: str) -> str:
        """The same text, once."""
        return text

    @endpoint(role=Role.GUEST)
    async def count(self, to: int) -> AsyncIterator[int]:
        """The numbers from 1 to `to`, one item each.

        Raises:
            UsageError: `to` is below 0 or above 1,000,000.
        """
        if not 0 <= to <= MAX_COUNT:
            raise UsageError(f"counting to {to} makes no sense: 0 to {MAX_COUNT} do")
        for number in range(1, to + 1):
            yield number

    @endpoint(role=Role.GUEST)
    async def repeat(self, call: Call) -> int:
        """Every item back as it came, bytes as bytes, until the caller has sent all; then how many there were."""
        items = 0
        async for item in call:
            await call.send(item)
            items += 1
        return items


def make(context: Context) -> Echo:
    """The service, for one node. It needs nothing of it."""
    return Echo()
