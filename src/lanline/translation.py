"""What people read, in their language: the one function through which every such text goes.

Marking a text is `_("nobody listens at {address}").format(address=...)`: the text is a literal, so that
`scripts/translations.py` finds it, and it has names in place of values, so that a translator may move them. Texts for
programs (JSON keys, log lines, protocol words, option names) are not marked.

The language is that of the environment as gettext reads it: the first of LANGUAGE, LC_ALL, LC_MESSAGES and LANG that
is set. A process whose language is English loads nothing: the start is what a person feels.

Sources: gettext(1), POSIX.1-2017 chapter 8.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_DOMAIN: Final = "lanline"
_VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def languages() -> list[str]:
    """The languages that the environment asks for, best first, as gettext writes them: `zh_CN`."""
    asked = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
    return [one.partition(".")[0].partition("@")[0] for one in asked.split(":") if one]


def _(text: str) -> str:
    """The text in the language of whoever reads it; the text itself where there is no translation."""
    return _translate(text)


def bind() -> None:
    """Makes our catalogue the one that argparse looks its own words up in. For the command, which owns its process: a
    program that only imports lanline keeps its own."""
    if _translate is not _as_it_is:
        import gettext

        gettext.bindtextdomain(_DOMAIN, _folder())
        gettext.textdomain(_DOMAIN)


def _as_it_is(text: str) -> str:
    return text


def _folder() -> str:
    return os.path.join(os.path.dirname(__file__), "locale")


def _find() -> Callable[[str], str]:
    wanted = languages()
    if not wanted or wanted[0] in ("C", "POSIX") or wanted[0].startswith("en"):
        return _as_it_is
    import gettext  # here, not above: 3 ms that only a reader of another language is worth

    found = gettext.translation(_DOMAIN, _folder(), wanted, fallback=True)
    return lambda text: found.gettext(text) if text else text  # the empty text stands for the head of a catalogue


_translate = _find()
