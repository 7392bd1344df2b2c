"""Whose turn it is on a descriptor that several threads use, and who closes it. No asyncio here.

The number of a closed descriptor belongs to whoever opens the next file. So nobody closes one while another thread may
be inside a call with it: who wants it closed says so and wakes the others, and the one that leaves last closes.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from lanline.errors import LocalProtocolError


class Turns:
    """One receives at a time, one sends at a time, and nobody is inside when the descriptor is closed.

    Args:
        close: closes the descriptor; called once, by whichever thread leaves last.
    """

    __slots__ = ("_receiving", "_sending", "_close", "_is_over")

    def __init__(self, close: Callable[[], object]) -> None:
        self._receiving, self._sending = Lock(), Lock()
        self._close: Callable[[], object] | None = close
        self._is_over = False

    @property
    def is_receiving(self) -> bool:
        """Whether a thread is receiving now."""
        return self._receiving.locked()

    def begin_receiving(self, what: str) -> None:
        """Takes the turn to receive; `end_receiving` gives it back.

        Raises:
            LocalProtocolError: another thread has it: that is a mistake, not something to wait for.
        """
        if not self._receiving.acquire(blocking=False):
            if not self._is_over:
                raise LocalProtocolError(f"two threads receive from one {what}")
            self._receiving.acquire()  # whoever closes has it, and leaves at once; so does a receiver that was woken

    def end_receiving(self) -> None:
        """Gives the turn back."""
        self._receiving.release()
        if self._is_over:
            self._close_when_unused()

    def begin_sending(self, timeout: float | None) -> bool:
        """Takes the turn to send, waiting for the thread that has it; `end_sending` gives it back.

        Args:
            timeout: seconds to wait, 0 not to; None for ever.

        Returns:
            False when the time was over: then there is nothing to give back.
        """
        return self._sending.acquire(timeout=-1.0 if timeout is None else max(0.0, timeout))

    def end_sending(self) -> None:
        """Gives the turn back."""
        self._sending.release()
        if self._is_over:
            self._close_when_unused()

    def finish(self) -> None:
        """The descriptor is to be closed: at once if nobody is inside. Wake whoever waits first. A second call does
        nothing more."""
        self._is_over = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        """Leaves it to the thread that is still inside, if there is one. It may have left meanwhile, and have left this
        to us, as it found the turn to receive taken: so it is looked at again when that turn is given back."""
        while self._close is not None and self._receiving.acquire(blocking=False):
            try:
                if self._sending.acquire(blocking=False):
                    try:
                        close, self._close = self._close, None
                        if close is not None:
                            close()
                    finally:
                        self._sending.release()
            finally:
                self._receiving.release()
            if self._sending.locked():
                return
