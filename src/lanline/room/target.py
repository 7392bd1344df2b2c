"""Targets: text that selects members, such as `pc7`, `pc[1-40]`, `@all!pc3`, `@operators`.

Pure. The names and ranges are ClusterShell's NodeSet syntax, which operators already type: `,` adds, `!` takes away,
`&` keeps what is in both. Groups come from the roster and presence only:

    @all @others @online @guests @members @operators @owners

Rules: a range is measured before it is expanded, so that `pc[1-10000000]` costs nothing; an unknown name or group is
an error that names the nearest known ones; what is selected is a list of names in the order people count (pc2 before
pc10).

Source: ClusterShell.NodeSet; its own group sources (files, commands) are never asked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lanline.errors import TargetError
from lanline.roles import Role
from lanline.room.roster import MAX_MEMBERS, Member

_RANGE: Final = re.compile(r"\[([^\[\]]*)\]")
_SPAN: Final = re.compile(r"(\d+)(?:-(\d+)(?:/(\d+))?)?")
_GROUP: Final = re.compile(r"@([A-Za-z0-9_-]*)")
_MAX_TEXT: Final = 64 * 1024
_OPERATORS: Final = re.compile(r"[,!&^]|\s+")


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
    chosen = _names(text, among)
    _check_known(chosen, known)
    for other in without:
        chosen -= _names(other, among)
    if not chosen:
        raise TargetError(f"{text!r} selects no member of this room", advice=_nobody_advice(text))
    return sorted(chosen, key=natural_key)


def fold(names: Sequence[str]) -> str:
    """Names as people write them: `pc[1-3,7],hub`. For output."""
    from ClusterShell.NodeSet import NodeSet

    return str(NodeSet.fromlist(list(names), resolver=_no_groups()))


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts pc2 before pc10."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts if part)


def _names(text: str, among: Selectable) -> set[str]:
    if not text.strip():
        raise TargetError("an empty target selects nobody")
    if len(text) > _MAX_TEXT:
        raise TargetError(f"a target of {len(text)} characters, limit {_MAX_TEXT} characters")
    groups = among.groups()
    plain = _GROUP.sub(lambda match: _group_members(match.group(1), groups), text)
    _check_size(plain)
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    try:
        return set(NodeSet(plain, resolver=_no_groups()))
    except (NodeSetException, ValueError) as error:
        raise TargetError(f"the target {text!r} cannot be read: {error}") from error


_NOBODY: Final = "nobody--"
"""Stands for an empty group inside an expression; no member can have this name (it ends with a hyphen)."""


def _group_members(group: str, groups: dict[str, list[str]]) -> str:
    names = groups.get(group)
    if names is None:
        near = difflib.get_close_matches(group, groups, n=3, cutoff=0.5) or list(groups)
        raise TargetError(f"there is no group @{group}", advice=f"@{', @'.join(near)}.")
    return fold(names) if names else _NOBODY


def _check_size(text: str) -> None:
    """Counts what the ranges stand for, before anything is expanded."""
    total = 0
    for word in _OPERATORS.split(_RANGE.sub(_without_commas, text)):
        size = 1
        for inside in _RANGE.findall(word):
            size *= sum(map(_span_size, inside.split(";")))
        total += size
        if total > MAX_MEMBERS:
            raise TargetError(f"the target {text[:60]!r} stands for {total} machines or more, limit {MAX_MEMBERS}")


def _without_commas(match: re.Match[str]) -> str:
    return match.group(0).replace(",", ";")


def _span_size(span: str) -> int:
    match = _SPAN.fullmatch(span.strip())
    if match is None:
        raise TargetError(f"the range [{span[:40]}] cannot be read")
    if any(len(part or "") > 9 for part in match.groups()):
        raise TargetError(f"the range [{span[:40]}] stands for too many machines, limit {MAX_MEMBERS}")
    low, high, step = match.groups()
    if high is None:
        return 1
    return max(0, int(high) - int(low)) // max(1, int(step or 1)) + 1


def _check_known(chosen: set[str], known: set[str]) -> None:
    chosen.discard(_NOBODY)
    unknown = sorted(chosen - known, key=natural_key)
    if not unknown:
        return
    near = sorted({name for one in unknown[:8] for name in difflib.get_close_matches(one, known, n=3)}, key=natural_key)
    words = f"there is no member {fold(unknown)} in this room"
    raise TargetError(words, advice=f"did you mean {', '.join(near)}?" if near else None)


def _nobody_advice(text: str) -> str | None:
    return "lanline who shows who is online." if "@online" in text else None


def _no_groups() -> Any:
    """A resolver without any group source: the operators' own files are not asked."""
    from ClusterShell.NodeUtils import GroupResolver

    return GroupResolver(illegal_chars=set())
