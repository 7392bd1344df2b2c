"""What this machine's kernel says about its clock: whether somebody disciplines it, and how far off it may be.

Reads and never sets: `adjtimex` with no mode is a pure question and needs no privilege (adjtimex(2)). On systems
without it, and wherever it does not answer, nothing is known, and the clock counts as unsynchronised.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final, NamedTuple

_STA_INS: Final = 0x0010
_STA_DEL: Final = 0x0020
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


class Discipline(NamedTuple):
    """The state of the kernel's clock.

    Attributes:
        is_synchronised: whether a time daemon keeps it.
        max_error_ns: the kernel's bound of its error. It grows by 0.5 ms each second that no daemon confirms it.
        leap: 0 none, 1 a second more at the end of the day, 2 one less.
    """

    is_synchronised: bool
    max_error_ns: int
    leap: int


UNKNOWN: Final = Discipline(False, 0, 0)


class _Timex(ctypes.Structure):
    """`struct timex` of linux/timex.h, with the room it keeps for later."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("others", ctypes.c_long * 32),
    ]


def read_discipline() -> Discipline:
    """What the kernel says now; `UNKNOWN` where it cannot be asked. About two microseconds."""
    if _adjtimex is None:
        return UNKNOWN
    state = _Timex(modes=0)
    return judge(_adjtimex(ctypes.byref(state)), state.status, state.maxerror)


def judge(answer: int, status: int, max_error_us: int) -> Discipline:
    """What adjtimex's answer means.

    Args:
        answer: what it returned: -1 for a failure, 5 for an unsynchronised clock.
        status: the bits STA_*.
        max_error_us: microseconds.
    """
    if answer < 0 or answer == _TIME_ERROR or status & _STA_UNSYNC:
        return UNKNOWN
    leap = 1 if status & _STA_INS else 2 if status & _STA_DEL else 0
    return Discipline(True, max(0, max_error_us) * 1000, leap)


_adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None) if sys.platform.startswith("linux") else None
