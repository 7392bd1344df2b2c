"""`lanline backup`: all that a new hub needs to take over this room, in one encrypted file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lanline.arguments import WordParser
from lanline.console import Painted
from lanline.errors import UsageError
from lanline.room.firstline import STANDARD_INPUT
from lanline.translation import _
from lanline.ui.passphrase import new_passphrase, open_key

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder


def backup(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Writes the backup."""
    from pathlib import Path

    from lanline.room.backup import Backup, make_backup
    from lanline.room.certificates import MAX_CERTIFICATE_BYTES
    from lanline.room.civil import civil_date
    from lanline.room.disk import create_secret, read_secret, read_state
    from lanline.room.identity import load_identity

    options = _options(arguments, console)
    path = Path(os.path.abspath(options.file))
    identity = load_identity(folder)
    key = read_secret(folder.authority_key)
    if key is None or not identity.is_hub:
        raise UsageError(
            _("only the hub of a room can be backed up: that is {name}").format(name=identity.hub_line.name),
            advice=_("run it on {name}.").format(name=identity.hub_line.name),
        )
    _check_place(path)
    opened = open_key(console, key, options.room_passphrase_file)
    certificate = read_state(folder.authority_certificate, max_bytes=MAX_CERTIFICATE_BYTES)
    assert certificate is not None, "load_identity has read it"
    console.note(_("A backup is encrypted with a passphrase of its own. Whoever has both owns the room."))
    passphrase = new_passphrase(console, options.passphrase_file, why="")
    roster = identity.book.current
    create_secret(path, make_backup(Backup(opened, certificate, identity.book.data), passphrase))
    if console.wants_json:
        console.json({"file": str(path), "room": roster.room, "roster": roster.number})
        return 0
    console.line(
        _("The room {room}, roster {number} of {issued_at}, is in {path}.").format(
            room=roster.room, number=roster.number, issued_at=civil_date(roster.issued_at), path=path
        )
    )
    console.note(
        Painted(_("Back from it: "), "dim"),
        _("lanline init --from-backup {name}, on a machine in no room.").format(name=path.name),
    )
    return 0


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "backup",
        console,
        _(
            "Writes the room's authority key, its certificate and its roster to a new file, encrypted "
            "with a passphrase\n"
            "that is asked for twice. With it another machine can become the hub when this one is lost. "
            "It works with the\n"
            "node running or not. Make a new one when members have joined or left."
        ),
        examples="lanline backup /media/stick/room.backup\n"
        "lanline backup room.backup --passphrase-file /root-only/backup --room-passphrase-file /root-only/passphrase",
    )
    parser.add_argument("file", metavar="FILE", help=_("a new file: an existing one is never overwritten"))
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help=_("take the backup's passphrase from there; - is standard input")
    )
    parser.add_argument(
        "--room-passphrase-file",
        metavar="FILE",
        help=_("take the passphrase of the hub's key from there, where it has one"),
    )
    options = parser.parse_args(arguments)
    if options.passphrase_file == options.room_passphrase_file == STANDARD_INPUT:
        raise UsageError(
            _("both passphrases cannot come from standard input"), advice=_("put one of them into a file.")
        )
    return options


def _check_place(path: os.PathLike[str]) -> None:
    """Before anybody types a passphrase for it."""
    if os.path.lexists(path):
        raise UsageError(
            _("{path} exists already and is never overwritten").format(path=path), advice=_("choose another name.")
        )
    if not os.path.isdir(os.path.dirname(path)):
        raise UsageError(_("there is no folder {path}").format(path=os.path.dirname(path)))
