"""What a node remembers of how it was started survives, and a changed byte of it does not pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanline.errors import StateDamaged
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings, join_place, load_settings, save_settings


def test_settings_are_what_was_saved_or_the_defaults(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert load_settings(folder) == Settings("*", 9527, ())
    save_settings(folder, Settings("127.0.0.5", 1, ("hub.local:9527", "[::1]:5")))
    assert load_settings(folder) == Settings("127.0.0.5", 1, ("hub.local:9527", "[::1]:5"))


def test_settings_that_were_edited_are_refused(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    save_settings(folder, Settings(port=9527))
    folder.settings.write_bytes(folder.settings.read_bytes().replace(b"9527", b"9528"))
    with pytest.raises(StateDamaged):
        load_settings(folder)


def test_a_place_is_shown_as_it_is_typed() -> None:
    assert join_place("192.168.1.5:9527") == "192.168.1.5"
    assert join_place("192.168.1.5:9999") == "192.168.1.5:9999"
    assert join_place("[fe80::1]:9527") == "fe80::1"
