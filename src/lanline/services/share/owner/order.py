"""What was ordered: the options of the word, judged together. Pure: it looks at no file and no network.

Rule: an option that would have no effect is refused with the one it lacks, for whoever writes it relies on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lanline.errors import UsageError
from lanline.translation import _

_HOST: Final = re.compile(r"[^\s\[\]:@/?#\\]+")
"""What a Host field can name; see `lanline.http.hosts`."""

INPUT = "-"
"""In place of a folder: standard input."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is shared, to whom, and what they may do.

    Args:
        what: the folder or file, or `-`.
        name: what standard input is called; None for a file's own name, or `stdin`.
        port: None for the next free one from 8080 on.
        is_lan: every private interface, in place of loopback alone.
        upload, overwrite, delete: what visitors may do.
        max_upload_bytes: of one file; None: no limit but the disk.
        hidden: names that begin with a dot are shared too.
        follow: links that lead out of the folder are followed.
        once: end after one complete download.
        asks_password: for a password at the terminal.
        password_file: where the password stands.
        user: the user name that goes with the password; None: any.
        insecure: the password may travel in the open.
        tls: with a certificate of this machine.
        tls_cert, tls_key: with a certificate of one's own.
        hosts: further names of this server.
        log: `text`, `json` or `none`.
        qr: a QR code also where standard output is no terminal.
    """

    what: str
    name: str | None = None
    port: int | None = None
    is_lan: bool = False
    upload: bool = False
    overwrite: bool = False
    delete: bool = False
    max_upload_bytes: int | None = None
    hidden: bool = False
    follow: bool = False
    once: bool = False
    asks_password: bool = False
    password_file: str | None = None
    user: str | None = None
    insecure: bool = False
    tls: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    hosts: tuple[str, ...] = ()
    log: str = "text"
    qr: bool = False

    @property
    def is_input(self) -> bool:
        """Whether standard input is shared."""
        return self.what == INPUT

    @property
    def has_tls(self) -> bool:
        """Whether it is served over TLS."""
        return self.tls or self.tls_cert is not None

    @property
    def makes_key(self) -> bool:
        """Whether a key of this machine's own is kept in the state folder for it."""
        return self.tls and self.tls_cert is None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The files it reads that nobody else may."""
        return tuple(one for one in (self.tls_key, self.password_file) if one is not None and one != INPUT)

    @property
    def changes(self) -> bool:
        """Whether visitors may change anything."""
        return self.upload or self.delete

    def check(self, *, has_password: bool, is_folder: bool) -> None:
        """Passes where the options make sense together.

        Args:
            has_password: whether there is a password, wherever it comes from.
            is_folder: whether a folder is shared.

        Raises:
            UsageError: with what lacks.
        """
        self._check_rights(is_folder=is_folder)
        self._check_password(has_password=has_password)
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise UsageError(_("--tls-cert and --tls-key go together"))
        if self.name is not None:
            self._check_name(self.name)
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise UsageError(
                    _("{host!r} is no name of a host").format(host=host[:80]),
                    advice=_("the name alone, without http:// and port: --host share.example"),
                )

    def _check_rights(self, *, is_folder: bool) -> None:
        if self.overwrite and not self.upload:
            raise UsageError(_("--overwrite goes with --upload"), advice="lanline share drop/ --upload --overwrite")
        if self.max_upload_bytes is not None and not self.upload:
            advice = "lanline share drop/ --upload --max-upload 1G"
            raise UsageError(_("--max-upload goes with --upload"), advice=advice)
        if is_folder:
            if self.once:
                raise UsageError(
                    _("--once is for one file, and {what} is a folder").format(what=self.what),
                    advice=_("tar c FOLDER | lanline share - --name FOLDER.tar, which also ends after one download."),
                )
            return
        for given, option in (
            (self.upload, "--upload"),
            (self.delete, "--delete"),
            (self.hidden, "--hidden"),
            (self.follow, "--follow"),
        ):
            if given:
                raise UsageError(
                    _("{option} is for folders, and {what} is none").format(option=option, what=self.what),
                    advice=_("share the folder that it belongs in."),
                )

    def _check_password(self, *, has_password: bool) -> None:
        if not has_password:
            for given, option in ((self.user is not None, "--user"), (self.insecure, "--insecure")):
                if given:
                    raise UsageError(_("{option} goes with --password").format(option=option))
            return
        if self.is_lan and not self.has_tls and not self.insecure:
            raise UsageError(
                _("over plain HTTP everybody on the way can read the password, which is sent with each request"),
                advice=_("--tls encrypts it; --insecure sends it in the open all the same."),
            )

    def _check_name(self, name: str) -> None:
        if not self.is_input:
            raise UsageError(
                _("--name is for standard input, and {what} has a name").format(what=self.what),
                advice="tar c big/ | lanline share - --name big.tar",
            )
        if name in ("", ".", "..") or any(one in name for one in "/\\\0") or len(name.encode("utf-8", "replace")) > 255:
            raise UsageError(
                _("{name!r} is no name of a file").format(name=name[:80]),
                advice=_("a name without slashes, of at most 255 bytes: --name big.tar"),
            )
