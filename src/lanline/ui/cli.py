"""The command `lanline`: finds the word, loads its one module, runs it, and turns what comes of it into an exit code.

Words are found by looking into folders, so a new service has its words the moment its folder is there. Nothing is
loaded that the word does not need: the start is what a person feels.

Exit codes: 0 done; 1 it could not be done; 2 used wrongly, or no room or node there; 3 state on disk that cannot be
trusted; 4 a matter of rights, keys or codes; 70 a mistake in lanline; 130 interrupted; 141 nobody reads the output any
more. `lanline run` adds its own.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from lanline import translation
from lanline.errors import LanlineError, UsageError
from lanline.room.paths import StateFolder
from lanline.translation import _
from lanline.ui.output import TerminalConsole
from lanline.ui.services import service_names, words_of
from lanline.ui.words import GROUPS, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from lanline.console import Console

    Word = Callable[[list[str], Console, StateFolder], int]

INTERRUPTED = 130  # 128 + SIGINT
MISTAKE = 70  # EX_SOFTWARE of sysexits.h
DEBUG_VARIABLE = "LANLINE_DEBUG"

_FLAGS = {"--json": "json", "--no-colour": "plain", "--no-color": "plain"}


class _Options:
    """What was said for every word, wherever it stood."""

    __slots__ = ("home", "json", "plain", "version")

    def __init__(self) -> None:
        self.home: str | None = None
        self.json = self.plain = self.version = False

    def console(self) -> Console:
        """The console they ask for."""
        return TerminalConsole(wants_json=self.json, colour=False if self.plain else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        argv: the words after `lanline`; None for those of this process.

    Returns:
        The exit code, for `sys.exit`.
    """
    translation.bind()
    _open_what_was_closed()
    options = _Options()
    console = options.console()
    try:
        word, arguments = _first_word(list(sys.argv[1:] if argv is None else argv), options)
        module, own, others = _load(word, arguments)
        own = _take_options(own, options)
        console = options.console()
        code = _run(word, module, [*own, *others], console, options)
        console.progress("")
        console.flush()
        return code
    except LanlineError as error:
        return _failed(error, console)
    except KeyboardInterrupt:
        console.progress("")
        return INTERRUPTED
    except Exception as error:
        return _mistaken(error, console)


def _open_what_was_closed() -> None:
    """Where standard input, output or error was closed (`>&-`), opens nowhere in its place: else the next socket would
    get its number, and what is meant for a person would go to a peer. `sys.stdin` stays None, as a closed one is."""
    for number, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, mode)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            if number:
                setattr(sys, name, open(number, "w", closefd=False))


def _run(word: str, module: ModuleType | None, arguments: list[str], console: Console, options: _Options) -> int:
    if options.version:
        from lanline import __version__

        console.line(_("lanline {version}").format(version=__version__))
        return 0
    if module is None:
        _print_help(console)
        return 0
    function: Word = getattr(module, word.replace("-", "_"))
    try:
        return function(arguments, console, StateFolder.find(options.home))
    except SystemExit as stop:  # argparse, after --help
        if stop.code:
            raise
        return 0


# -- options that stand anywhere -------------------------------------------------------------------------------


def _first_word(arguments: list[str], options: _Options) -> tuple[str, list[str]]:
    """The word and what follows it. Takes the options before it; without a word, help is wanted."""
    for at, one in enumerate(arguments):
        is_value = at > 0 and arguments[at - 1] == "--home"
        if is_value or one in _FLAGS or one == "--home" or one.startswith("--home="):
            continue
        _take_options(arguments[:at], options)
        if one in ("-V", "--version"):
            options.version = True
            return "", []
        if one in ("-h", "--help"):
            return "", []
        if one.startswith("-"):
            raise UsageError(_("there is no option {one!r} before the word").format(one=one), advice="lanline --help")
        if one != "help":
            return one, arguments[at + 1 :]
        return (arguments[at + 1], ["--help"]) if arguments[at + 1 :] else ("", [])
    _take_options(arguments, options)
    return "", []


def _take_options(arguments: list[str], options: _Options) -> list[str]:
    """Takes the options for every word; returns the rest."""
    kept: list[str] = []
    waiting = iter(arguments)
    for one in waiting:
        if one in _FLAGS:
            setattr(options, _FLAGS[one], True)
        elif one == "--home" or one.startswith("--home="):
            options.home = one[7:] if "=" in one else next(waiting, "")
            if not options.home:
                raise UsageError(_("--home needs a folder"), advice="lanline --home DIR status")
        else:
            kept.append(one)
    return kept


