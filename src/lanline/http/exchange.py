"""One request and its answer: what the log hears of it, and the request object that handlers see.

It decides nothing. Rule: what stands in an `Exchange` came from the peer as it is; whoever prints it cleans it first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web
from aiohttp.http import HttpVersion11

if TYPE_CHECKING:
    from lanline.http.connection import Connection

CUT_OFF: Final = 499
"""Status of an exchange whose client was gone before the answer was complete; nginx's number, never sent."""

SERVER_NAME: Final = "lanline"
"""The Server field: no version, which would only help whoever looks for old ones."""


class Exchange(NamedTuple):
    """What became of one request. Every text in it is the peer's own and hostile until cleaned."""

    peer: str
    """`tcp://192.168.1.7:51234`."""

    method: str
    """As sent; `-` where no method could be read."""

    target: str
    """As sent, percent-encoding included; `-` where none could be read."""

    status: int
    """Of the answer, or 499 (`CUT_OFF`) when the connection ended before all of it was written; where a
    site waits until all has arrived, before that."""

    sent_bytes: int
    """Header and body as given to the system; a peer that leaves may have taken less."""

    received_bytes: int
    """Of the request's body, as far as it was read."""

    seconds: float
    """From the whole header to the last byte of the answer."""

    user: str
    """Who has shown a password; empty without."""

    user_agent: str
    """The User-Agent field; empty without."""


Heard = Callable[[Exchange], None]
"""Called once for each request, within the loop: it must not wait."""


class Request(web.BaseRequest):
    """aiohttp's request, with what lanline adds to every answer just before its header is written."""

    user: str = ""
    """Who has shown a password: set by whoever checked it."""

    has_begun_body: bool = False
    """Whether the body has been asked for: only then `100 Continue` has been sent."""

    answered_status: int = 0
    """Status of the answer, from when its header is made; 0 before."""

    answered_headers: Mapping[str, str] | None = None
    """Header fields of the answer, from when its header is made; also of one that is cut off later."""

    has_arrived: bool = False
    """Whether the peer's system has all of the answer, though its connection ended: set by a site that can tell."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self.version >= HttpVersion11 and self.headers.get("Expect", "").lower() == "100-continue"

    def can_be_followed(self, max_rest_bytes: int) -> bool:
        """Whether another request can be found behind what is left of the body.

        Not so when more is left than is worth reading away, or when the client waits for a `100 Continue` that it has
        not been sent: it may then send the body, or leave it out, and nobody can tell which (RFC 9110 section 10.1.1).

        Args:
            max_rest_bytes: worth reading away.
        """
        if self.content.is_eof():
            return True
        if self.expects_continue and not self.has_begun_body:
            return False
        length = self.content_length
        return length is not None and length - self.content.total_bytes <= max_rest_bytes

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = SERVER_NAME
        self.answered_status = response.status
        self.answered_headers = headers
        connection: Connection = self._protocol  # type: ignore[assignment]  # it made this request
        if connection.must_close_after(self):
            response.force_close()
            headers["Connection"] = "close"


def exchange_of(peer: str, request: Request, status: int, seconds: float) -> Exchange:
    """What the log hears of a request that is over."""
    sent = request.writer.output_size
    named = request.headers.get("User-Agent", "")
    return Exchange(
        peer, request.method, request.raw_path, status, sent, request.content.total_bytes, seconds, request.user, named
    )


def set_user(request: web.BaseRequest, user: str) -> None:
    """Notes for the log who it is that asks."""
    if isinstance(request, Request):
        request.user = user
