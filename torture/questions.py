"""The choices of a user about starts with an unknown outcome."""

from __future__ import annotations

import random
from typing import Final

from tests.engine.harness import WAYS
from torture.stand import Said, Stand

KNOWN: Final = ("adopt", "adopt", "again", "forget")
"""Choices, as often as they are drawn, if the ledger has the run."""
UNKNOWN: Final = ("again", "forget")
"""Choices if the ledger does not have the run."""
MONTH: Final = str(30 * 86400)


def rightly(said: Said) -> None:
    """Check that an update with an unknown outcome pays nothing, and names all choices."""
    assert said.code != 0, said.text
    assert not said.updated, f"a question must be put by the preview:\n{said.text}"
    assert (said.paid, said.joined) == (0, 0), f"it asked and paid:\n{said.text}"
    for way in WAYS:
        assert way in said.text, f"it does not name {way!r}:\n{said.text}"


def answer(
    stand: Stand, asked: Said, chance: random.Random, *, resend: float = 0.25
) -> tuple[Said, dict[str, str]]:
    """
    Choose for all starts with an unknown outcome, and update, until no choice is left.

    The engine may stop at the first start. Then the next update names the next one.

    Args:
        stand: the stack.
        asked: the update that requires choices.
        chance: decides the choices.
        resend: the probability of a second send of all starts, which may pay twice.

    Returns:
        The last update, and the choice for each source.

    """
    anew = chance.random() < resend
    if anew:
        stand.project.configure(vod_resendWithin=MONTH)
    ways: dict[str, str] = {}
    while asked.questions:
        rightly(asked)
        for name in sorted(asked.questions):
            inputs = stand.declared.all[name]
            assert inputs["vid"] not in ways, f"it asks again:\n{asked.text}"
            runs = stand.runs_of(inputs["vid"])
            way = "resend" if anew else chance.choice(KNOWN if runs else UNKNOWN)
            if way == "adopt":
                inputs["existing_run_id"] = runs[-1]
            elif way == "again":
                another = str(len(stand.gate.passages))
                inputs["triggers"] = {**inputs.get("triggers", {}), "again": another}
            elif way == "forget":
                stand.declared.remove(name)
            ways[inputs["vid"]] = way
        asked = stand.up()
    return asked, ways
