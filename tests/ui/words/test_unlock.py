"""Claims about `lanline unlock`."""

from __future__ import annotations

from tests.ui.conftest import SESAME, Room
from tests.ui.machines import Machine
from tests.ui.terminal import AtTerminal


def test_a_locked_hub_is_opened_by_the_passphrase_typed_or_from_a_file(locked: Machine) -> None:
    locked.good("up", "--detach")
    assert "locked: lanline unlock" in locked.good("status")
    done = locked.run("unlock", "--passphrase-file", "-", stdin="wrong\n")
    assert done.code == 4
    assert "does not open" in done.err
    assert locked.status()["is_locked"]
    program = (
        f"import os\nos.environ['LANLINE_HOME'] = {str(locked.home)!r}\nfrom lanline.ui.cli import main\n"
        "console.line(f\"ended with {main(['unlock'])}\")"
    )
    with AtTerminal(program) as terminal:
        terminal.until(b"Passphrase of the room: ")
        terminal.type(SESAME.encode())
        assert b"ended with 0" in terminal.whole()
    assert not locked.status()["is_locked"]
    assert "open already" in locked.good("unlock")
    assert locked.good("invite")


def test_only_a_hub_can_be_unlocked(room: Room) -> None:
    done = room.pc2.run("unlock")
    assert done.code == 2
    assert "the hub of this room is desk" in done.err
