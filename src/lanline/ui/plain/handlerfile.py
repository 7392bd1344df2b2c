"""Handlers of people's own: `./mine.py:handler` and `package.module:name`, found, loaded and judged.

Loading runs the file, as `python mine.py` would, but for `__name__`. Every mistake in it is answered with a sentence
that names the file and the line; nothing of it is swallowed, for the whole traceback is the error's cause.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from types import ModuleType
from typing import Final

import lanline
from lanline.errors import UsageError
from lanline.link.handlers import handler_of
from lanline.link.service import Service
from lanline.translation import _

_SHOWN_CANDIDATES: Final = 5
_LANLINE: Final = os.path.dirname(os.path.realpath(lanline.__file__)) + os.sep


def is_own_handler(name: str) -> bool:
    """Whether what is to be served is a file or a module, not one of lanline's own names."""
    return ":" in name or "/" in name or name.endswith(".py")


def load_handler(name: str) -> object:
    """The object that a person named, loaded and found fit to be served.

    Args:
        name: `./mine.py:handler` or `package.module:name`; dots in the last part reach into objects.

    Raises:
        UsageError: there is no such file, module or name; the file cannot be loaded; or it is nothing to serve.
    """
    place, _colon, attribute = name.rpartition(":") if ":" in name else (name, "", "")
    module = _load(place)
    if not attribute:
        raise UsageError(
            _("which handler of {place} is to be served is not said").format(place=place),
            advice=_("write {examples}").format(examples=_candidates(place, module)),
        )
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UsageError(
                _("{place} has no {attribute!r}").format(place=place, attribute=attribute),
                advice=_("write {examples}").format(examples=_candidates(place, module)),
            )
        found = getattr(found, part)
    return _judged(found, name)


def files_of(name: str) -> dict[str, str]:
    """The handler's own file and the files it imported from its folder or below: path -> name of the module."""
    place = name.rpartition(":")[0] or name
    if not _is_file(place):
        module = sys.modules.get(place)
        place = getattr(module, "__file__", None) or ""
        if not place:
            return {}
    own = os.path.realpath(place)
    folder = os.path.dirname(own)
    files = {own: ""}
    for module_name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and _is_own_code(file, folder):
            files[os.path.realpath(file)] = module_name
    return files


def _is_file(place: str) -> bool:
    return "/" in place or place.endswith(".py")


def _load(place: str) -> ModuleType:
    if _is_file(place):
        return _load_file(place)
    if not place or not all(part.isidentifier() for part in place.split(".")):
        raise UsageError(
            _("{place!r} is neither a file nor a module").format(place=place[:80]),
            advice=_("write ./mine.py:handler, or package.module:name."),
        )
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise UsageError(
                _("there is no module {name!r}").format(name=error.name),
                advice=_("for a file write its path: ./{file}:handler").format(file=place.replace(".", "/") + ".py"),
            ) from error
        raise _broken(place, error) from error
    except Exception as error:
        raise _broken(place, error) from error


def _load_file(place: str) -> ModuleType:
    if not os.path.isfile(place):
        what = _("a folder") if os.path.isdir(place) else _("not there")
        raise UsageError(
            _("the file {place} is {what}").format(place=place, what=what),
            advice=_("check the path; it counts from {folder}").format(folder=os.getcwd()),
        )
    path = os.path.realpath(place)
    folder, file = os.path.split(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # so that it finds the files beside it, as it would under python
    name = file.removesuffix(".py")
    # A file called like a module that is loaded already must not take that one's place.
    name = name if name not in sys.modules else f"_served_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(_("{place} is no Python file").format(place=place), advice=_("its name has to end in .py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _broken(place, error) from error
    return module


def _broken(place: str, error: BaseException) -> UsageError:
    """A file that could not be loaded: what went wrong, and in which line of the person's own code."""
    advice = ""
    if isinstance(error, SyntaxError):
        why, file = error.msg, os.path.basename(error.filename or place)
        where = _("{file}, line {line}").format(file=file, line=error.lineno)
        advice = _("look at: {line}").format(line=error.text.strip()) if error.text and error.text.strip() else ""
    else:
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        where = line_of(error, os.path.dirname(os.path.realpath(place)) if _is_file(place) else os.getcwd())
    if isinstance(error, SystemExit):
        advice = _("what a file does when it is run belongs below: if __name__ == '__main__'")
    reason = f"{why} ({where})" if where else why
    return UsageError(_("{place} cannot be loaded: {reason}").format(place=place, reason=reason), advice=advice)


def line_of(error: BaseException, folder: str) -> str:
    """The last line of somebody's own code that led to an error: `mine.py, line 7`; empty when there is none.

    Args:
        error: what was raised.
        folder: where their code is.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own_code(frame.filename, folder):
            return _("{file}, line {line}").format(file=os.path.basename(frame.filename), line=frame.lineno)
    return ""


def _is_own_code(file: str, folder: str) -> bool:
    """Whether a file is somebody's own, in that folder or below. An environment there (`.venv`) is not theirs."""
    path, start = os.path.realpath(file), folder.rstrip(os.sep) + os.sep
    if not path.startswith(start) or path.startswith(_LANLINE):
        return False
    return "site-packages" not in path[len(start) :].split(os.sep)


def _judged(found: object, name: str) -> object:
    """The object, if it can be served; a class of services as one service."""
    if isinstance(found, type) and issubclass(found, Service):
        try:
            return found()
        except TypeError as error:
            raise UsageError(
                _("the service {name} wants arguments: {why}").format(name=name, why=str(error)),
                advice=_("make one in the file, sums = Sums(...), and name that."),
            ) from error
    if isinstance(found, Service):
        return found
    handler_of(found)
    return found


def _candidates(place: str, module: ModuleType) -> str:
    """What could have been meant, as it would be written."""
    names = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.iscoroutinefunction(value) or (isinstance(value, type) and hasattr(value, "handle")))
    ]
    if not names:
        return _("async def handler(channel): ... in it, then {example}").format(example=f"{place}:handler")
    return _(" or ").join(f"{place}:{name}" for name in names[:_SHOWN_CANDIDATES])
