"""Runs the blocks of one page, in order, in one shell, in a folder and a home of their own.

What is changed on the way in, and changed back on the way out: `127.0.0.` becomes a part of 127.0.0.0/8 that nobody
else uses, so that pages may name ports. `lanline` is a small script that runs this checkout; where the tests run as
root it adds `--allow-root` to init, join and up, since a node that is root runs nothing without it.
"""

from __future__ import annotations

import os
import random
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tests.docs.pages import Block, Page
from tests.docs.transcript import is_as_expected, steps
from tests.rules.source import ROOT

SECONDS_FOR_A_PAGE = 40.0
_DOWN_SECONDS = 20.0
_MARK = "\x1e"
_LOOPBACK = "127.0.0."

_SHIM = """#!/bin/sh
word= skip=
for one in "$@"; do
    case "$skip$one" in
    --home) skip=the-folder: ;;
    the-folder:* | -*) skip= ;;
    *) word=$one && break ;;
    esac
done
case "$(id -u) $word" in
"0 init" | "0 join") set -- "$@" --allow-root ;;
"0 up") case "$*" in *--allow-run*) set -- "$@" --allow-root ;; esac ;;
esac
PYTHONPATH={source} exec {python} -m lanline "$@"
"""
_ONLY_FOR_ROOT = "Rule written: This node runs commands for others as root, where a rule lets them through.\n"

_PREAMBLE = """
_background() {
    local log=$1 lines=$2
    shift 2
    : > "$log"
    "$@" > "$log" 2>&1 &
    _left="$_left $!"
    for _ in $(seq 200); do
        [ "$(wc -l < "$log")" -ge "$lines" ] && cat "$log" && return
        sleep 0.025
    done
    cat "$log"
    return 1
}
trap '[ -z "$_left" ] || kill $_left 2> /dev/null' EXIT
"""
"""A program in the background is there once it has said as many lines as the page shows, and one at least; it is ended
with the page."""


_END = """
_end() {
    lanline --home "$1" down && return
    pid=$(cat "$1/node.lock")
    tr '\\0' ' ' < "/proc/$pid/cmdline" | grep -qF "$1" && kill -9 "$pid"
}
"""
"""Stops a node; one that does not stop is killed, by its number, if it still is a node of that folder."""


@dataclass(frozen=True)
class Deed:
    """One thing to be run, and what the page says it prints; nothing said is None."""

    line: int
    command: str
    expected: tuple[str, ...] | None