def _split_at_dashes(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


# -- finding words ---------------------------------------------------------------------------------------------


def _load(word: str, arguments: list[str]) -> tuple[ModuleType | None, list[str], list[str]]:
    """The module of a word, the arguments that are its own, and those of somebody else's command.

    Where that command begins is behind `--`, unless the module knows better, in a function `split_arguments`, which
    gives both lists without the `--`.
    """
    if not word:
        return None, arguments, []
    module = find_word(word)
    own, others = getattr(module, "split_arguments", _split_at_dashes)(arguments)
    return module, own, ["--", *others] if others else []


def find_word(word: str) -> ModuleType:
    """The module that holds a word; nothing else is loaded.

    Raises:
        UsageError: there is no such word; the advice has the nearest.
    """
    if word in WORDS:
        return import_module(f"lanline.ui.words.{word.replace('-', '_')}")
    for service in service_names(first=word):
        if word in words_of(service):
            return import_module(f"lanline.services.{service}.words")
    import difflib

    near = difflib.get_close_matches(word, all_words(), n=3)
    raise UsageError(
        _("there is no word {word!r}").format(word=word),
        advice=_("did you mean {near}?").format(near=_(" or ").join(near)) if near else "lanline --help",
    )


def all_words() -> dict[str, str]:
    """Every word with what it does: those of the room, then those of services in the order of their names."""
    words = dict(WORDS)
    for service in service_names():
        words |= words_of(service)
    return words


# -- what is printed -------------------------------------------------------------------------------------------


def _print_help(console: Console) -> None:
    from lanline.console import Painted

    words = all_words()
    grouped = {word for names in GROUPS.values() for word in names}
    others = tuple(word for word in words if word not in grouped)
    groups = {**GROUPS, _("many machines at once"): others}
    width = max(map(len, words))
    console.line(_("lanline: a landline for your LAN. One command for a room full of machines.\n"))
    console.line(_("Begin with these two:"))
    console.line(_("  lanline init --allow-run      on one machine: founds a room and prints how others join it"))
    console.line(_("  lanline invite                on the same machine, in another terminal: a code for the others"))
    for title, names in groups.items():
        console.line()
        console.line(Painted(f"{_(title)}:", "bold"))
        for name in filter(words.__contains__, names):
            console.line("  ", Painted(f"{name:<{width}}", "cyan"), f"  {_(words[name])}")
    console.line(_("\nlanline WORD --help says more about a word, with examples."))
    console.line(
        _("For every word: --home DIR (or LANLINE_HOME) chooses the state folder, --json prints data for programs,")
    )
    console.line(_("--no-colour (or NO_COLOR) prints no colours. lanline --version says which one this is."))


def _failed(error: LanlineError, console: Console) -> int:
    console.progress("")
    try:
        console.error(error)
        console.flush()
    except LanlineError:
        return error.exit_code  # nothing can be printed any more: the code still tells
    return exit_code_of(error)


def exit_code_of(error: LanlineError) -> int:
    """The exit code for an error. One that a node reported counts as what it was there."""
    from lanline import errors

    if isinstance(error, errors.CallError):
        kind = getattr(errors, error.details.get("error", ""), None)
        if isinstance(kind, type) and issubclass(kind, LanlineError):
            return kind.exit_code
    return error.exit_code


def _mistaken(error: Exception, console: Console) -> int:
    """Something that no code foresaw: one sentence, and the traceback where it does not frighten."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    if os.environ.get(DEBUG_VARIABLE):
        console.note(text.rstrip("\n"))
        return MISTAKE
    try:
        descriptor, place = tempfile.mkstemp(prefix="lanline-", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        where = _("what led to it is in {place}").format(place=place)
    except OSError:
        where = _("what led to it could not be written to a file")
    sentence = _("a mistake in lanline itself, {error}: {where}").format(error=type(error).__name__, where=where)
    console.error(
        LanlineError(
            sentence,
            advice=_("{debug_variable}=1 shows it at once; please report it.").format(debug_variable=DEBUG_VARIABLE),
        )
    )
    return MISTAKE
