"""Claims about starting in the background: the parent returns when the node serves, or says what the node said."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

from tests.ui.machines import Machine, wait_until


def test_the_node_is_alone_in_its_own_session(stopped: Machine) -> None:
    stopped.good("up", "--detach")
    facts = Path(f"/proc/{stopped.pid}/stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(facts[1]), int(facts[3]), int(facts[4])
    assert parent != os.getpid()
    assert session == stopped.pid
    assert terminal == 0
    assert os.readlink(f"/proc/{stopped.pid}/cwd") == "/"
    assert os.readlink(f"/proc/{stopped.pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{stopped.pid}/fd/2") == str(stopped.folder.log)
    assert stat.S_IMODE(stopped.folder.log.stat().st_mode) == 0o600


def test_no_code_is_loaded_from_the_folder_somebody_stands_in(stopped: Machine, tmp_path: Path) -> None:
    (tmp_path / "lanline").mkdir()
    (tmp_path / "lanline" / "__init__.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "uvloop.py").write_text("raise SystemExit('hijacked')")
    done = subprocess.run(
        stopped.words("up", "--detach"),
        cwd=tmp_path,
        env=stopped.settings(),
        capture_output=True,
        timeout=15,
        check=False,
    )
    assert done.returncode == 0, done


def test_a_second_one_passes_on_what_the_child_said(stopped: Machine) -> None:
    stopped.good("up", "--detach")
    code = (
        "import sys\nfrom lanline.errors import LanlineError\nfrom lanline.room.paths import StateFolder\n"
        "from lanline.ui.detach import start_detached\nfrom lanline.ui.output import TerminalConsole\n"
        f"try: start_detached(StateFolder({stopped.folder.home!r}), None, TerminalConsole())\n"
        "except LanlineError as error: print(type(error).__name__, error, '|', error.advice)"
    )
    done = subprocess.run(
        [*stopped.words()[:2], "-c", code],
        env=stopped.settings(),
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    assert done.stdout.startswith(f"NodeAlreadyRunning a node is already running with {stopped.home}: process")
    assert "lanline down" in done.stdout


def test_a_child_that_dies_without_a_word_is_noticed(stopped: Machine) -> None:
    # A loop that cannot be imported at all ends the child before it could say anything.
    broken = stopped.home.parent / "broken"
    (broken / "msgspec").mkdir(parents=True)
    (broken / "msgspec" / "__init__.py").write_text("import os\nos._exit(9)")
    code = (
        "import sys\nfrom lanline.errors import LanlineError\nfrom lanline.room.paths import StateFolder\n"
        "import os\nfrom lanline.ui.detach import start_detached\nfrom lanline.ui.output import TerminalConsole\n"
        f"os.environ['PYTHONPATH'] = {str(broken)!r} + ':' + os.environ['PYTHONPATH']\n"
        f"try: start_detached(StateFolder({stopped.folder.home!r}), None, TerminalConsole())\n"
        "except LanlineError as error: print(error, '|', error.advice)"
    )
    done = subprocess.run(
        [*stopped.words()[:2], "-c", code],
        env=stopped.settings(),
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    assert done.stdout.startswith("the node ended while it was starting, exit code 9 |")
    assert str(stopped.folder.log) in done.stdout


def test_a_log_that_cannot_be_written_is_named(stopped: Machine) -> None:
    stopped.folder.log.unlink()
    stopped.folder.log.mkdir(mode=0o700)
    done = stopped.run("up", "--detach")
    assert done.code == 3
    assert f"{stopped.folder.log} cannot be opened: Is a directory" in done.err


def test_an_interrupted_start_leaves_no_node(locked: Machine) -> None:
    with subprocess.Popen(
        locked.words("up", "--detach", "--passphrase-file", "-"),
        env=locked.settings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as starting:
        assert starting.stdin is not None
        starting.stdin.write(b"open sesame\n")
        starting.stdin.close()
        children = Path(f"/proc/{starting.pid}/task/{starting.pid}/children")
        wait_until(lambda: children.read_text().strip())
        child = os.pidfd_open(int(children.read_text()))
        starting.send_signal(signal.SIGINT)
        starting.wait(timeout=15)
    assert starting.returncode == 130
    wait_until(lambda: _has_ended(child))
    os.close(child)
    assert locked.run("status").code == 2


def _has_ended(process: int) -> bool:
    try:
        signal.pidfd_send_signal(process, 0)
    except ProcessLookupError:
        return True
    return False
