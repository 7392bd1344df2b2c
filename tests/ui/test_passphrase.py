"""Claims about passphrases: asked, read, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ui.recording import Recording

from lanline.errors import AuthorityLocked, UsageError
from lanline.room.disk import create_secret
from lanline.room.keybox import MIN_SCRYPT_N
from lanline.room.keys import lock_authority_key, new_key
from lanline.room.paths import StateFolder
from lanline.ui.passphrase import hub_passphrase, new_passphrase


@pytest.fixture
def hub(tmp_path: Path) -> StateFolder:
    """A folder with an authority key behind `open sesame`, cheaply stretched."""
    folder = StateFolder(tmp_path / "hub")
    folder.ensure()
    create_secret(folder.authority_key, lock_authority_key(new_key(), "open sesame", scrypt_n=MIN_SCRYPT_N))
    return folder


def test_a_new_one_is_asked_for_twice() -> None:
    console = Recording("open sesame", "open sesame")
    assert new_passphrase(console, None) == "open sesame"
    assert console.asked == ["New passphrase", "The same again"]
    assert "whenever this hub starts" in console.err


@pytest.mark.parametrize("answers", [("a", "b"), ("", ""), ("  ", "  "), ("a",)], ids=str)
def test_different_empty_or_missing_answers_make_none(answers: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        new_passphrase(Recording(*answers), None)


def test_the_right_one_opens_a_hub_after_wrong_ones(hub: StateFolder) -> None:
    console = Recording("wrong", "wrong again", "open sesame")
    assert hub_passphrase(console, hub, None) == "open sesame"
    assert console.err.count("does not open") == 2


def test_three_wrong_ones_are_enough(hub: StateFolder) -> None:
    console = Recording("a", "b", "c", "open sesame")
    with pytest.raises(AuthorityLocked, match="does not open"):
        hub_passphrase(console, hub, None)
    assert console.answers == ["open sesame"]


@pytest.mark.parametrize(("answers", "says"), [((), "no terminal"), (("",), "until lanline unlock")], ids=str)
def test_where_nobody_answers_the_hub_starts_locked(hub: StateFolder, answers: tuple[str, ...], says: str) -> None:
    console = Recording(*answers)
    assert hub_passphrase(console, hub, None) is None
    assert says in console.err


def test_nobody_is_asked_where_none_is_needed(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "member")
    folder.ensure()
    console = Recording("unasked")
    assert hub_passphrase(console, folder, None) is None
    create_secret(folder.authority_key, lock_authority_key(new_key(), None))
    assert hub_passphrase(console, folder, None) is None
    assert console.asked == []
