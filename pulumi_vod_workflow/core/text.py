"""How messages name a declaration's parts: paths as Pulumi spells them, and the first of many."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

SOURCE: Final = "vid, directUrl"
"""Path of what is wrong with both together."""
MAX_LISTED: Final = 100
"""Keys, or problems, named in one text."""


def property_path(*parts: int | str) -> str:
    """Return a path as Pulumi spells it: `items.key[0]`, or `items["a key"][0]`."""
    if parts == (SOURCE,):
        return SOURCE
    return "".join(map(_step, parts)).removeprefix(".")


def _step(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if part.isidentifier():
        return f".{part}"
    return f"[{json.dumps(part, ensure_ascii=not part.isprintable())}]"


def join_path(path: str, part: str) -> str:
    """Return the path of a part of what is at `path`."""
    return path + ("." if part and not part.startswith("[") else "") + part


def list_names(keys: Collection[str], most: int = MAX_LISTED) -> str:
    """Name the first of many keys, and say how many more there are."""
    shown = ", ".join(list(keys)[:most])
    return shown if len(keys) <= most else f"{shown} and {len(keys) - most:,} more"


def defect_summary(error: Exception) -> str:
    """Return the summary of an error of this package's own code: its class, without its values."""
    return f"a defect of pulumi_vod_workflow ({type(error).__name__})"
