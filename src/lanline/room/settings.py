"""What one node remembers of how it was started: written by `init` and `join`, changed by `up`, sealed on disk."""

from __future__ import annotations

from typing import Final

import msgspec

from lanline.room.paths import StateFolder
from lanline.room.sealed import load_sealed, save_sealed

KIND: Final = "node"
"""The word in the sealed file."""

DEFAULT_PORT: Final = 9527


class Settings(msgspec.Struct, frozen=True):
    """How this node serves.

    Fields: the host it binds to (`*`: every interface); its TCP port; where the hub was last known to listen, as
    `host:port` (empty on the hub itself).
    """

    bind: str = "*"
    port: int = DEFAULT_PORT
    hub: tuple[str, ...] = ()

    def as_list(self) -> list[object]:
        """Plain values, for `parse` in another process."""
        return [self.bind, self.port, list(self.hub)]

    @classmethod
    def parse(cls, values: object) -> Settings:
        """The settings of `as_list`."""
        bind, port, hub = msgspec.convert(values, tuple[str, int, tuple[str, ...]])
        return cls(bind, port, hub)


def load_settings(folder: StateFolder) -> Settings:
    """The settings on disk, or the defaults where there are none.

    Raises:
        StateDamaged: they are not what was written. StateUnsafe: others can change them.
    """
    return load_sealed(folder.settings, KIND, Settings) or Settings()


def save_settings(folder: StateFolder, settings: Settings) -> None:
    """Puts settings on disk.

    Raises:
        StateNotSaved: they could not be written.
    """
    save_sealed(folder.settings, KIND, settings)


def join_place(place: str) -> str:
    """A hub's `host:port` as it is typed after `lanline join`: without the port where that is the usual one."""
    host, _, port = place.rpartition(":")
    return host.strip("[]") if port == str(DEFAULT_PORT) else place
