"""The request: what it carries, what it refuses, and that it says nothing it should keep."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.services.run.spec import Go, Signal, Spec, Started, Stop, Word, new_spec, shell_argv

_ID = bytes(range(16))


def _through_the_wire(spec: Spec) -> Spec:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=Spec)


def test_a_request_survives_the_wire() -> None:
    spec = new_spec(
        ("sh", "-c", "exit 3"), variables={"A": "b"}, cwd="/tmp", timeout=1.5, kill_after=0.0, output_bytes=7
    )
    assert _through_the_wire(spec) == spec


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda word: b"\0" not in word), min_size=1, max_size=4))
def test_arguments_that_are_no_text_arrive_as_the_bytes_they_were(words: list[bytes]) -> None:
    spec = _through_the_wire(new_spec(words))
    assert [word.encode("utf-8", "surrogateescape") for word in spec.words] == words


def test_what_the_shell_gave_us_as_bytes_is_sent_as_bytes() -> None:
    typed = b"caf\xe9".decode("utf-8", "surrogateescape")  # as sys.argv has it
    assert new_spec((typed,)).argv == (b"caf\xe9",)


def test_each_request_has_a_job_id_of_its_own() -> None:
    assert new_spec(("true",)).job_id != new_spec(("true",)).job_id
    assert len(new_spec(("true",)).job_id) == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": ()},
        {"timeout": 0.0},
        {"timeout": math.inf},
        {"timeout": math.nan},
        {"kill_after": -1.0},
        {"output_bytes": -1},
    ],
)
def test_a_field_out_of_its_range_is_a_mistake_of_usage(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        new_spec(**{"argv": ("true",), **wrong})


@pytest.mark.parametrize("wrong", [{"variables": {"A": "\udcff"}}, {"variables": {"\udcff": "a"}}, {"cwd": "\udcff"}])
def test_variables_and_folder_must_be_text(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no text"):
        new_spec(("true",), **wrong)


@pytest.mark.parametrize(
    "array",
    [[b"short", [b"true"]], [_ID, []], [_ID, [b"true"], {}, "", 0], [_ID, ["text"]], [_ID, [b"true"], {"a": 1}]],
)
def test_a_hostile_request_is_an_error_of_the_message(array: list[Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(array), type=Spec)


def test_fields_of_a_later_version_are_passed_over() -> None:
    data = msgspec.msgpack.encode([_ID, [b"true"], {}, "", None, None, None, "new", 7])
    assert msgspec.msgpack.decode(data, type=Spec) == Spec(_ID, (b"true",))


def test_the_values_of_variables_are_not_shown() -> None:
    shown = repr(new_spec(("true",), variables={"TOKEN": "hunter2"}))
    assert "TOKEN" in shown and "hunter2" not in shown


def test_shell_text_is_one_argument_of_sh() -> None:
    assert shell_argv("echo $HOME | cat") == ("sh", "-c", "echo $HOME | cat")


@pytest.mark.parametrize("word", [Signal("INT"), Stop("enough"), Stop("enough", 0.0), Go()])
def test_words_are_told_apart_by_their_tag(word: Word) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(word), type=Word) == word


def test_a_start_carries_its_tag() -> None:
    assert msgspec.to_builtins(Started(7, "UTF-8", 1)) == ["started", 7, "UTF-8", 1]
