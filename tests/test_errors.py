"""Claims about the tree of errors: what its docstring says, what a person is told, what travels on links."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lanline import errors
from lanline.errors import (
    CallFailed,
    CallLost,
    CallRefused,
    CallTimeout,
    EndedInMessage,
    LanlineError,
    MessageTooLarge,
    NodeNotRunning,
    Status,
    UsageError,
    call_error,
)


def _tree(kind: type[LanlineError], depth: int) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def test_the_docstring_shows_the_tree_as_it_is() -> None:
    drawn = re.findall(r"^( {4,})([A-Z]\w+)", (errors.__doc__ or "").partition("::\n")[2], re.MULTILINE)
    assert [((len(indent) - 4) // 2, name) for indent, name in drawn] == [*_tree(LanlineError, 0)]


def test_the_advice_is_the_class_own_unless_another_is_given() -> None:
    assert NodeNotRunning("none runs").advice == "lanline up --detach"
    assert NodeNotRunning("none runs", advice="wait").advice == "wait"
    assert NodeNotRunning("none runs", advice="").advice == ""
    assert LanlineError("a").advice == ""
    assert MessageTooLarge(2, 1).advice.endswith("or send smaller messages.")
    assert str(NodeNotRunning("none runs", advice="wait")) == "none runs"


@pytest.mark.parametrize("kind", [kind for _, kind in _tree(LanlineError, 0)])
def test_every_exit_code_means_something(kind: str) -> None:
    assert getattr(errors, kind).exit_code in (1, 2, 3, 4)


def test_a_mistake_of_usage_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="no sense"):
        raise UsageError("that makes no sense")


def test_sizes_are_in_the_sentence_and_in_the_error() -> None:
    error = MessageTooLarge(70000, 65536, "frame")
    assert str(error) == "frame of 70000 bytes, limit 65536 bytes"
    assert (error.size_bytes, error.limit_bytes) == (70000, 65536)
    assert EndedInMessage(3).kept_bytes == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.DEADLINE, CallTimeout),
        (Status.REFUSED, CallRefused),
        (Status.PEER_GONE, CallLost),
        (Status.INTERNAL, CallFailed),
        (Status.BAD_MESSAGE, CallFailed),
    ],
)
def test_each_status_has_its_class(status: Status, kind: type[LanlineError]) -> None:
    error = call_error(status, "because", may_have_run=False, details={"rule": "disks"})
    assert type(error) is kind
    assert (error.status, error.text, error.may_have_run, error.details) == (
        status,
        "because",
        False,
        {"rule": "disks"},
    )


def test_the_advice_of_the_far_side_comes_first() -> None:
    assert call_error(Status.REFUSED, "no", details={"advice": "ask anna"}).advice == "ask anna"
    assert "lanline members role" in call_error(Status.REFUSED, "no").advice
    assert call_error(Status.INTERNAL, "").advice == ""


def test_a_status_without_a_text_is_its_own() -> None:
    assert str(call_error(Status.PEER_GONE, "")) == "peer gone"


def test_the_numbers_on_the_wire_are_these() -> None:
    assert [(one.name, one.value) for one in Status] == [
        ("OK", 0),
        ("CANCELLED", 1),
        ("DEADLINE", 2),
        ("NOT_FOUND", 3),
        ("REFUSED", 4),
        ("TOO_LARGE", 5),
        ("OVERLOADED", 6),
        ("UNAVAILABLE", 7),
        ("PEER_GONE", 8),
        ("BAD_MESSAGE", 9),
        ("INTERNAL", 10),
    ]
