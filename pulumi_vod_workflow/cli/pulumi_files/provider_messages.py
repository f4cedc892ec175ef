"""
What the providers have said in a preview, for only they know it: the journal, and secret values.

The lines are those of `_provider` and of `BatchPlan.described`, whose fixed words they share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pulumi_vod_workflow.cli.pulumi_files.preview import Diagnostic
from pulumi_vod_workflow.core.batch.changes import STARTS_NONE, STARTS_SOME, UNCLEAR
from pulumi_vod_workflow.core.batch.changes import TAKES_OVER as ITEMS_TAKEN
from pulumi_vod_workflow.core.recovery import REUSES_RUN as RUN_TAKEN
from pulumi_vod_workflow.core.recovery import SENT_AGAIN_MESSAGE

_RUN_TAKEN: Final = re.compile(re.escape(RUN_TAKEN).replace(r"\{\}", r"(\S+)"))
_STARTS: Final = re.compile(
    re.escape(STARTS_SOME).replace(r"\{\}", r"([\d,]+)") + "(?P<which>.*)", re.DOTALL
)
_NONE: Final = re.compile(re.escape(STARTS_NONE).replace(r"\{\}", r"[\d,]+"))
_ADOPTS: Final = "adopts, which is free: "


@dataclass(frozen=True, slots=True)
class Told:
    """The lines on one resource's row."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def taken(self) -> str | None:
        """The id of the run that is taken over, if one is."""
        found = [match[1] for match in map(_RUN_TAKEN.match, self.lines) if match]
        return found[-1] if found else None

    @property
    def sent_again(self) -> bool:
        """Whether something may have been started before, and would then be joined."""
        return any(line == SENT_AGAIN_MESSAGE or UNCLEAR in line for line in self.lines)

    @property
    def items_to_start(self) -> int | None:
        """How many items of a batch are started; `None` if nothing is said of it."""
        # Of a replacement both the comparison and the new batch tell; the latter counts.
        for line in reversed(self.lines):
            if match := _STARTS.match(line):
                return int(match[1].replace(",", ""))
            if _NONE.match(line):
                return 0
        return None

    @property
    def all_known(self) -> bool:
        """Whether no item is started for something that is not known yet."""
        return not any("not known yet" in line for line in self.lines)

    def starts(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Return which of the items the line of those to start names."""
        found = [match["which"] for match in map(_STARTS.match, self.lines) if match]
        return _named_in(found[-1] if found else "", keys)

    def takes(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Return which of the items are taken over, as far as they are named."""
        return _named_in(self._after(ITEMS_TAKEN), keys)

    def adopts(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Return which of the items adopt a run, as far as they are named."""
        return _named_in(self._after(_ADOPTS), keys)

    def _after(self, words: str) -> str:
        found = [line.removeprefix(words) for line in self.lines if line.startswith(words)]
        return found[-1] if found else ""


def _named_in(text: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the keys that stand in a list, alone between its separators."""
    if not text:
        return ()
    return tuple(
        key
        for key in keys
        if key in text
        and re.search(rf"(?:^|, |: ){re.escape(key)}(?:, |; | and [\d,]+ more|$)", text)
    )


def told_in(diagnostics: Collection[Diagnostic]) -> Mapping[str, Told]:
    """Return URN -> what was said of it."""
    lines: dict[str, list[str]] = defaultdict(list)
    warnings: dict[str, list[str]] = defaultdict(list)
    for item in diagnostics:
        if item.urn:
            text = item.text.removeprefix("warning: ")
            if item.severity != "warning":
                lines[item.urn].append(text)
            else:
                warnings[item.urn].append(text)
    return {urn: Told(tuple(lines[urn]), tuple(warnings[urn])) for urn in {*lines, *warnings}}


def told_of_all(diagnostics: Collection[Diagnostic]) -> tuple[str, ...]:
    """Return what our providers said of the operation as a whole: where runs are started."""
    found = [item.text for item in diagnostics if not item.urn]
    return tuple(dict.fromkeys(text for text in found if text.startswith("vod: ")))
