"""Services: named sets of typed endpoints.

A service is a class; each endpoint is a method under `@endpoint`. Its shape follows from how it is written:

    def          answered in place, in the loop turn the request came: for what never waits, or all others would too
    async def    an ask: one answer
    async def with yield    a stream: many answers
    async def with a parameter typed `Call`    duplex: both sides send when they like

Parameters are positional and typed; the types become msgspec decoders when the service is made, so that an endpoint is
never called with what it does not expect. A parameter typed `Caller` or `Call` is filled in by the link. Every service
has `describe`, `stats` and `ping` without asking for them.

There is no attribute lookup by a peer's text: the table made here is the only way to reach a method.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar, overload

import msgspec

from lanline.errors import UsageError
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.roles import Role

_MARK: Final = "__lanline_endpoint__"
_FILLED_IN: Final = (Caller, Call)
"""Types of parameters that the link fills in; all others come from the peer."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


class Shape(Enum):
    """How an endpoint answers."""

    PLAIN = "plain"
    ASK = "ask"
    STREAM = "stream"
    DUPLEX = "duplex"


@dataclass(frozen=True, slots=True)
class _Declaration:
    role: Role | None
    is_local: bool
    is_bulk: bool
    doing: str


@dataclass(slots=True)
class Counts:
    """How often an endpoint was asked, and how often that failed."""

    calls: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing a service can be asked.

    Attributes:
        name: `service.endpoint`.
        shape: how it answers.
        role: the least role that may ask it; None: anybody who gets a link at all.
        is_local: only callers on this node's own Unix socket may ask it.
        is_bulk: calls begin with the large window.
        summary: first line of its docstring.
        doing: what asking it is called in a refusal, such as `inviting`; empty: its name.
        decode: from the msgpack array of arguments to a tuple.
        invoke: the method.
        fill: puts the caller and the call among the arguments, for a method that wants them; else None.
        counts: live counters.
    """

    name: str
    shape: Shape
    role: Role | None
    is_local: bool
    is_bulk: bool
    summary: str
    decode: Callable[[Any], tuple[Any, ...]]
    invoke: Callable[..., Any]
    fill: Callable[[tuple[Any, ...], Caller, Call | None], tuple[Any, ...]] | None
    doing: str = ""
    counts: Counts = field(default_factory=Counts, compare=False)


@overload
def endpoint(method: _Method, /) -> _Method: ...
@overload
def endpoint(
    *, role: Role | None = None, local: bool = False, bulk: bool = False, doing: str = ""
) -> Callable[[_Method], _Method]: ...
def endpoint(
    method: Callable[..., Any] | None = None,
    /,
    *,
    role: Role | None = None,
    local: bool = False,
    bulk: bool = False,
    doing: str = "",
) -> Any:
    """Makes a method of a Service something a peer can ask.

    Args:
        role: the least role that may ask it. A node refuses to host an endpoint without one; where there is no room,
            none is needed.
        local: only people on this machine, over the node's own Unix socket.
        bulk: each call begins with 4 MiB of credit instead of 256 KiB.
        doing: what people call it, as in `inviting takes the role operator`: for a refusal that a person reads.
    """

    def declare(method: Callable[..., Any]) -> Callable[..., Any]:
        setattr(method, _MARK, _Declaration(role, local, bulk, doing))
        return method

    return declare if method is None else declare(method)


class Service:
    """Base of all services. Subclasses set `name` and write endpoints."""

    name: str = ""
    """What the service is called on the wire: `echo` in `echo.say`."""

    @endpoint(role=Role.GUEST)
    def ping(self) -> str:
        """Answers `pong`: the service is there."""
        return "pong"

    @endpoint(role=Role.GUEST)
    def describe(self) -> dict[str, Any]:
        """Name, summary and endpoints of this service, with shapes and least roles."""
        return {
            "name": self.name,
            "summary": _first_line(type(self).__doc__),
            "endpoints": [
                {
                    "name": entry.name,
                    "shape": entry.shape.value,
                    "role": entry.role.word if entry.role else None,
                    "summary": entry.summary,
                }
                for entry in self.endpoints().values()
            ],
        }

    @endpoint(role=Role.GUEST)
    def stats(self) -> dict[str, dict[str, int]]:
        """Calls and failures of each endpoint since the start."""
        return {
            entry.name: {"calls": entry.counts.calls, "failures": entry.counts.failures}
            for entry in self.endpoints().values()
        }

    async def on_start(self) -> None:
        """Called once before the first call comes: for what needs a running loop. Does nothing here."""

    async def on_stop(self) -> None:
        """Called once when no call will come any more. Does nothing here."""

    def figures(self) -> dict[str, Any]:
        """A few figures for people, for `lanline status`. None here."""
        return {}

    def endpoints(self) -> Mapping[str, Endpoint]:
        """The table of this service, made once per instance.

        Raises:
            UsageError: the service has no name, or an endpoint's parameters cannot be decoded.
        """
        table: dict[str, Endpoint] | None = self.__dict__.get("_endpoints")
        if table is None:
            if not self.name:
                raise UsageError(f"{type(self).__name__} has no name: set it in the class, as in name = 'echo'")
            table = {}
            for attribute, member in inspect.getmembers(type(self), inspect.isfunction):
                declaration = getattr(member, _MARK, None)
                if declaration is not None:
                    made = _make(f"{self.name}.{attribute}", getattr(self, attribute), declaration)
                    table[made.name] = made
            self.__dict__["_endpoints"] = table
        return table


def collect(services: Iterable[Service], *, roles_required: bool = False) -> dict[str, Endpoint]:
    """The table of all endpoints of several services.

    Args:
        roles_required: refuse an endpoint that declares no least role, as a node does.

    Raises:
        UsageError: two services share a name, or a role is missing.
    """
    table: dict[str, Endpoint] = {}
    for service in services:
        for name, entry in service.endpoints().items():
            if name in table:
                raise UsageError(f"two services have an endpoint {name}")
            if roles_required and entry.role is None:
                raise UsageError(f"{name} declares no least role: write @endpoint(role=Role.MEMBER), or another")
            table[name] = entry
    return table


def _make(name: str, method: Callable[..., Any], declaration: _Declaration) -> Endpoint:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    kinds: list[Any] = []
    hints = _hints(name, method)
    for parameter in inspect.signature(method).parameters.values():
        kind = hints.get(parameter.name, Any)
        kinds.append(kind)
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise UsageError(f"{name}: parameter {parameter.name} must be positional, with a name of its own")
        if kind in _FILLED_IN:
            continue
        if parameter.default is parameter.empty:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, parameter.default))
    return Endpoint(
        name=name,
        shape=_shape(name, method, wants_call=Call in kinds),
        role=declaration.role,
        is_local=declaration.is_local,
        is_bulk=declaration.is_bulk,
        summary=_first_line(method.__doc__),
        decode=_decoder(name, fields),
        invoke=method,
        fill=_filler(kinds),
        doing=declaration.doing,
    )


def _filler(kinds: list[Any]) -> Callable[[tuple[Any, ...], Caller, Call | None], tuple[Any, ...]] | None:
    """What puts caller and call where the method has parameters for them; None where it has none."""
    if not any(kind in _FILLED_IN for kind in kinds):
        return None

    def fill(arguments: tuple[Any, ...], caller: Caller, call: Call | None) -> tuple[Any, ...]:
        given = iter(arguments)
        return tuple(caller if kind is Caller else call if kind is Call else next(given) for kind in kinds)

    return fill


def _hints(name: str, method: Callable[..., Any]) -> dict[str, Any]:
    """The types of a method's parameters, limits (`Annotated`) included."""
    try:
        return typing.get_type_hints(method, include_extras=True)
    except NameError as error:
        raise UsageError(
            f"{name}: {error}",
            advice="define the types of parameters and results at the top of the module, not under TYPE_CHECKING.",
        ) from error


