"""The environment of a job: a small clean base, and what was asked for, less what would change programs.

Nothing of the node's own environment gets in except the language, so that no token or proxy of the person
who started the node leaks into a job. A variable that is not allowed refuses the job: a command that ran
without what its caller asked for would be a wrong answer that looks like a right one.

The list of denied names covers what makes an interpreter, a shell or the dynamic loader load other code. It
is a second lock, not the first: who may run what is the policy's matter. Sources: ld.so(8), bash(1),
perlrun(1), python(1), sudo's built-in list (`sudo -V` as root).
"""

from __future__ import annotations

import functools
import locale
import os
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from lanline.services.run.outcome import Refused

if sys.platform != "win32":
    import pwd

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a job finds programs: fixed, so that a command means the same whoever started the node."""

DENIED = (
    "LD_*", "DYLD_*", "GLIBC_TUNABLES", "MALLOC_*", "GCONV_PATH", "LOCPATH", "NLSPATH",
    "PYTHON*", "PERL*", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "NODE_PATH", "LUA_*", "PHPRC",
    "PHP_INI_SCAN_DIR", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",
    "BASH_ENV", "ENV", "IFS", "PS4", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_*", "CDPATH", "GLOBIGNORE",
    "PROMPT_COMMAND", "ZDOTDIR", "FPATH", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR",
    "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE", "GIT_*", "SSH_*", "SUDO_*",
    "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "TERMPATH",
    "LANLINE_*",
)  # fmt: skip
"""Patterns of names that are refused unless the node's policy allows the name itself."""


def job_environment(
    requested: Mapping[str, str], *, job: str, node: str, allowed: Iterable[str] = ()
) -> dict[str, str] | Refused:
    """The whole environment of one job.

    Args:
        requested: the variables that the caller asked for.
        job: the id of the job as text, for LANLINE_JOB.
        node: the name of this node, for LANLINE_NODE.
        allowed: names, or patterns with `*`, that this node's policy lets through although they are denied
            by default.

    Returns:
        The variables, or the refusal that names the first variable that is not allowed.
    """
    let_through = tuple(allowed)
    for name, value in requested.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            return Refused("environment", f"{name!r} is no name for a variable, or its value has a NUL")
        if any(fnmatchcase(name, pattern) for pattern in let_through):
            continue
        if any(fnmatchcase(name, pattern) for pattern in DENIED):
            return Refused("environment", f"the variable {name} may not be set on this machine")
    return {**base_environment(), **requested, "LANLINE_JOB": job, "LANLINE_NODE": node}


@functools.cache
def base_environment() -> Mapping[str, str]:
    """PATH, HOME, USER, LOGNAME, SHELL and LANG, as a fresh login of the node's own user would have them.

    Asked once for each process: an account database on a server answers when it likes."""
    name, home, shell = _account()
    return {"PATH": PATH, "HOME": home, "USER": name, "LOGNAME": name, "SHELL": shell, "LANG": _language()}


def home_folder() -> str:
    """Where a job runs when no folder was asked for: the home of the node's user, or `/` without one."""
    home = base_environment()["HOME"]
    return home if os.path.isdir(home) else os.path.sep


def job_encoding() -> str:
    """The encoding in which programs of this machine write, as the node declares it: `UTF-8`, `GBK`.

    A fact about the locale, not about any output: bytes go over the wire as they are.
    """
    return locale.getencoding()


def _account() -> tuple[str, str, str]:
    if sys.platform == "win32":
        name = os.environ.get("USERNAME", "")
        return name, os.path.expanduser("~"), os.environ.get("COMSPEC", "cmd.exe")
    try:
        account = pwd.getpwuid(os.geteuid())
    except KeyError:  # a container that runs under a uid without a line in passwd
        return str(os.geteuid()), os.environ.get("HOME", "/"), "/bin/sh"
    return account.pw_name, account.pw_dir, account.pw_shell or "/bin/sh"


def _language() -> str:
    """The node's own language, in the order the C library asks, so that `job_encoding` holds for its jobs."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if os.environ.get(name):
            return os.environ[name]
    return "C.UTF-8"
