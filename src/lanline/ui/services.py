"""Which services there are: the folders of `lanline/services`, found by looking. Nothing lists them anywhere.

A service folder has `__init__.py` with `WORDS` (its command words, each with what it does), and where a node is to host
it `service.py` with `make(context) -> Service`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from lanline import services

if TYPE_CHECKING:
    from lanline.link.service import Service
    from lanline.room.context import Context

_PACKAGE = services.__name__


def service_names(first: str = "") -> list[str]:
    """The folders of services by name, the one called `first` before the others: a word often has its name."""
    with os.scandir(services.__path__[0]) as entries:
        names = sorted(one.name for one in entries if one.name.isidentifier() and not one.name.startswith("_"))
    return sorted(names, key=lambda name: name != first)


def words_of(service: str) -> dict[str, str]:
    """The command words of one service, each with what it does."""
    words: dict[str, str] = getattr(import_module(f"{_PACKAGE}.{service}"), "WORDS", {})
    return words


def plain_faces() -> dict[str, str]:
    """What `lanline serve` can serve to bare sockets, each with what it does."""
    faces: dict[str, str] = {}
    for service in service_names():
        faces |= getattr(import_module(f"{_PACKAGE}.{service}"), "PLAIN", {})
    return faces


def make_services(context: Context) -> list[Service]:
    """Every service that a node hosts, made for this one."""
    made: list[Service] = []
    for name in service_names():
        if os.path.exists(os.path.join(services.__path__[0], name, "service.py")):
            module = import_module(f"{_PACKAGE}.{name}.service")
            if hasattr(module, "make"):
                made.append(module.make(context))
    return made
