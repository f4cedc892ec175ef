"""What a person does when asked about starts that may have been accepted: one of three ways."""

from __future__ import annotations

import random
from typing import Final

from tests.engine.harness import WAYS
from torture.stand import Said, Stand

KNOWN: Final = ("adopt", "adopt", "again", "forget")
"""Ways on, as often as they are drawn, where the ledger has the run."""
UNKNOWN: Final = ("again", "forget")
"""The same where it does not."""
MONTH: Final = str(30 * 86400)


def rightly(said: Said) -> None:
    """Hold an update that asks to what it owes: it pays nothing, and names the ways on."""
    assert said.code != 0, said.text
    assert not said.updated, f"a question must be put by the preview:\n{said.text}"
    assert (said.paid, said.joined) == (0, 0), f"it asked and paid:\n{said.text}"
    for way in WAYS:
        assert way in said.text, f"it does not name {way!r}:\n{said.text}"


def answer(
    stand: Stand, asked: Said, chance: random.Random, *, resend: float = 0.25
) -> tuple[Said, dict[str, str]]:
    """
    Answer for all that is asked about, and update, until nothing is asked any more.

    The engine may stop at the first question: then the next one comes with the next update.

    Args:
        stand: where it is asked.
        asked: the update that asks.
        chance: decides the ways.
        resend: how likely it is that all are just sent again, which may pay twice, as said.

    Returns:
        The last update, and the way that was taken for each source.

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
