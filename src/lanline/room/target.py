"""Targets: text that selects members, such as `pc7`, `pc[1-40]`, `@all!pc3`, `@operators`.

Pure. The names and ranges are ClusterShell's NodeSet syntax, which operators already type: `,` adds, `!` takes away,
`&` keeps what is in both, `^` what is in one of them; from left to right, as ClusterShell does. Groups come from the
roster and presence only:

    @all @others @online @guests @members @operators @owners

Rules: a range is measured before it is expanded, so that `pc[1-10000000]` costs nothing; an unknown name or group is
an error that names the nearest known ones; what is selected is a list of names in the order people count (pc2 before
pc10).

ClusterShell expands the ranges and folds the names; operators and groups are read here, because its own group sources
(files, commands) must never be asked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lanline.errors import TargetError
from lanline.roles import Role
from lanline.room.roster import MAX_MEMBERS, Member

_MAX_TEXT: Final = 64 * 1024
_ALLOWED: Final = re.compile(r"[A-Za-z0-9_,!&^@\[\]/\s-]*", re.ASCII)
_TERM: Final = re.compile(r"(?:\[[^\[\]]*\]|[^,!&^\[\]])+")
_OPERATORS: Final = frozenset(",!&^")
_RANGE: Final = re.compile(r"\[([^\[\]]*)\]")
_SPAN: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?:/(\d{1,9}))?)?", re.ASCII)
_DIGITS: Final = re.compile(r"\d+", re.ASCII)

_NEAR: Final = 3
"""Unknown names for which the nearest known ones are looked for."""


@dataclass(frozen=True, slots=True)
class Selectable:
    """What a target can select from: the roster's members, this node's own name, and who is online."""

    members: tuple[Member, ...]
    own_name: str
    online: frozenset[str]

    def groups(self) -> dict[str, list[str]]:
        """Every group with its names."""
        names = [member.name for member in self.members]
        table = {
            "all": names,
            "others": [name for name in names if name != self.own_name],
            "online": [name for name in names if name in self.online],
        }
        for role in Role:
            table[f"{role.word}s"] = [member.name for member in self.members if member.role is role]
        return table


def expand(text: str, among: Selectable, *, without: Iterable[str] = ()) -> list[str]:
    """The names that a target selects.

    Args:
        text: the target.
        among: what there is.
        without: further targets to take away (`-x`).

    Returns:
        Names in natural order, each once; never empty.

    Raises:
        TargetError: the text cannot be read, names nobody known, or nobody is left.
    """
    known = {member.name for member in among.members}
    groups = among.groups()
    chosen = _names(text, known, groups)
    for other in without:
        chosen -= _names(other, known, groups)
    if not chosen:
        raise TargetError(f"{text[:80]!r} selects no member of this room", advice=_nobody_advice(text))
    return sorted(sorted(chosen), key=natural_key)


def fold(names: Sequence[str]) -> str:
    """Names as people write them: `pc[1-3,7],hub`. For output."""
    from ClusterShell.NodeSet import NodeSet

    return str(NodeSet.fromlist(list(names), resolver=_no_groups()))


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts pc2 before pc10."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts if part)


def _names(text: str, known: set[str], groups: dict[str, list[str]]) -> set[str]:
    if len(text) > _MAX_TEXT:
        raise TargetError(f"a target of {len(text)} characters, limit {_MAX_TEXT} characters")
    if not text.strip():
        raise TargetError("an empty target selects nobody")
    readable = _ALLOWED.match(text)
    if readable is not None and readable.end() < len(text):
        raise TargetError(f"the character {text[readable.end()]!r} has no meaning in a target")
    _check_size(text)
    chosen: set[str] = set()
    for operator, term in list(_terms(text)):
        names = _group(term[1:], groups) if term.startswith("@") else _ranges(term, known)
        match operator:
            case ",":
                chosen |= names
            case "!":
                chosen -= names
            case "&":
                chosen &= names
            case "^":
                chosen ^= names
    return chosen


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of operator and term; the first is added."""
    # Blanks around an operator mean nothing, others stand for a comma.
    text = re.sub(r"\s*([,!&^])\s*", r"\1", text.strip())
    text = re.sub(r"\s+", ",", text)
    operator, start = ",", 0
    while True:
        match = _TERM.match(text, start)
        if match is None:
            wrong = text[start : start + 1]
            what = (
                f"a name or group is missing before {wrong!r}" if wrong else f"nothing follows {operator!r} at its end"
            )
            raise TargetError(f"the target {text[:80]!r} cannot be read: {what}")
        yield operator, match.group()
        if match.end() == len(text):
            return
        operator, start = text[match.end()], match.end() + 1
        if operator not in _OPERATORS:
            raise TargetError(f"the target {text[:80]!r} cannot be read: the bracket {operator!r} has no other half")


def _group(group: str, groups: dict[str, list[str]]) -> set[str]:
    names = groups.get(group)
    if names is None:
        near = difflib.get_close_matches(group, groups, n=3, cutoff=0.5) or list(groups)
        raise TargetError(f"there is no group @{group[:80]}", advice=f"@{', @'.join(near)}.")
    return set(names)


def _ranges(term: str, known: set[str]) -> set[str]:
    if term in known:
        return {term}
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    if "@" in term:
        raise TargetError(f"the target {term[:80]!r} cannot be read: a group stands by itself, as in @all!pc3")
    try:
        names = set(NodeSet(term, resolver=_no_groups()))
    except (NodeSetException, ValueError) as error:
        raise TargetError(f"the target {term[:80]!r} cannot be read: {error}") from error
    _check_known(names, known)
    return names


def _check_size(text: str) -> None:
    """Counts what the ranges stand for, before anything is expanded. Groups are as large as they are."""
    total = 0
    for match in _TERM.finditer(text):
        size = 1
        for inside in _RANGE.findall(match.group()):
            size *= sum(map(_span_size, inside.split(",")))
        total += size
        if total > MAX_MEMBERS:
            raise TargetError(f"the target {text[:60]!r} stands for {total} machines or more, limit {MAX_MEMBERS}")


def _span_size(span: str) -> int:
    match = _SPAN.fullmatch(span.strip())
    if match is None:
        if all(len(digits) < 10 for digits in _DIGITS.findall(span)):
            raise TargetError(f"the range [{span[:40]}] cannot be read")
        raise TargetError(f"the range [{span[:40]}] stands for too many machines, limit {MAX_MEMBERS}")
    low, high, step = match.groups()
    if high is None:
        return 1
    return max(0, int(high) - int(low)) // max(1, int(step or 1)) + 1


def _check_known(chosen: set[str], known: set[str]) -> None:
    unknown = sorted(chosen - known, key=natural_key)
    if not unknown:
        return
    near = _padded_otherwise(unknown, known) or {
        name for one in unknown[:_NEAR] for name in difflib.get_close_matches(one, known, n=3)
    }
    words = f"there is no member {fold(unknown)[:200]} in this room"
    raise TargetError(words, advice=f"did you mean {fold(sorted(near, key=natural_key))}?" if near else None)


def _padded_otherwise(unknown: Sequence[str], known: set[str]) -> set[str]:
    """Members whose numbers are the same and only written with more or fewer zeros."""
    by_numbers = {natural_key(name): name for name in known}
    return {by_numbers[key] for key in map(natural_key, unknown) if key in by_numbers}


def _nobody_advice(text: str) -> str | None:
    return "lanline who shows who is online." if "@online" in text else None


def _no_groups() -> Any:
    """A resolver without any group source: the operators' own files are not asked."""
    from ClusterShell.NodeUtils import GroupResolver

    return GroupResolver(illegal_chars=set())
