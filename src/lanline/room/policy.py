"""What this machine runs for others: its own rules, which nothing remote can change.

Pure but for one look at the program's file. The first rule that fits decides; without one the answer is no.
Three rules of this file: a policy that cannot be read refuses everything; a rule that names programs judges
the whole request (arguments, environment, folder), for `LD_PRELOAD` makes any program into any other; each
refusal says which rule or which absence of one it was, and what to do.

A command is a list of arguments. Shell text is `sh -c TEXT` and is judged as the program `sh`. A recipe is
called as `recipe:NAME` with `parameter=value` arguments.

The file is TOML, see `policyfile.py`::

    allow_root = false            # a node that runs as root runs nothing, unless true
    run_when_stale = false        # run although the hub has been away for 7 days

    [[rule]]
    name = "disks"                # printed and audited
    allow = true                  # false makes it a rule that refuses
    role = "operator"             # the least role; operator or owner
    members = ["anna"]            # only these names of the roster ...
    keys = ["3f2a..."]            # ... or these keys (64 hex digits); without both: every such role
    programs = ["df", "/usr/bin/du"]     # one of: programs, recipes, any = true
    arguments = ["-h", "..."]     # a pattern per argument; "..." at the end: any more; without: any
    environment = ["LANG"]        # variables the caller may set; patterns
    folder = false                # whether the caller may choose the working folder
    as = "lab"                    # the user it runs as; a node that is not root can only be itself
    timeout = 60                  # seconds at most
    output_bytes = 1048576        # kept at most

    [recipe.restart]
    argv = ["/usr/bin/systemctl", "restart", "{service}"]
    parameters = { service = "lab-[a-z]+" }   # regular expressions for the whole value
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from lanline.errors import UsageError
from lanline.roles import Role
from lanline.room.program import find_program, who_else_can_change

RECIPE_PREFIX: Final = "recipe:"
ANY_MORE: Final = "..."
"""The last argument pattern that stands for any number of further arguments."""

MAX_VALUE_CHARACTERS: Final = 4096
"""Of one recipe parameter."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OPEN_ADVICE: Final = "lanline up --allow-run on that machine, or a rule in its policy.toml."


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"run_as": "as"}):
    """One rule as written in the file; the module's docstring explains each field."""

    name: str
    allow: bool = True
    role: str = "operator"
    members: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    any: bool = False
    programs: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    arguments: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    folder: bool = False
    run_as: str = ""
    timeout: float | None = None
    output_bytes: int | None = None

    def __post_init__(self) -> None:
        kinds = (self.any, bool(self.programs), bool(self.recipes))
        least = Role.parse(self.role)
        checks = (
            (bool(self.name) and self.name.isprintable(), "a rule without a printable name"),
            (sum(kinds) == 1, "it takes exactly one of: programs, recipes, any = true"),
            (least >= Role.OPERATOR, f"role {self.role!r}: only operators and owners run commands"),
            (all(re.fullmatch("[0-9a-f]{64}", key) for key in self.keys), "a key takes 64 digits of 0-9a-f"),
            (self.arguments is None or bool(self.programs), "arguments belong to programs only"),
            (not (self.any and self.environment), "environment belongs to programs and recipes"),
            (
                ANY_MORE not in (self.arguments or ())[:-1],
                f'"{ANY_MORE}" stands only at the end of arguments',
            ),
            (self.timeout is None or self.timeout > 0, "timeout takes seconds above 0"),
            (self.output_bytes is None or self.output_bytes >= 0, "output_bytes takes 0 or more"),
        )
        for holds, words in checks:
            if not holds:
                raise ValueError(f"rule {self.name[:80]!r}: {words}")

    def fits_caller(self, caller: Caller) -> bool:
        """Whether the rule is about this caller."""
        if caller.role < Role.parse(self.role):
            return False
        if not (self.members or self.keys):
            return True
        return caller.name in self.members or caller.key_hash.hex() in self.keys


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A command with holes: `argv`, in which `{name}` is replaced by a checked parameter."""

    argv: tuple[str, ...]
    parameters: dict[str, str] = {}
    about: str = ""

    def __post_init__(self) -> None:
        holes = {hole for argument in self.argv for hole in _PLACEHOLDER.findall(argument)}
        if not self.argv or _PLACEHOLDER.search(self.argv[0]):
            raise ValueError("argv of a recipe begins with a program, without a parameter in its name")
        if holes != self.parameters.keys():
            raise ValueError(f"argv uses {sorted(holes)}, parameters are {sorted(self.parameters)}")
        for name, pattern in self.parameters.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"parameter {name}: {pattern!r} is no regular expression: {error}") from error


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of this machine. `Policy()` refuses everything."""

    rules: tuple[Rule, ...] = ()
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    allow_root: bool = False
    run_when_stale: bool = False
    checked: str = ""
    """The digest that the file holds of itself; `policyfile.py` compares it."""
    fault: str = ""
    """Why the file could not be read; not empty: everything is refused for this reason."""

    @property
    def allows_something(self) -> bool:
        """Whether some rule lets some command of somebody through."""
        return not self.fault and any(rule.allow for rule in self.rules)

    def runs_something_as(self, user: int) -> bool:
        """Whether a node of this user runs anything for others at all: what presence tells the room.

        Args:
            user: the node's user id; as 0 (root) it runs nothing unless `allow_root` is set.
        """
        return self.allows_something and (user != 0 or self.allow_root)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's own words."""

    rule: tuple[Rule, ...] = ()
    recipe: dict[str, Recipe] = {}
    allow_root: bool = False
    run_when_stale: bool = False
    checked: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the roster knows it."""

    name: str
    role: Role
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class Allowed:
    """The command may run, in exactly this form."""

    rule: str
    program: str
    """Absolute path to start; `argv[0]` is only what the program is told it is called."""
    argv: tuple[str, ...]
    run_as: str = ""
    """The user to run as; empty is the node's own."""
    timeout: float | None = None
    """Seconds at most; None leaves it to the caller and the node."""
    output_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The command does not run."""

    why: str
    advice: str = ""
    rule: str = ""
    """The rule that refused; empty where no rule was reached or none fits."""

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks to run, as far as it matters for the decision."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables the caller sets."""
    folder: str = ""
    """Working folder the caller chose; empty for the node's choice."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the decision needs to know of this machine."""

    user: int
    """Effective user id of the node; 0 is root."""
    search_path: str | None = None
    """PATH; None takes the node's own."""
    stale: str = ""
    """Why the roster counts as stale, from `Freshness.explain`; empty when it does not."""

    @classmethod
    def here(cls, *, stale: str = "") -> Machine:
        """This machine as it is now."""
        return cls(os.geteuid(), None, stale)


