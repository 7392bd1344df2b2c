"""The limits of HTTP, and what listeners are given of them."""

from __future__ import annotations

import pytest

from lanline.http.limits import SURPLUS_CONNECTIONS, WEB


def test_listeners_take_more_connections_than_are_served_so_that_the_rest_hears_503() -> None:
    limits = WEB._replace(max_connections=10).of_transport()
    assert limits.max_connections == limits.max_connections_per_address == 10 + SURPLUS_CONNECTIONS


def test_times_of_the_listener_are_those_of_http() -> None:
    limits = WEB._replace(handshake=3.5, drain=1.5).of_transport()
    assert (limits.handshake, limits.drain) == (3.5, 1.5)


@pytest.mark.parametrize(("files", "most"), [(None, 2048), (1_000_000, 2048), (1024, 537), (256, 135), (1, 1)])
def test_connections_are_kept_to_what_descriptors_suffice_for(files: int | None, most: int) -> None:
    assert WEB.most_connections(files) == most