class Stage:
    """A home for pages to be played in: `lanline` on its PATH, and addresses that nobody else has.

    Args:
        home: an empty folder with a short path.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        # Two bytes out of the process's own randomness, not of the seeded one: other runs choose at the same time.
        self._network = f"127.{random.SystemRandom().randint(1, 254)}.{random.SystemRandom().randint(1, 254)}."
        programs = home / "bin"
        programs.mkdir()
        shim = programs / "lanline"
        shim.write_text(_SHIM.format(source=ROOT / "src", python=sys.executable))
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        self.environment = {
            "HOME": str(home),
            "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": str(ROOT / "src"),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",
        }

    def run(
        self,
        script: str,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        *,
        seconds: float = SECONDS_FOR_A_PAGE,
    ) -> str:
        """Runs a shell script, and answers with all it printed.

        Args:
            script: for bash.
            folder: where it starts.
            variables: for its environment.
            seconds: after which it is ended, which fails the test.
        """
        with tempfile.TemporaryFile() as printed:
            # To a file: a node that a page leaves in the background must not hold up the reading of a pipe.
            done = subprocess.run(
                ["bash", "-c", script.replace(_LOOPBACK, self._network)],
                cwd=folder,
                env={**self.environment, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # no terminal of ours that a word could ask at
                timeout=seconds,
                check=False,
            )
            printed.seek(0)
            text = printed.read().decode("utf-8", "replace").replace(self._network, _LOOPBACK)
        text = text.replace(_ONLY_FOR_ROOT, "")
        assert done.returncode == 0, f"the shell ended with {done.returncode}:\n{text}"
        return text

    def play(self, page: Page, folder: Path, variables: Mapping[str, str] | None = None) -> list[str]:
        """Runs the blocks of a page; what went otherwise than the page says, one text for each."""
        deeds: list[Deed] = []
        for number, block in enumerate(page.blocks):
            deeds += self._deeds(block, page.blocks[number + 1 :], folder)
        if not deeds:
            return []
        script = _PREAMBLE + "".join(
            f"printf '\\n{_MARK}'\n{deed.command}\nprintf '\\n{_MARK}%d\\n' $?\n" for deed in deeds
        )
        pieces = self.run(script, folder, variables).split(f"\n{_MARK}")[1:]
        printed = [*zip(pieces[::2], pieces[1::2], strict=False)]
        return [*_differences(page, deeds, printed)]

    def _deeds(self, block: Block, later: Sequence[Block], folder: Path) -> Iterator[Deed]:
        text = _on_our_network(block.text, self._network)
        if block.file and not block.is_run:
            # Not before its turn: a command in between may be what makes room for it.
            where = block.file.replace("~", str(self.home), 1)
            yield Deed(block.line, f"mkdir -p \"$(dirname '{where}')\" && cat > '{where}' <<'_END_'\n{text}_END_", None)
        if not block.is_run:
            return
        if block.language == "python":
            program = folder / (block.file or f".line-{block.line}.py")
            program.write_text(text, encoding="utf-8")
            says = tuple(later[0].text.splitlines()) if later and later[0].is_output else None
            command = f"python {program.name}"
            if "background" in block.words:
                command = _in_background(block.line, says or (), command)
            yield Deed(block.line, command, says)
            return
        assert block.language == "console", f"line {block.line}: only python and console blocks can be run"
        for step in steps(block.text):
            command = step.command
            if "background" in block.words:
                command = _in_background(block.line, step.expected, f"sh -c {quote('exec ' + command)}")
            yield Deed(block.line, command, step.expected or None)

    @contextmanager
    def curtain(self) -> Iterator[None]:
        """Stops every node that was started below this home, when it is left."""
        try:
            yield
        finally:
            folders = [lock.parent for lock in self.home.rglob("node.lock")]
            if folders:
                script = "".join(f"_end '{folder}' &\n" for folder in folders)
                self.run(f"{_END}{script}wait\ntrue", self.home, seconds=_DOWN_SECONDS)


def _in_background(line: int, says: Sequence[str], command: str) -> str:
    """The command that starts another one, and goes on once that has said all it says at its start."""
    lines = sum(1 for one in says if one != "...")
    return f"_background .line-{line}.log {max(1, lines)} {command}"


def _on_our_network(text: str, network: str) -> str:
    """A program's addresses on the part of the loopback network that this run has to itself."""
    return re.sub(r"(tcp|udp|tls)://:(?=\d)", rf"\1://{network}1:", text.replace(_LOOPBACK, network))


def _differences(page: Page, deeds: list[Deed], printed: Sequence[tuple[str, str]]) -> Iterator[str]:
    for deed, (text, code) in zip(deeds, printed, strict=False):
        where = f"{page.path}, block at line {deed.line}: $ {deed.command}"
        if code.strip() != "0":
            yield f"{where}\nended with {code.strip()} and printed:\n{text}"
        elif deed.expected is not None and not is_as_expected(deed.expected, text):
            yield f"{where}\nshould print:\n" + "\n".join(deed.expected) + f"\nand printed:\n{text}"
    if len(printed) < len(deeds):
        yield f"{page.path}: only {len(printed)} of {len(deeds)} commands came to their end"


def set_up_room(stage: Stage, names: Sequence[str]) -> None:
    """Starts a hub and further machines, all of which let operators run anything. Each has its state in `~/NAME`.

    Args:
        stage: where.
        names: the hub first.
    """
    hub, *others = names
    script = [
        "set -e",
        f"lanline --home ~/{hub} init --room lab --name {hub} --no-passphrase --allow-run --bind {_LOOPBACK}1 --detach",
        f"lanline --home ~/{hub} invite --uses {max(2, len(others))} > code",
    ]
    for number, name in enumerate(others, 2):
        script.append(
            f"lanline --home ~/{name} join {_LOOPBACK}1 --code-file code --name {name} --allow-run "
            f"--bind {_LOOPBACK}{number} --detach &"
        )
    script += ["wait", "rm code"]
    os.makedirs(stage.home, exist_ok=True)
    stage.run("\n".join(script), stage.home)