def parse_policy(text: str) -> Policy:
    """The policy in a file's text.

    Raises:
        UsageError: it is not TOML, has an unknown word, or a rule contradicts itself; the sentence says
            where.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"the policy cannot be read: {error}", advice="mend that place in the file.") from error
    policy = Policy(file.rule, file.recipe, file.allow_root, file.run_when_stale, file.checked)
    names = [rule.name for rule in policy.rules]
    if len(set(names)) != len(names):
        raise UsageError("the policy cannot be read: two rules have the same name")
    unknown = {recipe for rule in policy.rules for recipe in rule.recipes} - policy.recipes.keys()
    if unknown:
        raise UsageError(f"the policy cannot be read: there is no recipe {', '.join(sorted(unknown))}")
    return policy


def decide(policy: Policy, caller: Caller, request: Request, machine: Machine) -> Allowed | Refused:
    """Whether a command runs here, and in which form.

    Args:
        policy: this machine's rules.
        caller: who asks.
        request: what is asked.
        machine: where, and as whom the node runs.
    """
    if refused := _closed(policy, caller, request, machine):
        return refused
    name = request.argv[0]
    is_recipe = name.startswith(RECIPE_PREFIX)
    made = _from_recipe(policy, request) if is_recipe else request.argv
    if isinstance(made, Refused):
        return made
    program = find_program(made[0], machine.search_path)
    if program.fault:
        return Refused(program.fault)
    near = ""
    for rule in policy.rules:
        if not rule.fits_caller(caller):
            continue
        fits, almost = _fits(rule, request, program.path, machine)
        if fits:
            return _verdict(rule, program.path, made, machine, is_recipe=is_recipe)
        near = near or almost
    return _no_rule(caller, name, near, policy)


def _closed(policy: Policy, caller: Caller, request: Request, machine: Machine) -> Refused | None:
    """The locks that come before any rule."""
    if policy.fault:
        return Refused(f"this machine runs nothing until its policy is mended: {policy.fault}")
    if caller.role < Role.OPERATOR:
        return Refused(f"{caller.name} is {caller.role.word}, and running takes operator", "ask an owner for the role.")
    if not any(rule.allow for rule in policy.rules):
        return Refused("this machine runs nothing for others", _OPEN_ADVICE)
    if machine.stale and not policy.run_when_stale:
        return Refused(
            f"this machine runs nothing for others now: {machine.stale}",
            "bring the hub back into its reach, or set run_when_stale = true in its policy.toml.",
        )
    if machine.user == 0 and not policy.allow_root:
        return Refused(
            "this node runs as root and therefore runs nothing for others",
            "start it as a plain user, or lanline up --allow-root.",
        )
    if not request.argv or not request.argv[0]:
        return Refused("there is no command")
    if any("\0" in text for text in (*request.argv, request.folder)):
        return Refused("the command holds a zero byte, which no program can be given")
    return None


def _from_recipe(policy: Policy, request: Request) -> tuple[str, ...] | Refused:
    name = request.argv[0].removeprefix(RECIPE_PREFIX)
    recipe = policy.recipes.get(name)
    if recipe is None:
        known = ", ".join(sorted(policy.recipes)) or "none"
        return Refused(f"there is no recipe {name[:80]!r} here", f"the recipes of this machine: {known}.")
    values = dict(argument.partition("=")[::2] for argument in request.argv[1:])
    if values.keys() != recipe.parameters.keys() or len(values) != len(request.argv) - 1:
        wanted = " ".join(f"{parameter}=..." for parameter in recipe.parameters) or "no parameters"
        return Refused(f"the recipe {name} takes {wanted}")
    for parameter, pattern in recipe.parameters.items():
        value = values[parameter]
        # A value that begins with "-" would become an option of the program.
        if len(value) > MAX_VALUE_CHARACTERS or value.startswith("-") or not re.fullmatch(pattern, value):
            return Refused(f"{parameter}={value[:80]!r} does not fit the recipe {name}: {pattern}")
    return tuple(_PLACEHOLDER.sub(lambda hole: values[hole[1]], argument) for argument in recipe.argv)


def _fits(rule: Rule, request: Request, program: str, machine: Machine) -> tuple[bool, str]:
    """Whether a rule is about this request; where it is for the program only, why not for the rest."""
    if rule.any:
        return True, ""
    name = request.argv[0]
    if name.startswith(RECIPE_PREFIX):
        if name.removeprefix(RECIPE_PREFIX) not in rule.recipes:
            return False, ""
    elif program not in {find_program(one, machine.search_path).path for one in rule.programs}:
        return False, ""
    elif not _arguments_fit(rule.arguments, request.argv[1:]):
        only = f"rule {rule.name!r} allows this program with other arguments: {list(rule.arguments or ())}"
        return False, only if rule.allow else ""
    # A rule that refuses must not be got round by setting a variable.
    if rule.allow:
        for variable in request.environment:
            if not any(fnmatchcase(variable, pattern) for pattern in rule.environment):
                return False, f"rule {rule.name!r} does not let the caller set {variable[:80]!r}"
        if request.folder and not rule.folder:
            return False, f"rule {rule.name!r} does not let the caller choose the folder"
    return True, ""


def _arguments_fit(patterns: Sequence[str] | None, arguments: Sequence[str]) -> bool:
    if patterns is None:
        return True
    if patterns and patterns[-1] == ANY_MORE:
        patterns, arguments = patterns[:-1], arguments[: len(patterns) - 1]
    return len(patterns) == len(arguments) and all(
        fnmatchcase(argument, pattern) for pattern, argument in zip(patterns, arguments, strict=True)
    )


def _verdict(
    rule: Rule, program: str, argv: tuple[str, ...], machine: Machine, *, is_recipe: bool
) -> Allowed | Refused:
    if not rule.allow:
        return Refused(f"rule {rule.name!r} refuses it", rule=rule.name)
    if not rule.any and (why := who_else_can_change(program, owner=machine.user)):
        return Refused(f"rule {rule.name!r} allows it, but {why}", "chmod go-w, and chown where needed.", rule.name)
    if rule.run_as and machine.user != 0 and rule.run_as != _user_name(machine.user):
        return Refused(
            f"rule {rule.name!r} runs it as {rule.run_as}, which only a node that runs as root can",
            rule=rule.name,
        )
    told = (program, *argv[1:]) if is_recipe else argv
    return Allowed(rule.name, program, told, rule.run_as, rule.timeout, rule.output_bytes)


def _user_name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _no_rule(caller: Caller, name: str, near: str, policy: Policy) -> Refused:
    if near:
        return Refused(f"no rule allows it: {near}", "the arguments of the rule, or ask the machine's owner.")
    what = ", ".join(
        text for rule in policy.rules if rule.allow and rule.fits_caller(caller) for text in _subjects(rule)
    )
    return Refused(
        f"no rule of this machine lets {caller.name} run {name[:80]!r}",
        f"what it lets {caller.name} run: {what or 'nothing'}; its owner can add a rule to policy.toml.",
    )


def _subjects(rule: Rule) -> tuple[str, ...]:
    return (*rule.programs, *(RECIPE_PREFIX + recipe for recipe in rule.recipes))
