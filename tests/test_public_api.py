"""
The public API, line by line, as `tests/public_api.txt` has it.

Public is what the pages of `docs/reference` document, and `pulumi_vod_workflow.manifest`. Each name
is read from the sources, as mkdocstrings reads it: annotations and defaults as they are written.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import griffe
import pytest

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "public_api.txt"
COMMAND = "UPDATE_API=1 make test ARGS=tests/test_public_api.py"
PACKAGE = "pulumi_vod_workflow"
PROTOCOLS = {"__enter__", "__exit__"}


def documented() -> set[str]:
    """The names that the reference shows."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    return {
        name
        for page in pages
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    }


class PublicApi:
    """One line for each public name below some objects of a package."""

    def __init__(self, package: griffe.Module) -> None:
        self._package = package
        self._names: dict[str, str] = {}
        """Where an object is defined -> its public name."""
        self._private: set[str] = set()
        """Where an object is defined that is public as a part of an annotation only."""
        self._lines: set[str] = set()

    def lines_of(self, paths: set[str]) -> list[str]:
        """Return the lines of all objects, sorted."""
        objects = {path: self._find(path) for path in paths}
        for path, item in [*objects.items()]:
            if isinstance(item, griffe.Module):
                assert item.exports is not None, f"{path} has no __all__"
                names = [f"{path}.{name}" for name in item.exports]
                objects |= {name: self._find(name) for name in names}
        self._names = {item.path: path for path, item in objects.items()}
        for path, item in objects.items():
            self._add(path, item)
        return sorted(self._lines)

    def _find(self, path: str) -> griffe.Object:
        inner = path.removeprefix(PACKAGE).removeprefix(".")
        return _target(self._package[inner] if inner else self._package)

    def _add(self, path: str, item: griffe.Object) -> None:
        if isinstance(item, griffe.Function):
            note = "  # classmethod" if "classmethod" in item.labels else ""
            self._lines.add(f"{path}() -> {item.returns}{note}")
            self._add_parameters(path, item.parameters)
        elif isinstance(item, griffe.Attribute):
            note = "  # property" if "property" in item.labels else ""
            self._lines.add(f"{path}{self._text(item.annotation, ': ')}{_default(item)}{note}")
        elif isinstance(item, griffe.Class):
            self._lines.add(f"{path}: class({', '.join(self._bases(item))})")
            for name, member in self._members(item).items():
                if name == "__init__" and isinstance(member, griffe.Function):
                    self._add_parameters(path, member.parameters)
                elif not name.startswith("_") or name in PROTOCOLS:
                    self._add(f"{path}.{name}", member)

    def _add_parameters(self, path: str, parameters: griffe.Parameters) -> None:
        given = [each for each in parameters if each.name[0] != "_"]
        given = [each for each in given if each.name not in {"self", "cls"}]
        for number, each in enumerate(given, 1):
            kind = each.kind.value if each.kind else ""
            default = "" if "variadic" in kind else self._text(each.default, " = ")
            kind = kind.replace("positional or keyword", f"position {number}")
            annotation = self._text(each.annotation, ": ")
            self._lines.add(f"{path}({each.name}){annotation}{default}  # {kind}")

    def _members(self, item: griffe.Class) -> dict[str, griffe.Object]:
        """Return what a class adds to its public bases."""
        inherited = [self._members(base) for base in self._private_bases(item)]
        own = {name: _target(member) for name, member in item.members.items()}
        return {name: member for members in (*inherited, own) for name, member in members.items()}

    def _text(self, expression: str | griffe.Expr | None, before: str = "") -> str:
        """Return an expression as it is written. The private names in it get lines of their own."""
        if expression is None:
            return ""
        if isinstance(expression, griffe.Expr):
            for part in expression.iterate(flat=True):
                if isinstance(part, griffe.ExprName):
                    self._add_private(part)
        return f"{before}{expression}"

    def _add_private(self, name: griffe.ExprName) -> None:
        """Add what a private name of the package stands for: users' values must fit it."""
        path = name.canonical_path
        if path in {*self._names, *self._private} or not path.startswith(f"{PACKAGE}."):
            return
        self._private.add(path)
        item = self._find(path)
        if isinstance(item, griffe.Attribute):
            self._lines.add(f"{name.name} = {self._text(item.value)}  # in annotations")
        elif isinstance(item, griffe.Class):
            self._add(name.name, item)

    def _private_bases(self, item: griffe.Class) -> Iterator[griffe.Class]:
        for base in item.bases:
            path = base if isinstance(base, str) else base.canonical_path
            if path.startswith(f"{PACKAGE}.") and path not in self._names:
                found = self._find(path)
                assert isinstance(found, griffe.Class)
                yield found

    def _bases(self, item: griffe.Class) -> Iterator[str]:
        """Yield the public bases and those of other packages, also of private bases."""
        for base in item.bases:
            path = base if isinstance(base, str) else base.canonical_path
            if path in self._names or not path.startswith(f"{PACKAGE}."):
                yield self._names.get(path, path)
        for private in self._private_bases(item):
            yield from self._bases(private)


def _target(item: griffe.Object | griffe.Alias) -> griffe.Object:
    return item.final_target if isinstance(item, griffe.Alias) else item


def _default(item: griffe.Attribute) -> str:
    """Return the default of a field. Messages may change, and instances compute their values."""
    if item.value is None or "class-attribute" not in item.labels:
        return ""
    is_message = item.annotation is None and str(item.value)[0] in "'\""
    return "" if is_message else f" = {item.value}"


@pytest.fixture(scope="module")
def package() -> griffe.Module:
    found = griffe.load(PACKAGE, search_paths=[ROOT], resolve_aliases=True)
    assert isinstance(found, griffe.Module)
    return found


def test_the_public_api_is_as_recorded(package: griffe.Module) -> None:
    """A change of a public name, parameter, default or annotation is made on purpose."""
    lines = PublicApi(package).lines_of(documented() | {PACKAGE, f"{PACKAGE}.manifest"})
    text = "\n".join([f"# The public API. To accept a change: {COMMAND}", *lines, ""])
    if os.environ.get("UPDATE_API"):
        GOLDEN.write_text(text)
    recorded = GOLDEN.read_text()
    changes = difflib.unified_diff(
        recorded.splitlines(), text.splitlines(), "recorded", "sources", lineterm="", n=0
    )
    if recorded != text:
        message = (
            f"The public API has changed. If that is intended, run\n  {COMMAND}\n"
            "Keep a removed or renamed name as a deprecated one for a release."
        )
        pytest.fail("\n".join([message, *changes]), pytrace=False)
