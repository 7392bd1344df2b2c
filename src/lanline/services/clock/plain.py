"""The plain face `time`: answers whoever asks over a bare socket what time it is, in words or as NTP.

One datagram, or one line on a stream, is one question; the last line may end with the stream. What it means is decided
by `ntp.py` and `formats.py`, who gets an answer by `sources.py`; here they are put together. Rules:

- A neighbour's datagram gets at most 256 bytes; a stranger's nothing, or with `--public` at most 64 bytes more than it
  sent. Who has a connection has proved its address, and is answered.
- Nothing that comes is fatal; a datagram that is no question gets no answer at all.
- NTP is told what the kernel knows: a clock that nobody keeps is stratum 16, unless its owner vouches for it.

Within one second the same question has the same answer, but for the microseconds of `%f`. It is kept for that second:
machines that poll ask in one format.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from lanline.arguments import number
from lanline.errors import TransportError
from lanline.services.clock.discipline import Discipline, read_discipline
from lanline.services.clock.formats import MICROSECONDS, NoDirective, NotAFormat, Second, fill_in, template, utc
from lanline.services.clock.ntp import (
    HEADER_BYTES,
    NO_STRATUM,
    REFERENCE_ID,
    ClockState,
    answer_request,
    claims_of,
    is_request,
)
from lanline.services.clock.questions import Questions
from lanline.services.clock.sources import Neighbourhood, Strangers
from lanline.services.clock.zone import meaningless_zone
from lanline.translation import _
from lanline.transport.interfaces import Interface, interfaces
from lanline.transport.quiet import QuietLog

if TYPE_CHECKING:
    import argparse

    from lanline.address import Address
    from lanline.console import Console
    from lanline.framing.base import Framing
    from lanline.link.channel import Channel

STRANGER_EXTRA_BYTES: Final = 64
"""By how much an answer to a stranger may be longer than its question."""

_NS: Final = 1_000_000_000
_KEPT_ANSWERS: Final = 256
_KEPT_NEIGHBOURS: Final = 4096
_LOOK_AGAIN_S: Final = 10
"""How old the list of this machine's networks may be."""

_KEPT_STRATUM: Final = 10
"""Told of a clock that a daemon keeps: how far that one is from a reference is not known here, so not a small one."""

_VOUCHED_DISPERSION_NS: Final = 1_000_000
"""The error of a clock that is the room's reference because its owner says so: what reading it costs."""

_UNKNOWN_DISPERSION_NS: Final = 16 * _NS  # MAXDISP of RFC 5905
_PRECISION: Final = -20  # a microsecond: the time between reading the clock and sending


