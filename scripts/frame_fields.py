"""The fields of every frame whose body is an array, as a Markdown table, from the structs themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lanline.session import frames
from lanline.session.frames import Kind

BODIES: dict[str, type[msgspec.Struct]] = {
    Kind.HELLO.name: frames.Hello,
    Kind.OPEN.name: frames.Open,
    Kind.ERROR.name: frames.Failure,
    f"{Kind.PING.name}, {Kind.PONG.name}": frames.Stamps,
    Kind.GOAWAY.name: frames.Farewell,
}


def table() -> str:
    """One row for each field: its place in the array, name, type, range and default."""
    lines = ["| kind | place | field | type | default |", "|---|---:|---|---|---|"]
    lines += [row for kind, body in BODIES.items() for row in _rows(kind, body)]
    return "\n".join(lines)


def _rows(kind: str, body: type[msgspec.Struct]) -> Iterator[str]:
    for place, field in enumerate(msgspec.structs.fields(body)):
        described = msgspec.inspect.type_info(field.type)
        yield f"| {kind} | {place} | {field.name} | {_words(described)} | {_default(field)} |"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "-"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"{value:,}" if type(value) is int else "true" if value is True else "empty"


def _words(kind: msgspec.inspect.Type) -> str:
    """A type as the page says it."""
    match kind:
        case msgspec.inspect.IntType():
            return f"integer{_range(kind.ge, kind.le)}"
        case msgspec.inspect.StrType():
            return "text"
        case msgspec.inspect.BytesType():
            return f"bytes, {kind.min_length} of them" if kind.min_length else "bytes"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.RawType():
            return "array"
        case msgspec.inspect.VarTupleType():
            return f"array of {_words(kind.item_type)}s"
        case msgspec.inspect.DictType():
            return f"map of {_words(kind.key_type)} to {_words(kind.value_type)}"
    raise AssertionError(f"no words for {kind}")


def _range(least: Any, most: Any) -> str:
    if least is None:
        return ""
    power = most.bit_length() - 1
    shown = f"2^{power}" if most == 2**power else f"2^{power + 1} - 1"
    return f", {least} to {shown}"
