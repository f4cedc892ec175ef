"""Text of users, services and engines, made harmless where it is shown."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pulumi_vod_workflow.cli.changes import ABSENT, Change
from pulumi_vod_workflow.cli.preview import HIDDEN, holds
from pulumi_vod_workflow.cli.text import line as visible
from pulumi_vod_workflow.core.values import is_known

LONGEST: Final = 80
"""Characters of a value that are shown."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return no more of a text than fits."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def value_text(value: Any) -> str:
    """Return a value as it is shown: as JSON, or what there is to say of it."""
    if value is ABSENT:
        return "not set"
    if holds(value, HIDDEN):
        return "(secret)"
    if not is_known(value):
        return "(not known yet)"
    return shortened(visible(json.dumps(value, ensure_ascii=False, sort_keys=True)))


def change_text(change: Change, item: str = "") -> str:
    """Return a change, of one item if it is named, as it is shown."""
    path = shortened(visible(f"{item}: {change.path}" if item else change.path))
    if change.before is HIDDEN and change.after is HIDDEN:
        return f"{path}: a secret"
    return f"{path}: {value_text(change.before)} → {value_text(change.after)}"


_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./:=+-]*")


def code(text: str) -> str:
    """
    Return text as code in Markdown, whatever it is made of.

    GitHub looks for no mentions, issues, links or commits in code. What is not plain stands as
    entities, which no Markdown takes for structure.
    """
    text = visible(text)
    if _PLAIN.fullmatch(text):
        return f"`{text}`"
    return f"<code>{entities(text)}</code>"


_HARMLESS: Final = frozenset(" \"'(),;→-=+%?")


def entities(text: str) -> str:
    """Return text with all that Markdown, HTML or GitHub could take for more as entities."""
    return "".join(
        char if char.isalnum() or char in _HARMLESS else f"&#{ord(char)};" for char in visible(text)
    )
