"""Who may run what on one machine: the first rule that fits, and without one no."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.roles import Role
from lanline.room.policy import (
    Allowed,
    Caller,
    Machine,
    Policy,
    Refused,
    Request,
    decide,
    parse_policy,
)

ANNA = Caller("anna", Role.OPERATOR, b"\xaa" * 32)
OWNER = Caller("olga", Role.OWNER, b"\xbb" * 32)
HERE = Machine(os.geteuid() or 1000, "/usr/bin:/bin")
"""This machine; where the tests run as root, as if they did not: that lock has tests of its own."""

ANY = '[[rule]]\nname = "any"\nany = true\n'
DISKS = '[[rule]]\nname = "disks"\nprograms = ["df"]\narguments = ["-h", "..."]\n'
RECIPE = """
[[rule]]
name = "recipes"
recipes = ["restart"]

[recipe.restart]
argv = ["/bin/echo", "restart", "{service}.{kind}", "{kind}"]
parameters = { service = "lab-[a-z]+", kind = "unit|timer" }
"""


def _ask(text: str, *argv: str, caller: Caller = ANNA, machine: Machine = HERE, **request: object) -> Allowed | Refused:
    return decide(parse_policy(text), caller, Request(argv, **request), machine)  # type: ignore[arg-type]


def _why(decision: Allowed | Refused) -> str:
    assert isinstance(decision, Refused), decision
    return decision.why


def test_without_a_policy_nothing_runs_and_the_way_to_open_is_named() -> None:
    decision = _ask("", "df")
    assert _why(decision) == "this machine runs nothing for others"
    assert isinstance(decision, Refused)
    assert "--allow-run" in decision.advice
    assert not Policy().allows_something


def test_a_rule_for_any_command_lets_operators_run_what_is_there() -> None:
    decision = _ask(ANY, "df", "-h")
    assert decision == Allowed("any", "/usr/bin/df", ("df", "-h"))
    assert parse_policy(ANY).allows_something
    assert parse_policy(ANY).runs_something_as(1000)
    assert not parse_policy(ANY).runs_something_as(0)
    assert parse_policy("allow_root = true\n" + ANY).runs_something_as(0)
    assert not Policy().runs_something_as(1000)


@pytest.mark.parametrize("role", [Role.GUEST, Role.MEMBER])
def test_nobody_below_operator_runs_anything_whatever_the_rules(role: Role) -> None:
    why = _why(_ask(ANY, "df", caller=Caller("tom", role, bytes(32))))
    assert why == f"tom is {role.word}, and running takes operator"


def test_a_rule_may_ask_for_the_owner() -> None:
    text = ANY + 'role = "owner"\n'
    assert "no rule" in _why(_ask(text, "df"))
    assert isinstance(_ask(text, "df", caller=OWNER), Allowed)


def test_a_rule_may_be_for_names_or_keys() -> None:
    for line in ('members = ["anna"]', f'keys = ["{"aa" * 32}"]', f'members = ["x"]\nkeys = ["{"aa" * 32}"]'):
        assert isinstance(_ask(f"{ANY}{line}\n", "df"), Allowed)
        assert "no rule" in _why(_ask(f"{ANY}{line}\n", "df", caller=OWNER))


def test_a_rule_for_a_key_is_not_inherited_by_its_name() -> None:
    text = f'{ANY}keys = ["{"aa" * 32}"]\n'
    assert "no rule" in _why(_ask(text, "df", caller=Caller("anna", Role.OWNER, bytes(32))))


def test_the_first_rule_that_fits_decides() -> None:
    no = '[[rule]]\nname = "no"\nallow = false\nprograms = ["df"]\n'
    decision = _ask(no + ANY, "df")
    assert decision == Refused("rule 'no' refuses it", rule="no")
    assert isinstance(_ask(no + ANY, "uptime"), Allowed)
    assert isinstance(_ask(ANY + no, "df"), Allowed)


def test_a_rule_that_refuses_other_arguments_is_not_said_to_allow() -> None:
    no = '[[rule]]\nname = "no"\nallow = false\nprograms = ["df"]\narguments = ["-x"]\n'
    uptime = '[[rule]]\nname = "up"\nprograms = ["uptime"]\n'
    assert _why(_ask(no + uptime, "df", "-h")) == "no rule of this machine lets anna run 'df'"


def test_a_rule_that_refuses_is_not_got_round_by_environment_or_folder() -> None:
    no = '[[rule]]\nname = "no"\nallow = false\nprograms = ["df"]\n'
    assert "'no' refuses" in _why(_ask(no + ANY, "df", environment={"A": "b"}))
    assert "'no' refuses" in _why(_ask(no + ANY, "df", folder="/tmp"))


@pytest.mark.parametrize("name", ["df", "/usr/bin/df", "/bin/df"])
def test_a_named_program_may_be_called_by_any_of_its_paths(name: str) -> None:
    decision = _ask(DISKS, name, "-h", "/")
    assert isinstance(decision, Allowed)
    assert decision.program == "/usr/bin/df"
    assert decision.argv == (name, "-h", "/")


def test_what_is_not_named_does_not_run_and_the_answer_says_what_does() -> None:
    decision = _ask(DISKS, "uptime")
    assert _why(decision) == "no rule of this machine lets anna run 'uptime'"
    assert isinstance(decision, Refused)
    assert "df" in decision.advice


def test_shell_text_is_judged_as_the_program_sh() -> None:
    assert "no rule" in _why(_ask(DISKS, "sh", "-c", "df -h"))
    assert isinstance(_ask('[[rule]]\nname = "s"\nprograms = ["sh"]\n', "sh", "-c", "df -h"), Allowed)


@pytest.mark.parametrize(
    ("patterns", "arguments", "fits"),
    [
        ([], [], True),
        ([], ["-h"], False),
        (["-h"], ["-h"], True),
        (["-h"], [], False),
        (["-h"], ["-h", "/"], False),
        (["..."], [], True),
        (["..."], ["-x", "y"], True),
        (["-h", "..."], [], False),
        (["-h", "..."], ["-h"], True),
        (["-h", "..."], ["-h", "a", "b"], True),
        (["-h", "..."], ["-x", "-h"], False),
        (["/var/*"], ["/var/log"], True),
        (["/var/*"], ["/etc"], False),
        (["/var/*"], ["/VAR/log"], False),
        (["[!-]*"], ["-rf"], False),
        (["a?c"], ["abc"], True),
        (["*"], ["a\nb"], True),
    ],
)
def test_arguments_are_matched_one_by_one(patterns: list[str], arguments: list[str], fits: bool) -> None:
    text = f'[[rule]]\nname = "d"\nprograms = ["df"]\narguments = {patterns}\n'
    decision = _ask(text, "df", *arguments)
    assert isinstance(decision, Allowed) == fits
    if isinstance(decision, Refused):
        assert "with other arguments" in decision.why


def test_a_later_rule_may_allow_other_arguments() -> None:
    more = '[[rule]]\nname = "more"\nprograms = ["df"]\narguments = ["-i"]\n'
    decision = _ask(DISKS + more, "df", "-i")
    assert isinstance(decision, Allowed)
    assert decision.rule == "more"


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "PATH", "IFS", "BASH_ENV", "LANG"])
def test_a_named_program_gets_no_variables_of_the_caller(variable: str) -> None:
    why = _why(_ask(DISKS, "df", "-h", environment={variable: "x"}))
    assert why == f"no rule allows it: rule 'disks' does not let the caller set '{variable}'"
    assert isinstance(_ask(ANY, "df", "-h", environment={variable: "x"}), Allowed)


def test_a_rule_may_let_variables_through() -> None:
    text = DISKS + 'environment = ["LANG", "LC_*"]\n'
    assert isinstance(_ask(text, "df", "-h", environment={"LC_ALL": "C", "LANG": "C"}), Allowed)
    assert "LD_PRELOAD" in _why(_ask(text, "df", "-h", environment={"LANG": "C", "LD_PRELOAD": "x"}))


def test_a_named_program_runs_in_the_nodes_folder_unless_the_rule_says_more() -> None:
    assert "choose the folder" in _why(_ask(DISKS, "df", "-h", folder="/tmp"))
    assert isinstance(_ask(DISKS + "folder = true\n", "df", "-h", folder="/tmp"), Allowed)


def test_limits_and_user_of_the_rule_come_with_the_decision() -> None:
    me = pwd.getpwuid(HERE.user).pw_name if HERE.user in {one.pw_uid for one in pwd.getpwall()} else str(HERE.user)
    decision = _ask(f'{ANY}as = "{me}"\ntimeout = 60\noutput_bytes = 1048576\n', "df")
    assert isinstance(decision, Allowed)
    assert (decision.run_as, decision.timeout, decision.output_bytes) == (me, 60.0, 1048576)


def test_a_plain_node_cannot_run_as_somebody_else() -> None:
    assert "only a node that runs as root can" in _why(_ask(f'{ANY}as = "nobody-else"\n', "df"))


def test_a_node_that_runs_as_root_refuses_unless_told() -> None:
    root = Machine(0, "/usr/bin")
    decision = _ask(ANY, "df", machine=root)
    assert "runs as root" in _why(decision)
    assert isinstance(decision, Refused)
    assert "--allow-root" in decision.advice
    assert isinstance(_ask(f"allow_root = true\n{ANY}as = 'lab'\n", "df", machine=root), Allowed)


def test_a_node_long_without_its_hub_refuses_unless_told() -> None:
    stale = Machine(HERE.user, HERE.search_path, stale="the hub is away")
    assert _why(_ask(ANY, "df", machine=stale)) == "this machine runs nothing for others now: the hub is away"
    assert isinstance(_ask(f"run_when_stale = true\n{ANY}", "df", machine=stale), Allowed)


@pytest.mark.parametrize("argv", [(), ("",), ("df\0",), ("df", "a\0b")])
def test_an_impossible_command_is_refused(argv: tuple[str, ...]) -> None:
    assert _why(_ask(ANY, *argv))


def test_an_unknown_program_is_said_to_be_missing() -> None:
    assert _why(_ask(ANY, "no-such-program")) == "there is no program 'no-such-program' here"


def test_a_recipe_is_filled_in() -> None:
    decision = _ask(RECIPE, "recipe:restart", "kind=unit", "service=lab-a")
    assert isinstance(decision, Allowed)
    assert decision.program == "/usr/bin/echo"
    assert decision.argv == ("/usr/bin/echo", "restart", "lab-a.unit", "unit")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "takes service=... kind=..."),
        (["kind=unit"], "takes service="),
        (["kind=unit", "service=lab-a", "x=y"], "takes service="),
        (["kind=unit", "service=lab-a", "kind=unit"], "takes service="),
        (["kind=unit", "lab-a"], "takes service="),
        (["kind=unit", "service=lab-a; rm -rf /"], "does not fit"),
        (["kind=unit", "service=lab-a\n"], "does not fit"),
        (["kind=unit", "service="], "does not fit"),
        (["kind={service}", "service=lab-a"], "does not fit"),
        (["kind=unit", f"service=lab-{'a' * 5000}"], "does not fit"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(arguments: list[str], words: str) -> None:
    assert words in _why(_ask(RECIPE, "recipe:restart", *arguments))


def test_a_parameter_never_becomes_an_option() -> None:
    text = RECIPE.replace("lab-[a-z]+", ".*")
    assert "does not fit" in _why(_ask(text, "recipe:restart", "kind=unit", "service=-rf"))


def test_a_parameter_is_not_filled_in_twice() -> None:
    text = RECIPE.replace("lab-[a-z]+", ".*")
    decision = _ask(text, "recipe:restart", "kind=unit", "service={kind}")
    assert isinstance(decision, Allowed)
    assert decision.argv[2] == "{kind}.unit"


def test_an_unknown_recipe_is_refused_and_the_known_ones_named() -> None:
    decision = _ask(RECIPE, "recipe:stop")
    assert _why(decision) == "there is no recipe 'stop' here"
    assert isinstance(decision, Refused)
    assert "restart" in decision.advice


def test_a_recipes_program_is_not_opened_by_it() -> None:
    assert "no rule" in _why(_ask(RECIPE, "/bin/echo", "restart", "lab-a.unit", "unit"))


def test_a_recipe_takes_no_variables_of_the_caller() -> None:
    decision = _ask(RECIPE, "recipe:restart", "kind=unit", "service=lab-a", environment={"LD_PRELOAD": "x"})
    assert "LD_PRELOAD" in _why(decision)


def test_a_named_program_that_others_can_change_does_not_run(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o777)
    machine = Machine(os.geteuid(), str(tmp_path))
    text = f'allow_root = true\n[[rule]]\nname = "t"\nprograms = ["{tool}"]\n'
    why = _why(_ask(text, "tool", machine=machine))
    assert why == f"rule 't' allows it, but others can write {tool}: its mode is 0777"
    tool.chmod(0o755)
    assert isinstance(_ask(text, "tool", machine=machine), Allowed)


def test_a_program_is_what_it_is_called_not_what_it_links_to(tmp_path: Path) -> None:
    box = tmp_path / "busybox"
    box.write_text("#!/bin/sh\n")
    box.chmod(0o755)
    for name in ("df", "sh"):
        (tmp_path / name).symlink_to("busybox")
    machine = Machine(os.geteuid(), str(tmp_path))
    text = 'allow_root = true\n[[rule]]\nname = "t"\nprograms = ["df"]\n'
    assert isinstance(_ask(text, "df", machine=machine), Allowed)
    assert "no rule" in _why(_ask(text, "sh", machine=machine))
    assert "no rule" in _why(_ask(text, str(box), machine=machine))


def test_a_policy_with_a_fault_refuses_everything_and_says_which() -> None:
    decision = decide(Policy(fault="line 3 is wrong"), OWNER, Request(("df",)), HERE)
    assert _why(decision) == "this machine runs nothing until its policy is mended: line 3 is wrong"


WRONG = [
    ("[[rule]\n", "Expected"),
    ("allowroot = true\n", "unknown field"),
    ("allow_root = 1\n", "bool"),
    ("[[rule]]\nany = true\n", "name"),
    ('[[rule]]\nname = ""\nany = true\n', "printable name"),
    ('[[rule]]\nname = "a\\u001b"\nany = true\n', "printable name"),
    ('[[rule]]\nname = "a"\n', "exactly one of"),
    ('[[rule]]\nname = "a"\nany = true\nprograms = ["df"]\n', "exactly one of"),
    ('[[rule]]\nname = "a"\nany = "yes"\n', "bool"),
    ('[[rule]]\nname = "a"\nany = true\nalow = false\n', "unknown field"),
    ('[[rule]]\nname = "a"\nany = true\nrun_as = "x"\n', "unknown field"),
    ('[[rule]]\nname = "a"\nany = true\nrole = "member"\n', "only operators and owners"),
    ('[[rule]]\nname = "a"\nany = true\nrole = "king"\n', "there is no role"),
    ('[[rule]]\nname = "a"\nany = true\nkeys = ["AA"]\n', "64 digits"),
    ('[[rule]]\nname = "a"\nany = true\narguments = ["x"]\n', "belong to programs"),
    ('[[rule]]\nname = "a"\nany = true\nenvironment = ["X"]\n', "belongs to programs"),
    ('[[rule]]\nname = "a"\nprograms = ["df"]\narguments = ["...", "x"]\n', "only at the end"),
    ('[[rule]]\nname = "a"\nany = true\ntimeout = 0\n', "seconds above 0"),
    ('[[rule]]\nname = "a"\nany = true\ntimeout = nan\n', "seconds above 0"),
    ('[[rule]]\nname = "a"\nany = true\noutput_bytes = -1\n', "0 or more"),
    ('[[rule]]\nname = "a"\nany = true\n[[rule]]\nname = "a"\nany = true\n', "same name"),
    ('[[rule]]\nname = "a"\nrecipes = ["x"]\n', "no recipe x"),
    ("[recipe.x]\nargv = []\n", "begins with a program"),
    ('[recipe.x]\nargv = ["{a}"]\nparameters = { a = "x" }\n', "begins with a program"),
    ('[recipe.x]\nargv = ["df", "{a}"]\n', "argv uses"),
    ('[recipe.x]\nargv = ["df"]\nparameters = { a = "x" }\n', "argv uses"),
    ('[recipe.x]\nargv = ["df", "{a}"]\nparameters = { a = "(" }\n', "regular expression"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_one_wrong_word_closes_the_whole_policy(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_policy(ANY.replace('any"', 'first"') + text if text.startswith("[") else text + ANY)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_usage_error(text: str) -> None:
    try:
        parse_policy(text)
    except UsageError as error:
        assert str(error).startswith("the policy cannot be read")


@given(st.lists(st.text(max_size=20), max_size=4), st.sampled_from(list(Role)))
def test_an_empty_policy_allows_nothing_to_anybody(argv: list[str], role: Role) -> None:
    assert isinstance(decide(Policy(), Caller("x", role, bytes(32)), Request(tuple(argv)), HERE), Refused)
