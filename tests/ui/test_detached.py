"""Claims about the process of a detached node: what it reports, and to whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from tests.ui.machines import Machine, wait_readable


def _start(machine: Machine, home: str, passphrase: str | None) -> tuple[dict[str, object], subprocess.Popen[bytes]]:
    """The child's one line, and the child."""
    reading, report = os.pipe()
    secret, writing = os.pipe()
    os.write(writing, json.dumps([passphrase, None]).encode())
    os.close(writing)
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "lanline.ui.detached", home, str(report), str(secret)],
        pass_fds=(report, secret),
        env=machine.settings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(report)
    os.close(secret)
    with open(reading, "rb") as pipe:
        wait_readable(reading)
        line = pipe.readline()
    told: dict[str, object] = json.loads(line)
    return told, child


def test_it_tells_when_it_serves_and_runs_on(stopped: Machine) -> None:
    told, child = _start(stopped, stopped.folder.home, None)
    assert told == {"up": child.pid}
    assert stopped.who()
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=15) == 0


def test_it_tells_why_it_does_not_and_ends_with_that_code(stopped: Machine) -> None:
    stopped.folder.node_certificate.unlink()
    told, child = _start(stopped, stopped.folder.home, None)
    assert told["error"] == "NotInRoom"
    assert child.wait(timeout=15) == 2


def test_what_no_code_foresaw_is_told_too(stopped: Machine) -> None:
    stopped.folder.log.unlink()
    stopped.folder.log.mkdir()
    told, child = _start(stopped, stopped.folder.home, None)
    assert told == {"error": "", "text": "the node failed while it was starting, IsADirectoryError", "advice": ""}
    assert child.wait(timeout=15) == 70


def test_a_wrong_passphrase_starts_no_node(locked: Machine) -> None:
    told, child = _start(locked, locked.folder.home, "wrong")
    assert told["error"] == "AuthorityLocked"
    assert child.wait(timeout=15) == 4
    assert "wrong" not in locked.folder.log.read_text()
