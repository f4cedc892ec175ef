"""What a program predicts of an update: from the JSON of its review, and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

FREE: Final = ("adopted", "taken", "recorded", "waits", "read")
"""The kinds of free changes of version 1."""


Start = tuple[str | None, str | None]
"""The video and the workflow of a start; `None` for what the review does not have."""


@dataclass(frozen=True)
class Prediction:
    """The starts of an update."""

    certain: frozenset[str]
    """ClientTokens of starts that the ledger gains in any case."""
    possible: frozenset[str]
    """ClientTokens of starts that the ledger may gain."""
    certain_others: Counter[Start]
    """Further starts that the ledger gains in any case: their tokens are hidden, or not known."""
    possible_others: Counter[Start]
    """Further starts that the ledger may gain."""
    is_bounded: bool
    """Whether the number of starts has a limit."""

    @classmethod
    def of(cls, review: Mapping[str, Any]) -> Self:
        """Return the prediction of a review in JSON, version 1."""
        assert review["version"] == 1
        assert {part["what"] for part in review["free"]} <= {*FREE}
        named: dict[bool, set[str]] = {True: set(), False: set()}
        others: dict[bool, Counter[Start]] = {True: Counter(), False: Counter()}
        for run in review["runs"]:
            assert run["certain"] == (not run["uncertain"])
            is_certain = run["certain"] and run["maxFailures"] is None
            token = _value(run["clientToken"])
            if token is not None:
                assert run["count"] == 1
                named[is_certain].add(token)
            else:
                start = _value(run["vid"]), _value(run["templateId"])
                others[is_certain][start] += run["count"] or 0
        return cls(
            frozenset(named[True]),
            frozenset(named[False] - named[True]),
            others[True],
            others[False],
            is_bounded=review["starts"]["atMost"] is not None,
        )

    def problems(self, ledger: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what a ledger has, or lacks, against the prediction."""
        starts = [*ledger]
        paid = Counter(start["clientToken"] for start in starts)
        yield from (f"started twice: {token}" for token in paid if paid[token] > 1)
        yield from (f"not started: {token}" for token in self.certain - {*paid})
        rest = [
            (start.get("vid"), start["templateId"])
            for start in starts
            if start["clientToken"] not in self.certain | self.possible
        ]
        # What has more visible values is found first.
        for others, must in ((self.certain_others, True), (self.possible_others, False)):
            for start in sorted(others.elements(), key=lambda each: each.count(None)):
                found = next((each for each in rest if _fits(start, each)), None)
                if found is not None:
                    rest.remove(found)
                elif must:
                    yield f"not started: {start}"
        if self.is_bounded:
            yield from (f"not predicted: {start}" for start in rest)


def _value(side: Mapping[str, Any] | None) -> Any:
    return None if side is None else side.get("value")


def _fits(predicted: Start, paid: Start) -> bool:
    return all(one is None or one == other for one, other in zip(predicted, paid, strict=True))
