"""What can be served over plain channels: a coroutine function, an object with `handle`, or a class of such objects.

It finds out which of them it was given and makes one callable of it. It runs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol

from lanline.errors import UsageError
from lanline.link.channel import Channel
from lanline.translation import _

Handler = Callable[[Channel], Awaitable[object]]
"""A coroutine function over a channel. When it returns, the channel is closed; `serve` ignores what it returns."""


class Handling(Protocol):
    """An object whose `handle` is a handler: one object for all clients, with what they share."""

    async def handle(self, channel: Channel) -> object:
        """Serves one client. When it returns, the channel is closed."""


Handled = Handler | Handling | type[Handling]
"""What `serve` takes for plain channels. A class is made anew, without arguments, for each client."""


def handler_of(what: object) -> Handler:
    """The coroutine function that serves one channel.

    Raises:
        UsageError: it is none of the three, or not a coroutine function.
    """
    if isinstance(what, type):
        _check(
            getattr(what, "handle", None), _("the class {name} has no handle(self, channel)").format(name=what.__name__)
        )
        return _Anew(what)
    method: object = getattr(what, "handle", None)
    if method is not None:
        return _check(method, _("the handle of {name} cannot be called").format(name=type(what).__name__))
    return _check(what, _("what is to be served is no handler but of the type {name}").format(name=type(what).__name__))


class _Anew:
    """A handler that makes an object of a class for each client."""

    def __init__(self, kind: Callable[[], Handling]) -> None:
        self._kind = kind

    def __call__(self, channel: Channel) -> Awaitable[object]:
        return self._kind().handle(channel)


def _check(what: object, complaint: str) -> Handler:
    # Lambdas and callable objects may return a coroutine; a plain def never means to.
    is_def = (inspect.isfunction(what) or inspect.ismethod(what)) and what.__name__ != "<lambda>"
    if is_def and not inspect.iscoroutinefunction(what):
        name = getattr(what, "__name__", "it")
        raise UsageError(
            _("{name} is a plain function, and a handler is a coroutine function").format(name=name),
            advice=_("write async def {name}(...), or serve it with lanline.blocking.").format(name=name),
        )
    if not callable(what):
        raise UsageError(complaint, advice=_("serve a coroutine function: async def handler(channel): ..."))
    handler: Handler = what
    return handler
