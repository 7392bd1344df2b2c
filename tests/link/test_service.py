"""Services: what makes a method an endpoint, which shapes there are, and what is refused when the service is made."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from lanline.errors import UsageError
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.service import Endpoint, Service, Shape, collect, endpoint
from lanline.roles import Role
from tests.link.desk import Desk

CALLER = Caller("pc7", Role.MEMBER)


class Colour(enum.Enum):
    """An enumeration, as an argument."""

    RED = "red"


class Size(msgspec.Struct):
    """A struct, as an argument."""

    width: int
    height: Annotated[int, Meta(ge=1, le=100)] = 1


def _entry(service: Service, name: str) -> Endpoint:
    return service.endpoints()[f"{service.name}.{name}"]


def _decoded(service: Service, name: str, *arguments: object) -> tuple[Any, ...]:
    """What the endpoint would be called with."""
    entry = _entry(service, name)
    decoded = entry.decode(msgspec.msgpack.encode(arguments))
    return decoded if entry.fill is None else entry.fill(decoded, CALLER, None)


# -- shapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("say", Shape.PLAIN),
        ("later", Shape.ASK),
        ("count", Shape.STREAM),
        ("double", Shape.DUPLEX),
        ("ping", Shape.PLAIN),
        ("describe", Shape.PLAIN),
        ("stats", Shape.PLAIN),
    ],
)
def test_the_shape_follows_from_how_a_method_is_written(name: str, shape: Shape) -> None:
    assert _entry(Desk(), name).shape is shape


def test_only_marked_methods_can_be_asked() -> None:
    names = {name.partition(".")[2] for name in Desk().endpoints()}
    assert {"say", "reboot", "ping", "describe", "stats"} <= names
    assert not names & {"note", "until", "endpoints", "name", "notes", "__init__", "on_start", "on_stop", "figures"}


def test_an_overridden_method_without_the_mark_is_none() -> None:
    class Quiet(Desk):
        def say(self, text: str) -> str:
            return "nothing"

    assert "desk.say" not in Quiet().endpoints()
    assert "desk.later" in Quiet().endpoints()


def test_a_subclass_has_the_endpoints_of_its_base() -> None:
    class More(Desk):
        name = "more"

        @endpoint
        def extra(self) -> int:
            return 1

    assert {"more.extra", "more.say", "more.ping"} <= set(More().endpoints())


# -- arguments -----------------------------------------------------------------------------------------------


class Typed(Service):
    """Takes arguments of many types."""

    name = "typed"

    @endpoint
    def all(
        self,
        number: int,
        colour: Colour,
        size: Size,
        names: list[str],
        one_of: Literal["a", "b"],
        small: Annotated[int, Meta(ge=0, le=9)],
        maybe: str | None = None,
        rest: Any = (),
    ) -> str:
        """Takes them all."""
        return "taken"

    @endpoint
    def untyped(self, anything, more=5):  # type: ignore[no-untyped-def]  # what a beginner writes
        """Takes anything."""
        return anything

    @endpoint
    def none_at_all(self) -> None:
        """Takes nothing."""

    @endpoint
    def caller_first(self, caller: Caller, text: str) -> str:
        """The caller need not come last."""
        return caller.name + text

    @endpoint
    def caller_between(self, text: str, caller: Caller, number: int = 3) -> str:
        """Nor first."""
        return text

    @endpoint
    async def call_and_caller(self, call: Call, text: str, caller: Caller) -> str:
        """Both may be wanted."""
        return text


def test_arguments_become_what_their_types_say() -> None:
    got = _decoded(Typed(), "all", 5, "red", {"width": 3}, ["x"], "b", 9, None, [1, {"a": 2}])
    assert got == (5, Colour.RED, Size(3), ["x"], "b", 9, None, [1, {"a": 2}])


def test_defaults_are_filled_in() -> None:
    assert _decoded(Typed(), "all", 5, "red", {"width": 3}, [], "a", 0)[6:] == (None, ())
    assert _decoded(Typed(), "untyped", {"any": ["thing"]}) == ({"any": ["thing"]}, 5)
    assert _decoded(Typed(), "none_at_all") == ()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("5", "red", {"width": 3}, [], "a", 0),
        (5, "blue", {"width": 3}, [], "a", 0),
        (5, "red", {}, [], "a", 0),
        (5, "red", {"width": 3, "height": 0}, [], "a", 0),
        (5, "red", {"width": 3}, [1], "a", 0),
        (5, "red", {"width": 3}, [], "c", 0),
        (5, "red", {"width": 3}, [], "a", 10),
        (5, "red", {"width": 3}, [], "a", 0, 7),
        (5, "red", {"width": 3}, [], "a", 0, None, None, "one too many"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        _decoded(Typed(), "all", *arguments)


def test_arguments_too_many_are_refused_with_and_without_defaults() -> None:
    for name in ("untyped", "none_at_all", "caller_first"):
        with pytest.raises(msgspec.ValidationError):
            _decoded(Typed(), name, 1, 2, 3, 4)


def test_caller_and_call_are_filled_in_wherever_they_stand() -> None:
    assert _decoded(Typed(), "caller_first", "x") == (CALLER, "x")
    assert _decoded(Typed(), "caller_between", "x") == ("x", CALLER, 3)
    assert _decoded(Typed(), "caller_between", "x", 4) == ("x", CALLER, 4)
    assert _decoded(Typed(), "call_and_caller", "x") == (None, "x", CALLER)


# -- what is refused when a service is made ------------------------------------------------------------------


def _made(method: Any) -> Any:
    return type("Odd", (Service,), {"name": "odd", "method": endpoint(method)})()


def _keyword_only(self: Any, *, text: str) -> None:
    """Has a parameter that a peer cannot give."""


def _variable(self: Any, *texts: str) -> None:
    """Takes any number."""


def _generator(self: Any) -> Any:
    """Yields without being async."""
    yield 1


def _plain_with_call(self: Any, call: Call) -> None:
    """Wants a call, but cannot wait."""


async def _stream_with_call(self: Any, call: Call) -> AsyncIterator[int]:
    """Two ways to answer at once."""
    yield 1


def _undecodable(self: Any, one: dict[str, int] | dict[int, str]) -> None:
    """Nobody could tell which is meant."""


def _unknown(self: Any, one: NotThere) -> None:  # type: ignore[name-defined]  # noqa: F821  # as under TYPE_CHECKING
    """Its type is known to the type checker alone."""


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (_keyword_only, "parameter text must be positional"),
        (_variable, "parameter texts must be positional"),
        (_generator, "yields: write it as async def"),
        (_plain_with_call, "parameter typed Call: write it as async def"),
        (_stream_with_call, "parameter typed Call: write it as async def, without yield"),
        (_undecodable, "cannot be decoded"),
        (_unknown, "name 'NotThere' is not defined"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_an_endpoint_that_cannot_work_is_refused_by_name(method: Any, words: str) -> None:
    with pytest.raises(UsageError, match=rf"odd\.method.*{words}"):
        _made(method).endpoints()


def test_a_service_needs_a_name() -> None:
    class Nameless(Service):
        """Forgot it."""

    with pytest.raises(UsageError, match="Nameless has no name"):
        Nameless().endpoints()


def test_two_services_cannot_share_an_endpoint() -> None:
    with pytest.raises(UsageError, match=r"two services have an endpoint desk\."):
        collect([Desk(), Desk()])


def test_a_room_takes_no_endpoint_without_a_role() -> None:
    class Checked(Service):
        name = "checked"

        @endpoint(role=Role.OWNER)
        def one(self) -> None:
            """Says who."""

    assert collect([Checked()], roles_required=True)["checked.one"].role is Role.OWNER
    with pytest.raises(UsageError, match="declares no least role"):
        collect([Desk()], roles_required=True)


# -- what every service has ----------------------------------------------------------------------------------


def test_every_service_can_be_asked_what_it_is() -> None:
    desk = Desk()
    described = desk.describe()
    assert (desk.ping(), described["name"]) == ("pong", "desk")
    assert described["summary"] == "Answers in every way there is."
    by_name = {entry["name"]: entry for entry in described["endpoints"]}
    assert by_name["desk.reboot"] == {
        "name": "desk.reboot",
        "shape": "plain",
        "role": "operator",
        "summary": "For operators only.",
    }
    assert by_name["desk.say"]["role"] is None
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(described)) == described


def test_every_service_counts_what_it_was_asked() -> None:
    desk = Desk()
    _entry(desk, "say").counts.calls += 3
    _entry(desk, "say").counts.failures += 1
    assert desk.stats()["desk.say"] == {"calls": 3, "failures": 1}
    assert Desk().stats()["desk.say"] == {"calls": 0, "failures": 0}


def test_the_least_roles_of_what_every_service_has() -> None:
    assert {name: _entry(Desk(), name).role for name in ("ping", "describe", "stats")} == {
        "ping": Role.GUEST,
        "describe": Role.GUEST,
        "stats": Role.GUEST,
    }
