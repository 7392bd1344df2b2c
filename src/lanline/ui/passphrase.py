"""The passphrase of a room's authority key: asked for at the terminal, or read from a file; never an argument.

Rules: a new one is typed twice and is not empty; a file that others can read is refused; where nobody can be asked, a
hub starts locked and says so, for it serves everything but invitations, removals and changes of roles without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lanline.errors import AuthorityLocked, UsageError
from lanline.room.disk import read_secret
from lanline.room.firstline import read_line_of
from lanline.room.keys import is_authority_locked, open_authority_key
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.room.keys import PrivateKey
    from lanline.room.paths import StateFolder

_TRIES: Final = 3


_WHY_A_ROOMS: Final = _(
    "The passphrase protects the key that lets machines into the room. It is needed whenever this hub starts."
)


def new_passphrase(console: Console, file: str | None, *, why: str = _WHY_A_ROOMS) -> str:
    """A passphrase for a room that is being founded, or for a backup.

    Args:
        console: where it is asked for.
        file: where it stands, `-` for standard input; None asks twice.
        why: what a person is told before; empty for nothing.

    Raises:
        UsageError: it is empty, the two differ, or there is no terminal to ask at.
        StateUnsafe: others can read the file.
    """
    if file is not None:
        return _not_empty(read_line_of(file, what="passphrase", is_secret=True))
    if why:
        console.note(why)
    first = _not_empty(console.secret(_("New passphrase")))
    if console.secret(_("The same again")) != first:
        raise UsageError(_("the two passphrases differ: nothing was made"), advice=_("the same once more."))
    return first


def hub_passphrase(console: Console, folder: StateFolder, file: str | None) -> str | None:
    """The passphrase that a hub needs to start unlocked; None where none is needed, or none can be had.

    Raises:
        AuthorityLocked: it was typed wrongly three times, or the file's is wrong.
        StateUnsafe, StateDamaged: the key file, or the passphrase's, cannot be trusted.
    """
    key = read_secret(folder.authority_key)
    if key is None or not is_authority_locked(key):
        return None
    if file is not None:
        passphrase = read_line_of(file, what="passphrase", is_secret=True)
        open_authority_key(key, passphrase)
        return passphrase
    return _asked(console, key)


def open_key(console: Console, key: bytes, file: str | None) -> PrivateKey:
    """The authority key, with the passphrase it needs.

    Args:
        console: where that is asked for.
        key: the key file.
        file: where the passphrase stands; None asks, where the key has one.

    Raises:
        AuthorityLocked: the passphrase does not open it. UsageError: there is no terminal to ask at.
        StateUnsafe, StateDamaged: the key file, or the passphrase's, cannot be trusted.
    """
    if not is_authority_locked(key):
        return open_authority_key(key, None)
    if file is not None:
        return open_authority_key(key, read_line_of(file, what="passphrase", is_secret=True))
    return open_authority_key(key, console.secret(_("Passphrase of the room")))


def backup_passphrase(console: Console, file: str | None) -> str:
    """The passphrase that opens a backup, asked for once or from a file.

    Raises:
        UsageError: there is no terminal to ask at. StateUnsafe: others can read the file.
    """
    if file is not None:
        return read_line_of(file, what="passphrase", is_secret=True)
    return console.secret(_("Passphrase of the backup"))


def _asked(console: Console, key: bytes) -> str | None:
    for left in reversed(range(_TRIES)):
        try:
            passphrase = console.secret(_("Passphrase of the room (empty: start locked)"))
        except UsageError:
            console.note(
                _("There is no terminal to ask for the passphrase at: the hub starts locked (lanline unlock).")
            )
            return None
        if not passphrase:
            console.note(_("The hub starts locked: no invitations, removals or changes of roles until lanline unlock."))
            return None
        try:
            open_authority_key(key, passphrase)
        except AuthorityLocked as error:
            if not left:
                raise
            console.note(f"{error}: {error.advice}")
        else:
            return passphrase
    raise AssertionError("the last try returns or raises")


def _not_empty(passphrase: str) -> str:
    if not passphrase.strip():
        raise UsageError(
            _("an empty passphrase protects nothing: nothing was made"),
            advice=_("type one (lanline init can leave it out: --no-passphrase)."),
        )
    return passphrase
