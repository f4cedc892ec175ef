"""What a person does when asked about starts that may have been accepted: one of three ways."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from torture.stand import Said, Stand

THREE_WAYS: Final = (
    "adopt it: existing_run_id",
    "start again: add or change a trigger",
    "forget it: remove it",
)
"""What a question names."""
KNOWN: Final = ("adopt", "adopt", "again", "forget")
"""Ways on, as often as they are drawn, where the ledger has the run."""
UNKNOWN: Final = ("again", "forget")
"""The same where it does not."""
PAID_WAYS: Final = frozenset({"again", "resend"})
"""Ways on that may be paid."""
MONTH: Final = str(30 * 86400)


def rightly(said: Said) -> None:
    """Hold an update that asks to what it owes: it pays nothing, and names the ways on."""
    assert said.code != 0, said.text
    assert not said.updated, f"a question must be put by the preview:\n{said.text}"
    assert (said.paid, said.joined) == (0, 0), f"it asked and paid:\n{said.text}"
    for way in THREE_WAYS:
        assert way in said.text, f"it does not name {way!r}:\n{said.text}"


def answer(
    stand: Stand, questions: Iterable[str], chance: random.Random, *, resend: float = 0.25
) -> dict[str, str]:
    """
    Answer for runs and items by their names, and return the way that was taken for each source.

    Args:
        stand: where it is asked.
        questions: of which runs and items.
        chance: decides the ways.
        resend: how likely it is that all are just sent again, which may pay twice, as said.

    """
    anew = chance.random() < resend
    if anew:
        stand.project.configure(vod_resendWithin=MONTH)
    ways: dict[str, str] = {}
    for name in sorted(questions):
        inputs = stand.declared.all[name]
        runs = stand.runs_of(inputs["vid"])
        way = "resend" if anew else chance.choice(KNOWN if runs else UNKNOWN)
        if way == "adopt":
            inputs["existing_run_id"] = runs[-1]
        elif way == "again":
            inputs["triggers"] = {**inputs.get("triggers", {}), "again": "1"}
        elif way == "forget":
            stand.declared.remove(name)
        ways[inputs["vid"]] = way
    return ways
