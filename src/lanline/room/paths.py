"""The state folder: where lanline keeps what one machine knows of its room.

Names only, with the checks on who may read them; contents are the matter of the modules that own them. It
is imported by every short-lived command, so it stays light: it loads pathlib only for those that look into the
folder, and platformdirs only where the system is not Linux.

Rule: the folder is 0700 and belongs to the user lanline runs as. Since the owner of each entry is checked,
a folder put in its place by somebody else is refused, whoever may write to the folders above.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from lanline.errors import StateNotSaved, StateUnsafe
from lanline.room.disk import OTHERS_WRITE, OWNER_ONLY, check_facts, quoted

if TYPE_CHECKING:
    from pathlib import Path

HOME_VARIABLE: Final = "LANLINE_HOME"


class StateFolder:
    """One state folder, with a name for each file in it. Making the object touches nothing on disk.

    Args:
        home: where it is, absolute.
    """

    __slots__ = ("home",)

    def __init__(self, home: str | os.PathLike[str]) -> None:
        self.home = os.fspath(home)

    def __repr__(self) -> str:
        return f"<StateFolder {self.home}>"

    @classmethod
    def find(cls, home: str | os.PathLike[str] | None = None) -> StateFolder:
        """The folder to use: `home`, else the variable LANLINE_HOME, else the user's state folder.

        The last is `$XDG_STATE_HOME/lanline` or `~/.local/state/lanline` on Linux (the XDG Base Directory
        Specification, which says that a relative variable counts for nothing) and what platformdirs says elsewhere.
        """
        chosen = home or os.environ.get(HOME_VARIABLE)
        if chosen:
            return cls(os.path.abspath(os.path.expanduser(chosen)))
        if sys.platform == "linux":
            state = os.environ.get("XDG_STATE_HOME", "")
            folder = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")
        else:
            import platformdirs

            folder = platformdirs.user_state_dir()
        return cls(os.path.join(folder, "lanline"))

    @property
    def path(self) -> Path:
        """The folder itself."""
        from pathlib import Path  # here, not above: 2 ms that `lanline who` does without

        return Path(self.home)

    @property
    def authority_key(self) -> Path:
        """The room's private key, on the hub only; see `keys.lock_authority_key`."""
        return self.path / "authority.key"

    @property
    def authority_certificate(self) -> Path:
        """The room's certificate (PEM), on every node."""
        return self.path / "authority.crt"

    @property
    def node_key(self) -> Path:
        """This machine's private key (PEM, not encrypted: the node starts unattended)."""
        return self.path / "node.key"

    @property
    def node_certificate(self) -> Path:
        """This machine's certificate (PEM)."""
        return self.path / "node.crt"

    @property
    def datagram_key(self) -> Path:
        """The room's datagram keys, current and previous (sealed, secret)."""
        return self.path / "datagram.key"

    @property
    def roster(self) -> Path:
        """The newest signed roster, as it came."""
        return self.path / "roster"

    @property
    def policy(self) -> Path:
        """What this machine runs for others; written by its owner."""
        return self.path / "policy.toml"

    @property
    def settings(self) -> Path:
        """Ports and addresses this node binds to (sealed)."""
        return self.path / "node.json"

    @property
    def freshness(self) -> Path:
        """How long the hub has not confirmed the roster (sealed)."""
        return self.path / "freshness.json"

    @property
    def presence(self) -> Path:
        """Where the members were last seen: a cache (sealed)."""
        return self.path / "presence.json"

    @property
    def audit(self) -> Path:
        """The folder of audit segments."""
        return self.path / "audit"

    @property
    def lock(self) -> Path:
        """Held by the running node; never removed, for a removed lock file can be locked twice."""
        return self.path / "node.lock"

    @property
    def control_socket(self) -> Path:
        """The Unix socket of local users (0600). The path may be longer than the kernel's 107 bytes."""
        return self.path / "control.sock"

    @property
    def control_socket_name(self) -> str:
        """The same as text, for words that only talk to the node."""
        return os.path.join(self.home, "control.sock")

    @property
    def log(self) -> Path:
        """What a detached node would have printed."""
        return self.path / "node.log"

    def service(self, name: str) -> Path:
        """The folder that belongs to one service, such as `chat`; made by `ensure_folder`."""
        return self.path / name

    @property
    def secrets(self) -> tuple[Path, ...]:
        """Files that nobody else may read."""
        return (self.authority_key, self.node_key, self.datagram_key)

    @property
    def is_in_room(self) -> bool:
        """Whether this machine has founded or joined a room: its certificate is there.

        Raises:
            StateUnsafe: the folder is not this user's to look into.
        """
        try:
            os.stat(os.path.join(self.home, "node.crt"))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StateUnsafe(
                f"{self.home} cannot be looked at: {error.strerror or error}",
                advice="run lanline as the user whose node it is, or name another folder with --home.",
            ) from error
        return True

    def ensure(self) -> None:
        """Makes the folder and the audit folder, both 0700, and checks everything.

        Raises:
            StateUnsafe: as `check`.
            StateNotSaved: the folder cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateNotSaved(f"{self.path.parent} cannot be made: {error.strerror or error}") from error
        ensure_folder(self.path)
        ensure_folder(self.audit)
        self.check()

    def check(self) -> None:
        """Refuses when others can read a secret, or change anything in the folder.

        Raises:
            StateUnsafe: with the command that mends it.
        """
        _check_folder(self.path)
        for entry in sorted(os.scandir(self.path), key=lambda entry: entry.name):
            path = self.path / entry.name
            if entry.is_symlink():
                raise StateUnsafe(
                    f"{path} is a symbolic link", advice=f"look at it and remove it: ls -l {quoted(path)}"
                )
            if entry.is_dir(follow_symlinks=False):
                _check_folder(path)
            elif entry.is_file(follow_symlinks=False):
                forbidden = OWNER_ONLY if path in self.secrets else OTHERS_WRITE
                check_facts(path, entry.stat(follow_symlinks=False), forbidden_mode=forbidden)


def ensure_folder(path: Path) -> None:
    """Makes `path` with mode 0700 unless it is there.

    Raises:
        StateUnsafe: what is there is a link, no folder, somebody else's, or open to others.
        StateNotSaved: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _check_folder(path)
    except OSError as error:
        raise StateNotSaved(f"{path} cannot be made: {error.strerror or error}") from error


def _check_folder(path: Path) -> None:
    try:
        facts = os.stat(path)
    except OSError as error:
        raise StateUnsafe(f"{path} cannot be looked at: {error.strerror or error}") from error
    if not path.is_dir():
        raise StateUnsafe(
            f"{path} is not a folder", advice=f"move it away, or choose another folder with {HOME_VARIABLE}."
        )
    check_facts(path, facts, forbidden_mode=OWNER_ONLY)
