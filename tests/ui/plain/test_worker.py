"""One process that serves: what it refuses to serve, and its end. Its signals are in tests of the word `serve`."""

from __future__ import annotations

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
from lanline.ui.plain.worker import Settings, run_worker


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
