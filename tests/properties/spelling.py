"""How a declaration is spelled: its names, its paths, and what it is on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tests.properties.model import RUN, Json, Many, Named, Node, Obj

START: Final = ("vid", "directUrl", "templateId", "input", "priority", "callbackArgs",
                "enableLowPriority", "taskListId")  # fmt: skip
"""What is sent."""
Place = tuple[Any, str | int, str]
"""What holds a part, its key there, and what the model calls it."""


def snake(name: str) -> str:
    """Return a field as Python spells it."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def pascal(name: str) -> str:
    """Return a field as it is on the wire."""
    return name[0].upper() + name[1:]


def path_of(path: str, *parts: str | int) -> str:
    """Return the path of a part."""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}" if path else part
        else:
            path += f"[{json.dumps(part, ensure_ascii=not part.isprintable())}]"
    return path


def spelled(value: Any, node: Node | None, bits: int) -> Any:
    """Return `value` with its fields' names in one of both spellings, each as a bit says."""
    count = 0

    def respell(value: Any, node: Node | None) -> Any:
        nonlocal count
        if isinstance(node, Many) and isinstance(value, list):
            return [respell(item, node.item) for item in value]
        if not isinstance(node, Obj) or not isinstance(value, dict):
            return value
        result = {}
        for key, item in value.items():
            count += 1
            right = key
            if key in node.fields and bits >> count % 31 & 1 and snake(key) not in value:
                right = snake(key)
            result[right] = respell(item, node.fields.get(key))
        return result

    return respell(value, node)


def places(value: Any, node: Node | None = None, name: str = "") -> Iterator[Place]:
    """Go through all parts of a declaration."""
    node = node or RUN
    if isinstance(node, Obj):
        for key, part in value.items():
            called = f"{name}.{key}" if name else key
            yield value, key, called
            yield from places(part, node.fields[key], called)
    elif isinstance(node, Many):
        for index, part in enumerate(value):
            yield value, index, f"{name}[]"
            yield from places(part, node.item, f"{name}[]")
    elif isinstance(node, Named):
        for key in value:
            yield value, key, f"{name}.*"


def names(node: Node, name: str = "") -> Iterator[str]:
    """Go through the names of all places that there are."""
    if isinstance(node, Obj):
        for key, part in node.fields.items():
            called = f"{name}.{key}" if name else key
            yield called
            yield from names(part, called)
    elif isinstance(node, Many):
        yield f"{name}[]"
        yield from names(node.item, f"{name}[]")
    elif isinstance(node, Named):
        yield f"{name}.*"


def on_the_wire(declared: Json) -> Json:
    """Return what the service is to be sent: defaults, and what is empty, are not said."""
    unsaid = {"priority": 0, "callbackArgs": "", "enableLowPriority": False}
    start = {key: _wire(declared[key], RUN.fields[key]) for key in START if key in declared}
    return {
        pascal(key): value
        for key, value in start.items()
        if value not in ({}, []) and not (key in unsaid and value == unsaid[key])
    }


def _wire(value: Any, node: Node) -> Any:
    if isinstance(node, Many):
        return [_wire(item, node.item) for item in value]
    if isinstance(node, Obj):
        parts = {pascal(key): _wire(item, node.fields[key]) for key, item in value.items()}
        return {key: item for key, item in parts.items() if item not in ({}, [])}
    return value
