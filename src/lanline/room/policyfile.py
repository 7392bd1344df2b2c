"""The policy on disk: reading it without ever opening by mistake, and the rules lanline writes itself.

The file belongs to the machine's owner, who edits it by hand; lanline only makes it and appends rules to
it. Rule: a file that is missing, unsafe, damaged or wrong in one word gives a policy that refuses
everything and says why.

What lanline writes carries a line `checked = "sha256:..."` over the rest of the text, so that a byte that
flips on the disk does not turn `df` into `dd`. Whoever edits the file removes that line; the file says so
itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from lanline.errors import StateDamaged, StateUnsafe, UsageError
from lanline.room.disk import read_state, write_atomic
from lanline.room.policy import Policy, Rule, parse_policy

MAX_POLICY_BYTES: Final = 1024 * 1024

_CHECKED_LINE = re.compile(r'^checked = "[^"\n]*"[^\n]*\n?', re.MULTILINE)
_OPENING: Final = (
    "# What this machine runs for others. The first rule that fits decides; without one the answer is no.\n"
    "# Nothing remote can change this file. After editing, remove the line below: it vouches for the text.\n"
)

ANYTHING: Final = frozenset(
    "sh bash dash ash zsh ksh fish csh tcsh busybox env sudo doas su runuser setpriv xargs find parallel awk "
    "gawk mawk perl ruby node lua php vi vim nano emacs less more man ssh nohup setsid timeout nice time "
    "watch script expect tar rsync git make docker podman systemd-run at batch crontab nsenter unshare chroot gdb "
    "strace".split()
)
"""Programs that start other programs when asked to: who may run one of them may run anything."""


def load_policy(path: Path) -> Policy:
    """This machine's policy. A bad file never raises: it refuses everything, with the reason."""
    try:
        data = read_state(path, max_bytes=MAX_POLICY_BYTES)
        if data is None:
            return Policy()
        return read_policy(data)
    except (StateUnsafe, StateDamaged, UsageError) as error:
        return Policy(fault=" ".join(f"{path.name}: {error}. {error.advice}".split()))


def read_policy(data: bytes) -> Policy:
    """The policy in the bytes of a file.

    Raises:
        StateDamaged: the text is not the one that its `checked` line vouches for.
        UsageError: it cannot be read.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the policy is not UTF-8 at byte {error.start}", advice="save it as UTF-8.") from error
    policy = parse_policy(text)
    if policy.checked and policy.checked != _digest(text):
        raise StateDamaged(
            "the text is not what lanline wrote",
            advice="if you edited it, remove its line checked = ...; else look at every rule.",
        )
    return policy


def add_rule(path: Path, rule: Rule | None, *, allow_root: bool = False) -> str:
    """Writes one more rule, at the end, and keeps the rest of the file as it is.

    Args:
        path: the policy file, which need not exist.
        rule: when one with the same content is there already, nothing is added; a taken name gets a number. None adds
            nothing.
        allow_root: also lets a node that runs as root run commands. False leaves that as it is.

    Returns:
        The rule in words, to be printed: nobody opens a machine without seeing it.

    Raises:
        StateUnsafe: others can write the file.
        StateDamaged, UsageError: the file cannot be read as it is; nothing is written.
        StateNotSaved: it cannot be written.
    """
    data = read_state(path, max_bytes=MAX_POLICY_BYTES)
    policy = read_policy(data) if data is not None else Policy()
    text = _without_check((data or b"").decode("utf-8"))
    body = text.removeprefix(_OPENING)
    if allow_root and not policy.allow_root:
        rest = re.sub(r"^allow_root *=.*\n*", "", body, flags=re.MULTILINE)
        body = f"allow_root = true\n\n{rest}"
    if rule is not None and rule not in [msgspec.structs.replace(old, name=rule.name) for old in policy.rules]:
        rule = msgspec.structs.replace(rule, name=_free_name(rule.name, policy))
        body = f"{body.rstrip()}\n\n{render_rule(rule)}".lstrip()
    # A file that its owner edited stays without the line, or each further edit would have to remove it.
    is_ours = data is None or bool(policy.checked)
    new = _checked(body) if is_ours else f"{_OPENING if text.startswith(_OPENING) else ''}{body}"
    if read_policy(new.encode()).allow_root < allow_root:
        raise UsageError(f"allow_root could not be set in {path}", advice="write allow_root = true at its top.")
    write_atomic(path, new.encode())
    if rule is None:
        return "This node runs commands for others as root, where a rule lets them through."
    wider = [old.name for old in policy.rules if old.any and old.allow and not rule.any]
    return explain_rule(rule) + (f" Note: rule {wider[0]} before it allows any command." if wider else "")


def allow_run_rule(programs: Sequence[str] = ()) -> Rule:
    """The rule behind `--allow-run` (any command) and `--allow-run=df,uptime` (these programs), for
    operators.

    Raises:
        UsageError: a program's name is empty or not printable.
    """
    for program in programs:
        if not program or not program.isprintable():
            raise UsageError(f"{program[:80]!r} cannot be a program", advice="--allow-run=df,uptime.")
    if not programs:
        return Rule("allow-run", any=True)
    return Rule("allow-run", programs=tuple(programs))


def render_rule(rule: Rule) -> str:
    """The rule as TOML text."""
    table: dict[str, Any] = msgspec.to_builtins(rule)
    table.pop("name")
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
    return "\n".join(["[[rule]]", f"name = {_toml(rule.name)}", *lines, ""])


def explain_rule(rule: Rule) -> str:
    """The rule in one or two sentences for people, with a warning where it lets more through than it seems
    to.
    """
    who = " and ".join(rule.members) or (_keys(len(rule.keys)) if rule.keys else f"every {rule.role} of the room")
    what = ", ".join(rule.programs) or ", ".join(f"the recipe {name}" for name in rule.recipes) or "any command"
    may = "may run" if rule.allow else "may not run"
    wide = [one for one in rule.programs if one.rpartition("/")[2] in ANYTHING or "python" in one]
    warning = f" Note: {', '.join(wide)} can start any other program." if wide and rule.allow else ""
    return f"{rule.name}: {who} {may} {what} on this machine.{warning}"


def _keys(count: int) -> str:
    return "the member with one key" if count == 1 else f"the members with {count} keys"


def _free_name(name: str, policy: Policy) -> str:
    taken = {rule.name for rule in policy.rules}
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _checked(body: str) -> str:
    return f'{_OPENING}checked = "{_digest(_OPENING + body)}"\n{body}'


def _without_check(text: str) -> str:
    return _CHECKED_LINE.sub("", text, count=1)


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(_without_check(text).encode()).hexdigest()


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    # JSON is TOML for these types; TOML knows no surrogate pairs, hence the text itself, and no bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
