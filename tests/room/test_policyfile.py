"""The policy on disk never opens by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import StateDamaged, StateUnsafe, UsageError
from lanline.room.policy import Policy, Rule, parse_policy
from lanline.room.policyfile import add_rule, allow_run_rule, explain_rule, load_policy, read_policy, render_rule


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the policy will be."""
    return tmp_path / "policy.toml"


def test_no_file_is_a_closed_policy(path: Path) -> None:
    assert load_policy(path) == Policy()


def test_allow_run_writes_one_rule_and_says_it(path: Path) -> None:
    said = add_rule(path, allow_run_rule())
    assert said == "allow-run: every operator of the room may run any command on this machine."
    assert load_policy(path).rules == (Rule("allow-run", any=True),)
    assert path.stat().st_mode & 0o777 == 0o600


def test_allow_run_with_names_writes_a_rule_for_these(path: Path) -> None:
    said = add_rule(path, allow_run_rule(["df", "uptime"]))
    assert "may run df, uptime on" in said
    assert load_policy(path).rules == (Rule("allow-run", programs=("df", "uptime")),)


def test_the_same_rule_again_changes_nothing(path: Path) -> None:
    add_rule(path, allow_run_rule(["df"]))
    before = path.read_bytes()
    add_rule(path, allow_run_rule(["df"]))
    assert path.read_bytes() == before


def test_another_rule_is_appended_under_a_name_of_its_own(path: Path) -> None:
    for programs in (["df"], ["uptime"], ["date"]):
        add_rule(path, allow_run_rule(programs))
    assert [rule.name for rule in load_policy(path).rules] == ["allow-run", "allow-run-2", "allow-run-3"]


def test_a_narrow_rule_behind_a_wide_one_is_pointed_out(path: Path) -> None:
    add_rule(path, allow_run_rule())
    assert "rule allow-run before it allows any command" in add_rule(path, allow_run_rule(["df"]))


def test_a_program_that_can_start_any_other_is_pointed_out() -> None:
    for program in ("sh", "/usr/bin/env", "find", "python3.11"):
        assert "can start any other program" in explain_rule(allow_run_rule([program]))
    assert "Note" not in explain_rule(allow_run_rule(["df"]))


def test_allow_root_is_written_only_when_asked_for(path: Path) -> None:
    add_rule(path, allow_run_rule())
    assert not load_policy(path).allow_root
    add_rule(path, allow_run_rule(), allow_root=True)
    assert load_policy(path).allow_root
    add_rule(path, allow_run_rule(["df"]))
    assert load_policy(path).allow_root


def test_allow_root_can_be_set_without_adding_a_rule(path: Path) -> None:
    add_rule(path, allow_run_rule(["df"]))
    assert "as root" in add_rule(path, None, allow_root=True)
    policy = load_policy(path)
    assert policy.allow_root
    assert [rule.name for rule in policy.rules] == ["allow-run"]


def test_allow_root_that_was_false_becomes_true(path: Path) -> None:
    path.write_text('allow_root = false\n# mine\n[[rule]]\nname = "x"\nany = true\n')
    path.chmod(0o600)
    add_rule(path, allow_run_rule(), allow_root=True)
    assert load_policy(path).allow_root
    assert "# mine" in path.read_text()


def test_allow_root_in_a_form_lanline_cannot_change_is_left_and_said(path: Path) -> None:
    text = '"allow_root" = false\n'
    path.write_text(text)
    with pytest.raises(UsageError):
        add_rule(path, allow_run_rule(), allow_root=True)
    assert path.read_text() == text


def test_what_the_owner_wrote_by_hand_is_kept(path: Path) -> None:
    mine = '# my rules\n[[rule]]\nname = "mine"  # keep\nallow = false\nprograms = ["rm"]\n'
    path.write_text(mine)
    add_rule(path, allow_run_rule())
    text = path.read_text()
    assert text.startswith(mine.rstrip())
    assert "checked" not in text
    assert [rule.name for rule in load_policy(path).rules] == ["mine", "allow-run"]


def test_an_edit_under_the_check_closes_the_policy_and_says_how_to_go_on(path: Path) -> None:
    add_rule(path, allow_run_rule(["df"]))
    path.write_text(path.read_text().replace('"df"', '"dd"'))
    policy = load_policy(path)
    assert policy.rules == ()
    assert "not what lanline wrote" in policy.fault
    assert "remove its line checked" in policy.fault


def test_an_edit_counts_once_the_line_is_removed(path: Path) -> None:
    add_rule(path, allow_run_rule(["df"]))
    lines = path.read_text().replace('"df"', '"dd"').splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("checked")))
    assert load_policy(path).rules == (Rule("allow-run", programs=("dd",)),)
    add_rule(path, allow_run_rule(["df"]))
    assert "checked" not in path.read_text().split("[[rule]]")[0].replace("line below", "")


@pytest.mark.parametrize("text", ["[[rule", "x = 1", '[[rule]]\nname = "a"\n'])
def test_a_broken_file_refuses_everything_and_is_never_added_to(path: Path, text: str) -> None:
    path.write_text(text)
    policy = load_policy(path)
    assert policy.fault.startswith("policy.toml: the policy cannot be read")
    assert not policy.allows_something
    with pytest.raises(UsageError):
        add_rule(path, allow_run_rule())
    assert path.read_text() == text


def test_a_file_that_is_no_text_refuses_everything(path: Path) -> None:
    path.write_bytes(b'[[rule]]\nname = "\xff"\n')
    assert "not UTF-8 at byte 17" in load_policy(path).fault


def test_a_file_that_others_can_write_refuses_everything(path: Path) -> None:
    add_rule(path, allow_run_rule())
    path.chmod(0o666)
    assert "others can change" in load_policy(path).fault
    with pytest.raises(StateUnsafe):
        add_rule(path, allow_run_rule(["df"]))


def test_a_link_in_its_place_refuses_everything(path: Path) -> None:
    path.symlink_to("/etc/hostname")
    assert "symbolic link" in load_policy(path).fault


def test_reading_raises_what_loading_tells(path: Path) -> None:
    add_rule(path, allow_run_rule())
    data = path.read_bytes()
    assert read_policy(data).rules
    with pytest.raises(StateDamaged):
        read_policy(data + b"\n")


@pytest.mark.parametrize("programs", [[""], ["a\nb"], ["\x1b[31m"]])
def test_a_program_that_cannot_be_written_down_is_refused(programs: list[str]) -> None:
    with pytest.raises(UsageError):
        allow_run_rule(programs)


@given(
    st.builds(
        Rule,
        name=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1),
        allow=st.booleans(),
        role=st.sampled_from(["operator", "owner"]),
        members=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
        programs=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1).map(tuple),
        arguments=st.none() | st.lists(st.sampled_from(["a", '"', "\\", "\x7f", "\u2028", "机"])).map(tuple),
        timeout=st.none() | st.floats(0.001, 1e9),
        output_bytes=st.none() | st.integers(0, 2**40),
        run_as=st.sampled_from(["", "lab"]),
    )
)
def test_every_rule_survives_being_written_and_read(rule: Rule) -> None:
    assert parse_policy(render_rule(rule)).rules == (rule,)
