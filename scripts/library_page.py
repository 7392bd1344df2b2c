"""The public names as Markdown: signatures and docstrings as in the source, in the groups of `lanline.__all__`.

It reads the source and imports nothing of it, so the page is the same on every Python.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SECTION = re.compile(r"^(Args|Attributes|Fields|Returns|Raises):(.*)$")

_MADE_FOR_YOU = {"Channel", "Link", "Call"}
"""Classes that users are given and never make: what their constructors take is nobody's business."""

_CALLBACKS = {
    *("connection_made", "data_received", "eof_received", "connection_lost", "pause_writing", "resume_writing"),
    *("item_received", "ended", "failed", "credit_received", "endpoints"),
}
"""Methods that asyncio calls, or a link its calls and services."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def groups() -> Iterator[tuple[str, list[str]]]:
    """The groups of `lanline.__all__`: the comment above each, and its names."""
    title = ""
    names: list[str] = []
    for line in _source("lanline").partition("__all__ = [")[2].partition("]\n")[0].splitlines():
        text = line.strip()
        if text.startswith("#"):
            if names:
                yield title, names
            title, names = text.removeprefix("#").strip(), []
        elif text:
            names.append(text.strip('",'))
    yield title, names


def homes() -> dict[str, str]:
    """The module of each public name, as the type checker is told."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(_source("lanline"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lanline"):
            found |= {alias.name: node.module for alias in node.names}
    return found


def group(names: list[str]) -> str:
    """One group. Errors are told in one line each; the page on errors has them in full."""
    where = homes()
    if all(where[name] == "lanline.errors" for name in names):
        return "\n".join(f"- `{name}`: {_first_line(_find(where[name], name))}" for name in names)
    return "\n\n".join(_entry(name, where[name]) for name in names)


def _entry(name: str, module: str) -> str:
    node = _find(module, name)
    if isinstance(node, ast.Module):
        functions = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name[0] != "_"]
        parts = [f"### {name}", _prose(ast.get_docstring(node) or "")]
        parts += [f"**`{name}.{_signature(one)}`**\n\n{_prose(ast.get_docstring(one) or '')}" for one in functions]
        parts += [_made_class(name, kind, home) for kind, home in _classes_of(node)]
        return "\n\n".join(parts)
    if isinstance(node, ast.ClassDef):
        words = ast.get_docstring(node) or ""
        parts = [f"### {name}", _prose(words.partition("\nArgs:")[0] if name in _MADE_FOR_YOU else words)]
        if lines := [*_members(node)]:
            parts.append("*It has:*\n\n" + "\n".join(lines))
        return "\n\n".join(parts)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"### {name}\n\n**`{_signature(node)}`**\n\n{_prose(ast.get_docstring(node) or '')}"
    return f"### {name}\n\n{_after(module, name)}"


def _classes_of(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The classes that a module of public functions names in its `__all__`, and where each stands."""
    (names,) = (one for one in module.body if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "__all__")
    listed = [one.value for one in ast.walk(names) if isinstance(one, ast.Constant)]
    told = {
        alias.name: one.module
        for one in ast.walk(module)
        if isinstance(one, ast.ImportFrom) and one.module
        for alias in one.names
    }
    yield from ((name, told[name]) for name in map(str, listed) if name[0].isupper())


def _made_class(owner: str, name: str, home: str) -> str:
    """A class that the functions of a module make: its words and its members."""
    node = _find(home, name)
    assert isinstance(node, ast.ClassDef), f"{home} has no class {name}"
    words = _prose((ast.get_docstring(node) or "").partition("\nArgs:")[0])
    return f"#### {owner}.{name}\n\n{words}\n\n*It has:*\n\n" + "\n".join(_members(node))


def _members(node: ast.ClassDef) -> Iterator[str]:
    for one in node.body:
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) or one.name.startswith("_"):
            continue
        if one.name in _CALLBACKS:
            continue
        marks = [ast.unparse(mark) for mark in one.decorator_list]
        if "overload" in marks or any(mark.endswith(".setter") for mark in marks):
            continue
        shown = one.name if "property" in marks else _signature(one, is_method=True)
        awaited = "await " if isinstance(one, ast.AsyncFunctionDef) and not _is_generator(one) else ""
        yield f"- `{awaited}{shown}`: {_first_line(one)}"


def _is_generator(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(node))


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool = False) -> str:
    arguments = re.sub(r"(?<=[\w\]])=(?=[^\s=])", " = ", ast.unparse(node.args))
    if is_method:
        arguments = re.sub(r"^(self|cls)(, )?", "", arguments).removeprefix("/, ")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments}){returns}"


def _first_line(node: ast.AST) -> str:
    text = ast.get_docstring(node) or "" if isinstance(node, Definition | ast.Module) else ""
    return " ".join(text.partition("\n\n")[0].split())


def _prose(docstring: str) -> str:
    """A docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    is_section = False
    for line in inspect.cleandoc(docstring).splitlines():
        if match := _SECTION.match(line):
            is_section = True
            lines += ["", f"*{match[1]}:*{match[2]}", ""]
        elif is_section and (entry := re.match(r"^    (\S.*?): (.*)$", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif is_section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            is_section = is_section and not line
            lines.append(line.replace("::", ":") if line.endswith("::") else line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _find(module: str, name: str) -> ast.AST:
    tree = _tree(module)
    named = [one for one in tree.body if isinstance(one, Definition) and one.name == name]
    if named:
        return named[-1]  # the last: what stands before it are its overloads
    return _tree(f"{module}.{name}") if _path(f"{module}.{name}").exists() else ast.Pass()


def _after(module: str, name: str) -> str:
    """What stands below a constant."""
    body = _tree(module).body
    for one, after in pairwise(body):
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        if any(ast.unparse(target) == name for target in targets) and isinstance(after, ast.Expr):
            return inspect.cleandoc(ast.literal_eval(after.value))
    raise ValueError(f"nothing is said about {name} in {module}")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module))


def _source(module: str) -> str:
    return _path(module).read_text(encoding="utf-8")


def _path(module: str) -> Path:
    path = ROOT / "src" / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
