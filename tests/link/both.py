"""Both ends of one channel, in the hands of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lanline.framing.base import Framing
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.link.streamchannel import StreamChannel
from tests.link.desk import PATIENCE


@asynccontextmanager
async def both(
    address: str, framing: Framing, far_framing: Framing | None = None
) -> AsyncIterator[tuple[StreamChannel, StreamChannel]]:
    """A channel and its far end, which serves at this address."""
    far: list[StreamChannel] = []
    came, done = asyncio.Event(), asyncio.Event()

    async def hold(channel: Channel) -> None:
        assert isinstance(channel, StreamChannel)
        far.append(channel)
        came.set()
        await done.wait()

    async with asyncio.timeout(PATIENCE), serve(hold, address, framing=far_framing or framing) as server:
        async with connect(server.addresses[0], framing=framing) as near:
            await came.wait()
            assert isinstance(near, StreamChannel)
            try:
                yield near, far[0]
            finally:
                done.set()
