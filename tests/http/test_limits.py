"""The limits of HTTP, and what listeners are given of them."""

from __future__ import annotations

from lanline.http.limits import SURPLUS_CONNECTIONS, WEB


def test_listeners_take_more_connections_than_are_served_so_that_the_rest_hears_503() -> None:
    limits = WEB._replace(max_connections=10).of_transport()
    assert limits.max_connections == limits.max_connections_per_address == 10 + SURPLUS_CONNECTIONS


def test_times_of_the_listener_are_those_of_http() -> None:
    limits = WEB._replace(handshake=3.5, drain=1.5).of_transport()
    assert (limits.handshake, limits.drain) == (3.5, 1.5)
