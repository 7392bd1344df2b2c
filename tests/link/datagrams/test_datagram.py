"""What a program gets of a datagram."""

from __future__ import annotations

from lanline.address import Address
from lanline.link.datagrams.datagram import MESSAGE_BYTES, WAITING_BYTES, Datagram, DatagramStatistics


def test_a_datagram_is_taken_apart_by_name_or_in_order() -> None:
    sender = Address.parse("udp://10.0.0.7:9")
    datagram = Datagram(b"hello", sender, 5)
    message, who, when = datagram
    assert (datagram.message, datagram.sender, datagram.received_ns) == (message, who, when) == (b"hello", sender, 5)


def test_the_figures_of_datagrams_are_those_of_a_channel_and_more() -> None:
    figures = DatagramStatistics(1, 2, 3, 4, 5, 6, 7, 8)
    assert (figures.sent_messages, figures.waiting_messages, figures.undelivered_messages) == (1, 5, 8)


def test_the_largest_datagram_and_thousands_of_empty_ones_may_wait() -> None:
    assert WAITING_BYTES > 65_507 + MESSAGE_BYTES
    assert WAITING_BYTES // MESSAGE_BYTES == 4096
