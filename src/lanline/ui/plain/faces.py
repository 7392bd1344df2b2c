"""What can be served to bare sockets: lanline's own plain faces by their names, and handlers of people's own.

A plain face is found by looking: the folder of a service names it in `PLAIN`, and its `plain.py` has `add_options` and
`make`. Whatever it is, this file makes one `Face` of it.
"""

from __future__ import annotations

import difflib
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from lanline.errors import UsageError
from lanline.link.handlers import Handler, handler_of
from lanline.link.service import Service
from lanline.translation import _
from lanline.ui.plain.handlerfile import is_own_handler, load_handler
from lanline.ui.services import plain_faces, service_names

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from lanline.address import Address
    from lanline.arguments import WordParser
    from lanline.console import Console
    from lanline.framing.base import Framing


class Face(NamedTuple):
    """What is served."""

    name: str
    """As it was typed."""

    handler: Handler | None
    """For channels; None where services are served, over links."""

    answer: Callable[[bytes, Address], bytes | None] | None
    """For datagrams, where the face answers them one by one."""

    framing: Framing | None
    """What it wants on streams unless the person says another."""

    service: Service | None
    folder: str
    """Of a person's own code; empty for lanline's faces."""


def add_face_options(name: str, parser: WordParser) -> None:
    """Adds the options of one of lanline's faces; a person's own handler has none.

    Raises:
        UsageError: there is no such face.
    """
    if not is_own_handler(name):
        _module(name).add_options(parser)


def make_face(name: str, options: Namespace, console: Console) -> Face:
    """Makes it, or loads it.

    Raises:
        UsageError: there is none of that name, or a handler of a person's own is not fit to be served.
    """
    if is_own_handler(name):
        place = name.rpartition(":")[0] or name
        folder = os.path.dirname(os.path.realpath(place)) if "/" in place or place.endswith(".py") else os.getcwd()
        return _face(name, load_handler(name), folder)
    return _face(name, _module(name).make(options, console), "")


def _face(name: str, what: Any, folder: str) -> Face:
    if isinstance(what, Service):
        return Face(name, None, None, None, what, folder)
    # A class is made anew for each client, so it has no one object that could answer datagrams for all.
    answer = None if isinstance(what, type) else getattr(what, "answer", None)
    return Face(name, handler_of(what), answer, getattr(what, "framing", None), None, folder)


def _module(name: str) -> Any:
    for service in service_names(first=name):
        if name in getattr(import_module(f"lanline.services.{service}"), "PLAIN", {}):
            return import_module(f"lanline.services.{service}.plain")
    faces = plain_faces()
    near = difflib.get_close_matches(name, faces, n=1)
    known = ", ".join(sorted(faces))
    advice = _("perhaps {near} is meant").format(near=near[0]) if near else _("there are: {names}").format(names=known)
    raise UsageError(
        _("there is nothing called {name!r} to serve").format(name=name[:80]),
        advice=_("{advice}; a handler of your own is written ./mine.py:handler.").format(advice=advice),
    )
