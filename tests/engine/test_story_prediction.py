"""From the JSON of a review alone, a program knows what the ledger gains by the update."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.engine.prediction import Prediction
from tests.engine.project import Project
from tests.engine.test_story_review import CHANGES, Change, declare_changes, preview, reviewed
from tests.scale import TORTURE, scaled
from torture.crash import crash
from torture.stand import Stand

pytestmark = [pytest.mark.hosts("dynamic", torture="plugin"), pytest.mark.torture]
GROUPS = 12
"""Number of stacks that share the changes of the suite."""
NEEDED = {"base", "moving"}
"""Resources that the programs of others use."""


def groups() -> Iterator[list[Change]]:
    """Yield every change in some stack, with the changes that its program uses."""
    names = {change.name: change for change in CHANGES}
    variables = {
        match[1]: change.name
        for change in CHANGES
        if (match := re.match(r"(\w+) = ", change.after or change.before))
    }

    def used(change: Change) -> set[str]:
        text = f"{change.before} {change.after}"
        found = {
            name for variable, name in variables.items() if re.search(rf"\b{variable}\b", text)
        }
        found |= {name for name in names if re.search(rf"(RUN-OF-|['=]){name}[.')]", text)}
        return found

    for first in range(GROUPS):
        wanted = {change.name for change in CHANGES[first::GROUPS]} | NEEDED
        while more := {other for name in wanted for other in used(names[name])} - wanted:
            wanted |= more
        yield [change for change in CHANGES if change.name in wanted]


@pytest.mark.skipif(not TORTURE, reason="test_story_review.py has the same changes in one stack")
@pytest.mark.parametrize("changes", [*groups()])
def test_changes_in_stacks_of_their_own_are_predicted(
    like: Project, tmp_path: Path, changes: Sequence[Change]
) -> None:
    """A change is predicted without most of the others beside it, too."""
    settings = EmulatorSettings(rate_limit=0, pending_seconds=1000, running_seconds=1000)
    with VodEmulator(settings) as emulator, Project(tmp_path, emulator.url, like=like) as project:

        def declare(*lines: str) -> None:
            declare_changes(project, emulator, lines)

        declare(*(change.before for change in changes if change.ended))
        project.command("up", "--yes", "--skip-preview", "--stack", "dev")
        emulator.advance(3000)
        declare(*(change.before for change in changes))
        project.command("up", "--yes", "--skip-preview", "--refresh", "--stack", "dev")
        before = len(emulator.ledger())
        declare(*(change.after for change in changes))
        urns = {each["urn"].rpartition("::")[2]: each["urn"] for each in project.resources}
        forced = [
            option
            for change in changes
            if change.replace
            for option in ("--replace", urns[change.name])
        ]
        review = json.loads(reviewed(preview(project, *forced), "--format=json"))
        project.command("up", "--yes", "--skip-preview", "--stack", "dev", *forced)
        assert [*Prediction.of(review).problems(emulator.ledger()[before:])] == []


def test_each_item_of_a_killed_batch_is_predicted(like: Project, tmp_path: Path) -> None:
    """Of more items than a message names, too: those that the journal has, and those to start."""
    count = scaled(8, 260)
    rate = str(scaled(2, 50))  # so slow that the kill comes before the last start
    config = {"vod:resendWithin": "600", "vod:requestsPerSecond": rate}
    with Stand(tmp_path / "stand", like, config) as stand:
        stand.declared.items = {f"k{n:03}": {"vid": f"v{n}", "template_id": "t"}
                                for n in range(count)}  # fmt: skip
        assert crash(stand, "group", "answered", count // 2, random.Random(1))
        stand.write()
        before = stand.ledger
        review = json.loads(reviewed(preview(stand.project), "--format=json"))
        assert {run["count"] for run in review["runs"]} == {1}
        assert all("value" in run["clientToken"] for run in review["runs"])
        taken = {part["item"] for part in review["free"] if part["what"] == "taken"}
        assert len(taken) + len(review["runs"]) == count
        assert len(taken) >= count // 2 - 64
        stand.project.command("up", "--yes", "--skip-preview", "--stack", "dev")
        gained = stand.ledger[len(before) :]
        assert [*Prediction.of(review).problems(gained)] == []
        assert len(stand.ledger) == count
