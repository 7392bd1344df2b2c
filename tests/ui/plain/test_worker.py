"""One process that serves: what it refuses to serve, and its end. Its signals are in tests of the word `serve`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.errors import UsageError
from lanline.link.channel import Channel
from lanline.link.service import Service
from lanline.transport.binding import bind
from lanline.ui.plain.faces import Face
from lanline.ui.plain.headcount import Headcount
from lanline.ui.plain.report import Event
from lanline.ui.plain.worker import Settings, _CaughtUp, run_worker


class Sums(Service):
    """Nothing but a service."""

    name = "sums"


async def _nothing(channel: Channel) -> None:
    return None


def _settings(*, shares: bool = False) -> Settings:
    return Settings(framing=None, drain=1.0, is_verbose=False, tls=None, shares=shares)


@pytest.mark.parametrize(
    ("face", "shares", "says"),
    [
        (Face("sums", None, None, None, Sums(), ""), False, "services are served over links"),
        (Face("mine", _nothing, None, None, None, ""), True, "several processes cannot share"),
    ],
)
def test_what_cannot_be_served_over_datagrams_is_refused_with_the_reason(face: Face, shares: bool, says: str) -> None:
    bound = bind(Address.parse("udp://127.0.0.1:0"))
    with pytest.raises(UsageError, match=says):
        run_worker(face, (bound,), _settings(shares=shares), Headcount(None), lambda event: None, is_ready=lambda: None)
    bound.close()


def test_what_the_output_did_not_take_is_tried_again_until_it_does_and_an_idle_server_is_not_woken() -> None:
    looks: list[float] = []

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def catch_up() -> bool:
            looks.append(loop.time())
            if len(looks) == 3:
                done.set()
            return len(looks) < 3

        caught_up = _CaughtUp(lambda event: None, catch_up)
        assert looks == []
        caught_up.tell({})
        caught_up.tell({})  # the next look is due already
        async with asyncio.timeout(10.0):
            await done.wait()
        assert not caught_up.is_due
        caught_up.tell({})
        assert not caught_up.is_due

    asyncio.run(main())
    assert len(looks) == 4
    assert looks[2] - looks[0] >= 2 * 0.49


def test_it_ends_when_its_parent_is_gone_and_its_addresses_are_free_again(home: Path) -> None:
    bound = bind(Address.parse("tcp://127.0.0.1:0"))
    ours, theirs = os.pipe()
    events: list[Event] = []
    face = Face("mine", _nothing, None, None, None, "")
    code = run_worker(
        face,
        (bound,),
        _settings(),
        Headcount(None),
        events.append,
        is_ready=lambda: os.close(theirs),
        parent=ours,
    )
    os.close(ours)
    assert (code, events) == (0, [])
    bind(bound.addresses[0]).close()
