"""What every test gets: a home of its own, a known seed, and nothing left running by the one before.

Rules: a test never sees this user's files; the same seed gives the same run; with LANLINE_NO_SKIPS=1 a
skipped test is a failed test, so that nothing passes by absence.

Environment: LANLINE_SEED (a number, or `random`) reseeds the run; without it every run is the same.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

_SKIPS_FAIL = os.environ.get("LANLINE_NO_SKIPS") == "1"
_SEED_WANTED = os.environ.get("LANLINE_SEED", "")
_SEED = secrets.randbelow(2**32) if _SEED_WANTED == "random" else int(_SEED_WANTED or 9527)

# No deadline: a slow example on a busy machine is no fault. No database: a run does not depend on the last.
hypothesis.settings.register_profile(
    "fixed", derandomize=True, deadline=None, database=None, print_blob=True, max_examples=100
)
hypothesis.settings.register_profile("seeded", hypothesis.settings.get_profile("fixed"), derandomize=False)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Chooses between the fixed run and the reseeded one, before hypothesis reads them; gives Ctrl-C its effect."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell: children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.load_profile("seeded" if _SEED_WANTED else "fixed")
    if _SEED_WANTED and not config.getoption("hypothesis_seed", None):
        config.option.hypothesis_seed = _SEED


def pytest_report_header() -> str:
    """Names the seed, so that a failed run can be had again."""
    skips = "failures" if _SKIPS_FAIL else "allowed (LANLINE_NO_SKIPS=1 forbids them)"
    return f"seed: LANLINE_SEED={_SEED}{'' if _SEED_WANTED else ' (fixed)'}; skips: {skips}"


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _SKIPS_FAIL and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{reason}\nA skip is a failure here: LANLINE_NO_SKIPS=1."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns the skip of a test into a failure where skips are forbidden."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself while it is collected."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.fixture(autouse=True)
def seed() -> int:
    """The seed of this run; `random` starts from it in every test, whatever ran before."""
    random.seed(_SEED)
    return _SEED


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home directory, the only one the test and its child processes know.

    Its path is short on purpose (below 20 bytes): the path of a Unix socket ends at 107 bytes, which a test's
    `tmp_path` alone can fill. LANLINE_HOME lies in it and is not made yet.
    """
    place = Path(tempfile.mkdtemp(prefix="ll", dir="/tmp"))
    for name in [name for name in os.environ if name.startswith(("LANLINE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("LANLINE_HOME", str(place / "lanline"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def _children() -> set[int]:
    """This process's children, exited and not yet waited for included."""
    try:
        # One call answers for the usual case, no child at all, and takes no exit status from anyone.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in _children_of(task)}


def _children_of(task: Path) -> list[str]:
    """The children of one thread; none once it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return task.joinpath("children").read_text().split()
    return []


def _end(pid: int) -> str:
    """Ends a child that a test left behind, and says what it was."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ChildProcessError, ProcessLookupError, FileNotFoundError):
        words = "gone meanwhile"
    return f"process {pid} ({words.strip() or 'exited, not waited for'})"


@pytest.fixture(autouse=True)
def _nothing_left_behind(home: Path) -> Iterator[None]:
    """Fails a test that leaves a thread or a child process behind: it would disturb the next one."""
    threads, children = set(threading.enumerate()), _children()
    yield
    left = [f"thread {thread.name}" for thread in set(threading.enumerate()) - threads if not _ends(thread)]
    left += [_end(pid) for pid in sorted(_children() - children)]
    assert not left, "left behind: " + ", ".join(left)


def _ends(thread: threading.Thread) -> bool:
    """Whether the thread is at its end; one that was told to stop gets two seconds for it."""
    thread.join(timeout=2.0)
    return not thread.is_alive()
