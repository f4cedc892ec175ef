"""Names of properties and lists of names in messages."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

SOURCE: Final = "vid, directUrl"
"""The path of a problem of both properties."""

NOT_SENT_TEXT: Final = "not sent, because the batch stopped at max_failures"
"""The reason of an item without a run, for people."""

MAX_LISTED: Final = 100
"""The number of keys, or of problems, in one text."""


def pluralise(number: int, what: str) -> str:
    """Return `1 run`, `2 runs`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def property_path(*parts: int | str) -> str:
    """Return a path in Pulumi's spelling: `items.key[0]`, or `items["a key"][0]`."""
    if parts == (SOURCE,):
        return SOURCE
    return "".join(map(_step, parts)).removeprefix(".")


def _step(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if part.isidentifier():
        return f".{part}"
    # A control character could change the user's terminal, so an unprintable key is escaped.
    return f"[{json.dumps(part, ensure_ascii=not part.isprintable())}]"


def join_path(path: str, part: str) -> str:
    """Return the path of a part of the value at `path`."""
    return path + ("." if part and not part.startswith("[") else "") + part


def list_names(keys: Collection[str], max_listed: int = MAX_LISTED) -> str:
    """Return the first `max_listed` keys, and the number of further keys."""
    shown = ", ".join(list(keys)[:max_listed])
    return shown if len(keys) <= max_listed else f"{shown} and {len(keys) - max_listed:,} more"


def defect_summary(error: Exception) -> str:
    """Return the summary of an error of this package's own code: its class, without its values."""
    return f"a defect of pulumi_vod_workflow ({type(error).__name__})"


def as_one_line(text: str) -> str:
    """Return the lines of an error as sentences of one line, for a list of errors."""
    return " ".join(line.rstrip(".") + "." for line in text.split("\n"))
