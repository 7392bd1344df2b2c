"""What is given to be shared: a folder, a file or standard input, looked at before anything is served.

Rule: what cannot be shared is refused with what it is and what to do, before a port is taken. It opens nothing for
good; the folder is held by `lanline.beneath` later, which also keeps links from leading to what is refused here.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from lanline.errors import UsageError
from lanline.services.share.owner.order import INPUT
from lanline.translation import _

Kind = Literal["folder", "file", "input"]

STDIN: Final = 0


class Given(NamedTuple):
    """What is there."""

    kind: Kind
    path: str
    """Absolute; of a folder without links. Empty for standard input."""
    name: str
    """What it is called."""


def look_at(what: str, name: str | None = None) -> Given:
    """Finds out what is given.

    Args:
        what: a path, or `-`.
        name: what standard input is called; None for the name of its file, or `stdin`.

    Raises:
        UsageError: it cannot be shared.
    """
    if what == INPUT:
        found = _name_of_input()  # also where a name was given: it judges the input
        return Given("input", "", name or found)
    if not what:
        raise UsageError(
            _("the name of the folder is empty"), advice=_("lanline share . shares the folder you are in.")
        )
    try:
        mode = os.stat(what).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(what).close()
            path = os.path.realpath(what)
            return Given("folder", path, os.path.basename(path) or "files")
        if stat.S_ISREG(mode):
            os.close(os.open(what, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            path = os.path.abspath(what)
            return Given("file", path, os.path.basename(path))
    except (OSError, ValueError) as error:
        raise _unusable(what, error) from error
    raise _neither(what, mode)


def check_writable(given: Given) -> None:
    """Passes where this user may add to a folder.

    Raises:
        UsageError: he may not.
    """
    if not os.access(given.path, os.W_OK | os.X_OK):
        raise UsageError(
            _("nobody could add to {path}: this user may not write there").format(path=given.path),
            advice=_("another folder, or its rights: ls -ld {path}").format(path=given.path),
        )


def check_contents(
    given: Given,
    state: str,
    *,
    hidden: bool,
    is_lan: bool,
    has_password: bool,
    makes_key: bool = False,
    secrets: Iterable[str] = (),
) -> None:
    """Refuses folders that hold keys visitors could read.

    Args:
        given: what is shared.
        state: lanline's own state folder.
        hidden: whether names that begin with a dot are shared.
        is_lan: whether others reach it.
        has_password: whether they need a password.
        makes_key: whether this share puts a key into the state folder, which need not be there yet.
        secrets: files that it reads for itself: the key of a certificate, the password.

    Raises:
        UsageError: it holds the state folder or a secret; or it is a home folder, or everything, shared with its hidden
            files with whoever is on the network.
    """
    is_kept = makes_key or os.path.isdir(state)
    if given.kind == "folder" and is_kept and _is_shown_in(given.path, os.path.realpath(state), hidden=hidden):
        raise UsageError(
            _("{path} holds {state}, where lanline keeps its keys: whoever reads it could be this machine").format(
                path=given.path, state=state
            ),
            advice=_("share a folder that does not hold it."),
        )
    for secret in secrets if given.kind == "folder" else ():
        if _is_shown_in(given.path, os.path.realpath(secret), hidden=hidden):
            raise UsageError(
                _("{path} holds {secret}, and visitors could read it").format(path=given.path, secret=secret),
                advice=_("put that file somewhere else."),
            )
    if hidden and is_lan and not has_password and is_wide(given):
        raise UsageError(
            _("{path} with --hidden has .ssh, .gnupg and the like in it, for whoever is on the network").format(
                path=given.path
            ),
            advice=_("leave --hidden out, share a folder in it, or ask for a password: --password --tls."),
        )


def is_wide(given: Given) -> bool:
    """Whether it is a whole home folder, or everything."""
    return given.kind == "folder" and given.path in ("/", os.path.realpath(os.path.expanduser("~")), "/home")


def _is_shown_in(folder: str, inner: str, *, hidden: bool) -> bool:
    relative = os.path.relpath(inner, folder)
    names = relative.split(os.sep)
    if names[0] == os.pardir:
        return False
    return hidden or relative == os.curdir or not any(name.startswith(".") for name in names)


def _name_of_input() -> str:
    """What standard input is called where nobody said: the name of its file, else `stdin`."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(
            _("standard input is closed: there is nothing to share"),
            advice="tar c big/ | lanline share - --name big.tar",
        )
    mode = os.fstat(STDIN).st_mode
    if os.isatty(STDIN):
        raise UsageError(
            _("standard input is a terminal: what should be shared is what a program writes"),
            advice="tar c big/ | lanline share - --name big.tar",
        )
    if stat.S_ISDIR(mode):
        raise UsageError(_("standard input is a folder"), advice=_("name it: lanline share FOLDER"))
    if stat.S_ISREG(mode):
        try:
            return os.path.basename(os.readlink(f"/proc/self/fd/{STDIN}")).removesuffix(" (deleted)") or "stdin"
        except OSError:
            return "stdin"
    return "stdin"


def _unusable(what: str, error: OSError | ValueError) -> UsageError:
    if isinstance(error, FileNotFoundError):
        return UsageError(
            _("there is no file or folder {what}").format(what=what),
            advice=_("ls shows what there is; lanline share . shares it."),
        )
    if isinstance(error, PermissionError):
        return UsageError(
            _("this user may not read {what}").format(what=what),
            advice=_("look at its rights: ls -ld {what}").format(what=what),
        )
    if isinstance(error, NotADirectoryError):
        return UsageError(
            _("{what} is no folder: a part of it is a file").format(what=what),
            advice=_("leave out the slash at the end to share the file."),
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(_("{what} cannot be shared: {reason}").format(what=what, reason=reason))


def _neither(what: str, mode: int) -> UsageError:
    if stat.S_ISFIFO(mode):
        return UsageError(
            _("{what} is a named pipe, which can be read only once").format(what=what),
            advice=_("lanline share - --name NAME < {what} shares what comes out of it, once.").format(what=what),
        )
    return UsageError(
        _("{what} is neither a folder nor a file").format(what=what), advice=_("share a folder or a file.")
    )
