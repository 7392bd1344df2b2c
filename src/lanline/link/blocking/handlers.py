"""What can be served without an event loop: a plain function over a channel, an object with `handle`, a class of such.

It finds out which of them it was given and makes one callable of it. It runs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol

from lanline.address import Address
from lanline.errors import UsageError
from lanline.link.blocking.channel import Channel
from lanline.translation import _

Handler = Callable[[Channel], object]
"""A function over a channel. When it returns, the channel is closed; what it returns is of no interest."""

Answer = Callable[[bytes, Address], bytes | None]
"""Answers one datagram at once, or not (None): message and sender in, answer out."""


class Handling(Protocol):
    """An object whose `handle` is a handler: one object for all clients, with what they share."""

    def handle(self, channel: Channel) -> object:
        """Serves one client, in a thread of its own. When it returns, the channel is closed."""


Handled = Handler | Handling | type[Handling]
"""What `blocking.serve` takes. A class is made anew, without arguments, for each client."""


def handler_of(what: object) -> Handler:
    """The function that serves one channel.

    Raises:
        UsageError: it is none of the three, or a coroutine function, which needs an event loop.
    """
    if isinstance(what, type):
        _check(
            getattr(what, "handle", None), _("the class {name} has no handle(self, channel)").format(name=what.__name__)
        )
        return lambda channel: what().handle(channel)
    method: object = getattr(what, "handle", None)
    if method is not None:
        return _check(method, _("the handle of {name} cannot be called").format(name=type(what).__name__))
    return _check(what, _("what is to be served is no handler but of the type {name}").format(name=type(what).__name__))


def answer_of(what: object) -> Answer | None:
    """The function that answers datagrams directly; None where there is none."""
    found: object = getattr(what, "answer", None)
    if isinstance(what, type) or not callable(found):
        return None
    answer: Answer = found
    return answer


def _check(what: object, complaint: str) -> Handler:
    if inspect.iscoroutinefunction(what):
        name = getattr(what, "__name__", "it")
        raise UsageError(
            _("{name} is a coroutine function, and here a handler is a plain one").format(name=name),
            advice=_("write def {name}(...) without async, or serve it with lanline.serve.").format(name=name),
        )
    if not callable(what):
        raise UsageError(
            complaint, advice=_("serve a function, def handler(channel): ...; services need lanline.serve.")
        )
    handler: Handler = what
    return handler
