"""Targets select the members that operators mean, say what is wrong with the rest, and cost nothing however large."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import TargetError
from lanline.roles import Role
from lanline.room.roster import MAX_MEMBERS, Member
from lanline.room.target import Selectable, expand, fold, natural_key

PCS = [f"pc{number}" for number in range(1, 13)]
LABS = [f"lab-{number:03d}" for number in range(1, 41)]
ROLES = {"hub-1": Role.OWNER, "pc1": Role.OPERATOR, "pc2": Role.OPERATOR, "pc3": Role.GUEST}


def selectable(
    *names: str, own: str = "pc1", online: frozenset[str] = frozenset(("hub-1", "pc1", "pc2"))
) -> Selectable:
    """A room with these names, or with the usual ones."""
    chosen = names or ("hub-1", *PCS, *LABS)
    members = tuple(Member(name, b"k" * 32, ROLES.get(name, Role.MEMBER), 1) for name in sorted(chosen))
    return Selectable(members, own, online)


ROOM = selectable()


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("pc7", "pc7"),
        ("pc[1-3]", "pc[1-3]"),
        ("pc[1-3,7]", "pc[1-3,7]"),
        ("pc[1-9/4]", "pc[1,5,9]"),
        ("lab-[001-040]", "lab-[001-040]"),
        ("pc1,pc2", "pc[1-2]"),
        ("pc1 pc2", "pc[1-2]"),
        (" pc1 , pc2\n", "pc[1-2]"),
        ("pc[1-5]!pc3", "pc[1-2,4-5]"),
        ("pc[1-5] ! pc3", "pc[1-2,4-5]"),
        ("pc[1-5]&pc[4-9]", "pc[4-5]"),
        ("pc[1-3]^pc[3-4]", "pc[1-2,4]"),
        ("@all!pc[1-12]!lab-[001-040]", "hub-1"),
        ("@others&pc[1-2]", "pc2"),
        ("@online", "hub-1,pc[1-2]"),
        ("@online!@owners", "pc[1-2]"),
        ("@operators,@guests", "pc[1-3]"),
        ("@owners", "hub-1"),
        ("@all!@members", "hub-1,pc[1-3]"),
    ],
)
def test_a_target_selects(text: str, folded: str) -> None:
    assert fold(expand(text, ROOM)) == folded


def test_operators_apply_from_left_to_right() -> None:
    assert expand("pc[1-3]!pc3,pc3", ROOM) == ["pc1", "pc2", "pc3"]
    assert expand("pc3,pc[1-3]!pc3", ROOM) == ["pc1", "pc2"]


def test_names_come_in_the_order_people_count() -> None:
    assert expand("pc10,pc9,pc1", ROOM) == ["pc1", "pc9", "pc10"]
    assert sorted(["b", "a10", "a9", "a"], key=natural_key) == ["a", "a9", "a10", "b"]


def test_what_is_taken_away_with_x_is_taken_away() -> None:
    assert expand("pc[1-4]", ROOM, without=["pc2", "@guests"]) == ["pc1", "pc4"]
    with pytest.raises(TargetError, match="selects no member"):
        expand("pc1", ROOM, without=["@all"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("pc1!", "nothing follows '!'"),
        ("!pc1", "missing before '!'"),
        ("pc1,,pc2", "missing before ','"),
        ("pc[1", "bracket"),
        ("pc[", "bracket"),
        ("pc]", "bracket"),
        ("pc[3-1]", "cannot be read"),
        ("pc[a-b]", "cannot be read"),
        ("pc[-1-3]", "cannot be read"),
        ("pc[01-3]", "cannot be read"),
        ("pc[@all]", "cannot be read"),
        ("x@all", "stands by itself"),
        ("*", r"character '\*'"),
        ("pc%d", "character '%'"),
        ("pc\u0663", "character"),
        ("pc\x1b[31m", "character"),
        ("@", "no group @"),
        ("@@all", "no group @@all"),
        ("@all[1-3]", "no group"),
        ("@admins", "no group @admins"),
        ("pc7!pc7", "selects no member"),
        ("a" * 70_000, "70000 characters"),
    ],
)
def test_what_cannot_be_read_is_a_target_error_that_says_why(text: str, says: str) -> None:
    with pytest.raises(TargetError, match=says) as caught:
        expand(text, ROOM)
    assert len(str(caught.value)) < 400
    assert caught.value.exit_code == 2


def test_an_unknown_name_is_told_with_the_nearest_ones() -> None:
    with pytest.raises(TargetError, match="there is no member pc77 in this room") as caught:
        expand("pc77", ROOM)
    assert "pc7" in caught.value.advice


def test_an_unknown_group_is_told_with_the_nearest_ones() -> None:
    with pytest.raises(TargetError, match="there is no group @operator") as caught:
        expand("@operator", ROOM)
    assert caught.value.advice == "@operators."


def test_numbers_that_only_lack_their_zeros_are_told_as_they_are_written() -> None:
    with pytest.raises(TargetError) as caught:
        expand("lab-[1-3]", ROOM)
    assert caught.value.advice == "did you mean lab-[001-003]?"


def test_names_that_differ_in_their_zeros_alone_are_different() -> None:
    room = selectable("pc1", "pc01", "pc001")
    assert expand("@all", room) == ["pc001", "pc01", "pc1"]
    assert expand("pc01", room) == ["pc01"]


@pytest.mark.parametrize(
    "text",
    [
        "pc[1-10000000]",
        "pc[1-99999999999999999999]",
        "pc[1-4000][1-4000]",
        "pc[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]",
        ",".join(["pc[1-1000]"] * 5),
        "pc[1-99999999/1]!pc[1-99999999]",
    ],
)
def test_a_huge_range_is_refused_before_it_is_expanded(text: str) -> None:
    fold(["pc1"])  # ClusterShell is loaded
    began = time.thread_time()  # a machine that stands still does not count
    with pytest.raises(TargetError, match=r"too many machines|machines or more, limit 4096"):
        expand(text, ROOM)
    assert time.thread_time() - began < 0.010


def test_the_groups_of_the_largest_room_are_not_too_large() -> None:
    room = selectable(*[f"pc{number}" for number in range(MAX_MEMBERS)])
    assert len(expand("@all&@members,@others!pc3", room)) == MAX_MEMBERS - 2


def test_a_group_without_members_selects_nobody_and_takes_nobody_away() -> None:
    room = selectable("pc5", "pc6")
    assert expand("@all!@operators", room) == ["pc5", "pc6"]
    with pytest.raises(TargetError, match="selects no member"):
        expand("@operators", room)
    with pytest.raises(TargetError) as caught:
        expand("@online", selectable("pc5", online=frozenset()))
    assert caught.value.advice == "lanline who shows who is online."


@given(st.text(alphabet="pcx019-[],!&^@/ all*\x00\u00e9", max_size=60))
def test_any_text_gives_names_of_the_room_or_a_target_error(text: str) -> None:
    known = {member.name for member in ROOM.members}
    try:
        names = expand(text, ROOM)
    except TargetError:
        return
    assert names and set(names) <= known and len(set(names)) == len(names)


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)


@given(st.sets(NAMES, min_size=1, max_size=30))
def test_any_names_are_selected_by_their_group_and_by_their_folded_form(names: set[str]) -> None:
    room = selectable(*names)
    assert set(expand("@all", room)) == names
    assert set(expand(fold(sorted(names)), room)) == names
    for name in names:
        assert expand(name, room) == [name]
