"""A connected stream over TLS for code without an event loop: the verbs of `wire.py`, encrypted.

The TLS state lies between two buffers in memory, and the socket is read and written here. Python's own SSLSocket will
not do: it must not be read in one thread and written in another, and it hides from `poll` what it has decrypted
already. One lock guards the state; nothing waits while holding it but the kernel's own calls, which do not block.

There is no half-close: once one side has said goodbye, asyncio's TLS and most others send no more either. So `end`
ends both directions. A stream that ends without the goodbye of TLS (RFC 8446 section 6.1) counts as ended all the same,
as with Python's SSLSocket and asyncio: a framing that says where messages end tells a cut one from a whole one.

Source: https://docs.python.org/3/library/ssl.html, "Memory BIO Support".
"""

from __future__ import annotations

import socket
import ssl
import time
from threading import Lock
from typing import Final

from lanline.transport.wire import READ_BYTES, PlainWire, wait

_BATCH_BYTES: Final = 64 * 1024
"""Encrypted before it is offered to the kernel: four records of TLS, and no more than that is ever kept here."""


class TlsWire:
    """A stream over TLS. `shake_hands` comes first.

    Args:
        sock: connected; owned by this object from now on.
        context: which certificate is shown and whom to believe.
        is_serving: whether this side accepted the connection.
        server_name: on the connecting side, the name the server's certificate must bear.
    """

    can_half_close: Final = False
    is_tls: Final = True

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, is_serving: bool = False, server_name: str | None = None
    ) -> None:
        self._plain = PlainWire(sock)
        self._lock = Lock()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_serving, server_hostname=server_name
        )
        self._unsent = b""
        self._error: OSError | None = None

    @property
    def sock(self) -> socket.socket:
        """See `Wire`."""
        return self._plain.sock

    @property
    def unsent_bytes(self) -> int:
        """See `Wire`."""
        return len(self._unsent)

    @property
    def has_received(self) -> bool:
        """See `Wire`. What came in one segment with the end of the handshake is read when it is asked for."""
        return self._incoming.pending > 0

    def fileno(self) -> int:
        """See `Wire`."""
        return self._plain.fileno()

    def shake_hands(self, deadline: float) -> None:
        """Blocks until both sides know each other.

        Args:
            deadline: on the monotonic clock.

        Raises:
            TimeoutError: it was not done by then. OSError, `ssl.SSLError` among them: it failed.
        """
        while True:
            try:
                self._tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                is_done = False
            except OSError:
                self._goodbye()  # the alert that tells the peer why
                raise
            while not self._flush():
                self._wait(deadline, to_send=True)
            if is_done:
                return
            self._wait(deadline)
            self._take_in()

    def receive_now(self) -> bytes | None:
        """See `Wire`."""
        with self._lock:
            if self._error is not None:
                raise self._error
            while True:
                data = self._decrypted()
                if self._outgoing.pending:
                    self._answer()
                if data is not None or not self._take_in():
                    return data

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """See `Wire`. What is counted as taken is encrypted, and at most 64 KiB of it wait on this side."""
        view, taken = memoryview(data), 0
        with self._lock:
            while self._flush() and taken < len(view):
                taken += self._tls.write(view[taken : taken + _BATCH_BYTES])
        return taken

    def flush_now(self) -> bool:
        """See `Wire`."""
        with self._lock:
            return self._flush()

    def end(self) -> None:
        """See `Wire`: both directions."""
        self._goodbye()
        self.shut()

    def shut(self) -> None:
        """See `Wire`."""
        self._plain.shut()

    def shut_receiving(self) -> None:
        """See `Wire`."""
        self._plain.shut_receiving()

    def close(self) -> None:
        """See `Wire`."""
        self._plain.close()

    # -- private pieces ------------------------------------------------------------------------------------

    def _decrypted(self) -> bytes | None:
        """All that can be read of what came; None for nothing yet, no bytes for the end."""
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(pieces) if pieces else None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b"".join(pieces)
        except OSError as error:
            if not pieces:
                raise
            self._error = error  # what came before it is delivered first
        return b"".join(pieces)

    def _take_in(self) -> bool:
        """Reads the socket once. False: nothing was there."""
        data = self._plain.receive_now()
        if data is None:
            return False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return True

    def _flush(self) -> bool:
        while True:
            if not self._unsent:
                self._unsent = self._outgoing.read()
            if not self._unsent:
                return True
            sent = self._plain.send_now(self._unsent)
            if not sent:
                return False
            self._unsent = self._unsent[sent:]

    def _answer(self) -> None:
        """Sends what TLS itself has to say, as far as the kernel takes it now."""
        try:
            self._flush()
        except OSError:
            return  # the peer is gone, and whoever sends or receives next is told; what came from it still counts

    def _goodbye(self) -> None:
        """Tells the peer that this side ends, as far as the kernel takes it now."""
        with self._lock:
            try:
                self._tls.unwrap()
            except OSError:
                pass  # it wants the peer's goodbye, for which nobody waits, or the handshake was never done
            self._answer()

    def _wait(self, deadline: float, *, to_send: bool = False) -> None:
        if not wait(self, deadline, to_receive=not to_send, to_send=to_send) or time.monotonic() >= deadline:
            raise TimeoutError
