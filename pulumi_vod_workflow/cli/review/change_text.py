"""The text of a change: both sides, so that a reader sees their difference."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import MAX_VALUE_CHARS, shorten
from pulumi_vod_workflow.cli.pulumi_files.preview import HIDDEN_SECRET, contains_marker
from pulumi_vod_workflow.cli.review.look_alikes import (
    common,
    confusable_reason,
    distinguishable,
)
from pulumi_vod_workflow.cli.review.value_diff import NOT_SET, Change
from pulumi_vod_workflow.cli.sanitize import escape_invisible
from pulumi_vod_workflow.core.values import is_known

CONTEXT_CHARS: Final = 20
"""Characters that are shown before the first difference of a long value."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a change as text."""

    before: str
    after: str
    alike: str = ""
    """Reason why both look the same; empty if they do not."""


def sides(change: Change) -> Sides:
    """Return both sides of a change, so that their difference is visible."""
    if not (_is_plain(change.before) and _is_plain(change.after)):
        return Sides(_side(change.before), _side(change.after))
    before, after = _json(change.before), _json(change.after)
    alike = confusable_reason(before, after)
    if alike:
        before, after = distinguishable(before, after)
    before, after = escape_invisible(before), escape_invisible(after)
    alone = common(before, after) - CONTEXT_CHARS
    cut = max(0, alone) if max(len(before), len(after)) > MAX_VALUE_CHARS else 0
    start = "…" if cut else ""
    return Sides(shorten(start + before[cut:]), shorten(start + after[cut:]), alike)


def _is_plain(value: Any) -> bool:
    return value is not NOT_SET and not contains_marker(value, HIDDEN_SECRET) and is_known(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _side(value: Any) -> str:
    """Return a value as JSON, or a text for a secret or unknown value."""
    if value is NOT_SET:
        return "not set"
    if contains_marker(value, HIDDEN_SECRET):
        return "(secret)"
    if not is_known(value):
        return "(not known yet)"
    return shorten(escape_invisible(_json(value)))


def change_text(change: Change, item: str = "") -> str:
    """Return a change as text, with the item's key if there is one."""
    path = shorten(escape_invisible(f"{item}: {change.path}" if item else change.path))
    if change.before is HIDDEN_SECRET and change.after is HIDDEN_SECRET:
        return f"{path}: a secret"
    shown = sides(change)
    alike = f" ({shown.alike})" if shown.alike else ""
    return f"{path}: {shown.before} → {shown.after}{alike}"