def _shape(name: str, method: Callable[..., Any], *, wants_call: bool) -> Shape:
    is_coroutine = inspect.iscoroutinefunction(method)
    if wants_call:
        if not is_coroutine:
            raise UsageError(f"{name} has a parameter typed Call: write it as async def, without yield")
        return Shape.DUPLEX
    if inspect.isasyncgenfunction(method):
        return Shape.STREAM
    if inspect.isgeneratorfunction(method):
        raise UsageError(f"{name} yields: write it as async def, to make it a stream")
    return Shape.ASK if is_coroutine else Shape.PLAIN


def _decoder(name: str, fields: list[Any]) -> Callable[[Any], tuple[Any, ...]]:
    try:
        if any(len(entry) == 3 for entry in fields):
            struct = msgspec.defstruct(
                name.replace(".", "_"), fields, array_like=True, forbid_unknown_fields=True, gc=False
            )
            decode_struct = msgspec.msgpack.Decoder(struct).decode
            return lambda data: msgspec.structs.astuple(decode_struct(data))
        whole: Any = tuple.__class_getitem__(tuple(entry[1] for entry in fields))
        return msgspec.msgpack.Decoder(whole).decode
    except TypeError as error:
        raise UsageError(f"{name} has a parameter that cannot be decoded: {error}") from error


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