class TimeFace:
    """Answers what time it is.

    Args:
        is_utc: UTC in place of this machine's zone.
        is_public: strangers are answered as well.
        stratum: what NTP is told, 1 to 15; None for what the kernel knows.
        now_ns: the clock, nanoseconds since 1970.
        list_interfaces: what the networks of this machine are read from.
        discipline: what the kernel knows of its clock.
    """

    framing: ClassVar[Framing] = Questions(strip_cr=True)

    def __init__(
        self,
        *,
        is_utc: bool = False,
        is_public: bool = False,
        stratum: int | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        list_interfaces: Callable[[], list[Interface]] = interfaces,
        discipline: Callable[[], Discipline] = read_discipline,
    ) -> None:
        self._is_utc = is_utc
        self._is_public = is_public
        self._stratum = stratum
        self._now_ns = now_ns
        self._list_interfaces = list_interfaces
        self._discipline = discipline
        self._strangers = Strangers()
        self._second = self._looked = -_NS
        self._kept: dict[bytes, bytes] = {}
        self._templates: dict[bytes, bytes] = {}
        self._neighbours: set[str] = set()
        self._neighbourhood = Neighbourhood(())
        self._quiet = QuietLog(logging.getLogger("lanline.time"))
        self._begin_second(now_ns() // _NS)

    def __repr__(self) -> str:
        zone = "UTC" if self._is_utc else time.strftime("%Z")
        return f"<TimeFace {zone}{' public' if self._is_public else ''} stratum={self._claims.stratum}>"

    def answer(self, message: bytes, sender: Address) -> bytes | None:
        """The answer to one datagram, or None for none. Never raises, whatever came."""
        now_ns = self._now_ns()
        second = now_ns // _NS
        if second != self._second:
            self._begin_second(second)
        if sender.host not in self._neighbours and not self._is_neighbour(sender.host):
            return self._answer_stranger(message, sender.host, now_ns)
        return self._kept.get(message) or self._answer(message, now_ns)

    async def handle(self, channel: Channel) -> None:
        """One line, one question, one line of answer, until the peer ends."""
        async for line in channel:
            await channel.send(self.answer_line(line))

    def answer_line(self, line: bytes) -> bytes:
        """The answer to one line of a stream: always one, and one line."""
        now_ns = self._now_ns()
        if now_ns // _NS != self._second:
            self._begin_second(now_ns // _NS)
        try:
            answer = fill_in(template(line.rstrip(b"\r"), self._told), now_ns)
        except NotAFormat as error:
            return _reason(error)
        return b"? a newline in the answer" if b"\n" in answer else answer

    # -- private pieces ------------------------------------------------------------------------------------

    def _answer(self, message: bytes, now_ns: int) -> bytes | None:
        if message in self._templates:
            return fill_in(self._templates[message], now_ns)
        if len(message) >= HEADER_BYTES and is_request(message):
            return answer_request(message, self._claims, now_ns, self._now_ns())
        try:
            made = template(message, self._told)
        except NoDirective:
            return None
        except NotAFormat as error:
            return _reason(error)
        if MICROSECONDS in made:
            if len(self._templates) < _KEPT_ANSWERS:
                self._templates[message] = made
            return fill_in(made, now_ns)
        if len(self._kept) < _KEPT_ANSWERS:
            self._kept[message] = made
        return made

    def _answer_stranger(self, message: bytes, host: str, now_ns: int) -> bytes | None:
        if not self._is_public or not self._strangers.may_ask(host, time.monotonic()):
            return None
        answer = self._answer(message, now_ns)
        if answer is not None and len(answer) > len(message) + STRANGER_EXTRA_BYTES:
            return b"? answer too long"
        return answer

    def _is_neighbour(self, host: str) -> bool:
        if not self._neighbourhood.holds(host):
            return False
        if len(self._neighbours) >= _KEPT_NEIGHBOURS:
            self._neighbours.clear()
        self._neighbours.add(host)
        return True

    def _begin_second(self, second: int) -> None:
        """What holds for one second: what is told of it, what the clock is worth, and no answer yet."""
        self._second = second
        self._kept.clear()
        self._templates.clear()
        self._told = Second(utc(second) if self._is_utc else time.localtime(second), second)
        self._claims = claims_of(self._clock_state(second * _NS))
        if not 0 <= second - self._looked < _LOOK_AGAIN_S:  # below 0: somebody has set the clock back
            self._looked = second
            self._look_around()

    def _look_around(self) -> None:
        """Interfaces come and go, and addresses with them."""
        try:
            self._neighbourhood = Neighbourhood(self._list_interfaces())
        except TransportError as error:
            # Whoever was near still is, as far as is known; at the start that is this machine alone.
            self._quiet.warn("interfaces", f"who is a neighbour is not known anew: {error}", time.monotonic())
            return
        self._neighbours.clear()

    def _clock_state(self, now_ns: int) -> ClockState:
        kernel = self._discipline()
        stratum = self._stratum or (_KEPT_STRATUM if kernel.is_synchronised else NO_STRATUM)
        if kernel.is_synchronised:
            dispersion = kernel.max_error_ns
        else:
            dispersion = _VOUCHED_DISPERSION_NS if self._stratum else _UNKNOWN_DISPERSION_NS
        reference_ns = now_ns if stratum < NO_STRATUM else 0
        return ClockState(stratum, kernel.leap, REFERENCE_ID, reference_ns, dispersion, _PRECISION)


def _reason(error: NotAFormat) -> bytes:
    return f"? {error}".encode()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `lanline serve time`."""
    parser.add_argument("--utc", action="store_true", help=_("tell the time in UTC, not in this machine's zone"))
    parser.add_argument(
        "--public",
        action="store_true",
        help=_("answer datagrams from other networks too, at most 64 bytes longer than the question"),
    )
    parser.add_argument(
        "--stratum",
        type=number(1, NO_STRATUM - 1),
        metavar="N",
        help=_(
            "tell NTP clients that this clock can be trusted, N steps from a reference; default: what the system knows"
        ),
    )


def make(options: argparse.Namespace, console: Console) -> TimeFace:
    """The face that these options ask for. Warns where the times would not be what its owner expects."""
    zone = meaningless_zone()
    if zone is not None and not options.utc:
        console.note(
            _(
                "TZ is {zone}, which means nothing on this machine: the times are UTC. TZ=Asia/Shanghai is a zone"
            ).format(zone=repr(zone))
        )
    if options.stratum is None and not read_discipline().is_synchronised:
        console.note(
            _("nothing keeps this machine's clock right: NTP clients are told so, and look elsewhere (--stratum 10)")
        )
    return TimeFace(is_utc=options.utc, is_public=options.public, stratum=options.stratum)
