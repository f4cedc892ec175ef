"""What a trial is made on: a stack, the emulator, a gate between them, and the books of it all."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.engine.harness import BATCH_TYPE, RUN_TYPE, Outcome
from tests.engine.project import Command, Project
from torture.declared import FILE, PROGRAM
from torture.gate import Gate

Inputs = dict[str, Any]


@dataclass
class Declared:
    """What the program declares."""

    runs: dict[str, Inputs] = field(default_factory=dict)
    items: dict[str, Inputs] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Inputs]:
        """Runs and items by their names, of which there are no two alike."""
        return {**self.runs, **self.items}

    def remove(self, name: str) -> None:
        """Declare a run or item no more."""
        self.runs.pop(name, None)
        self.items.pop(name, None)


@dataclass
class Said:
    """What an update promised in its preview, did, and cost."""

    code: int
    text: str
    promised: int
    """The starts that its preview showed as paid."""
    changed: list[tuple[str, str]]
    """What its preview showed besides leaving things as they are."""
    updated: bool
    """Whether it went on after its preview."""
    paid: int = 0
    """What the ledger gained."""
    joined: int = 0
    """Starts that the service answered with a run it had."""
    refused: int = 0
    """Starts that the service did not accept."""
    questions: frozenset[str] = frozenset()
    """Names of the runs and items of which it asks what to do."""


class Stand:
    """
    A stack at the emulator behind a gate; `with Stand(...) as stand: ...`.

    Args:
        folder: where all of it is made.
        like: another stack, whose making is spared.
        config: more of the stack's configuration.
        settings: of the emulator.

    """

    def __init__(
        self,
        folder: Path,
        like: Project | None = None,
        config: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.folder, self._like, self._config = folder, like, config
        usual = {"rate_limit": 0, "pending_seconds": 1000.0, "running_seconds": 1000.0}
        self.emulator = VodEmulator(EmulatorSettings(**{**usual, **settings}))
        self.declared = Declared()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.emulator)
            self.gate = stack.enter_context(Gate(self.emulator.url))
            self.project = stack.enter_context(
                Project(self.folder, self.gate.url, like=self._like, config=self._config)
            )
            self.project.program(PROGRAM)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self) -> None:
        """Have the program declare what is declared now."""
        text = json.dumps({"runs": self.declared.runs, "items": self.declared.items})
        (self.folder / FILE).write_text(text)

    def begin(self) -> Command:
        """Begin an update, without a preview."""
        self.write()
        return self.project.up()

    def up(self) -> Said:
        """Preview and update."""
        self.write()
        ledger, passages = self.ids, len(self.gate.passages)
        command = self.project.up("--yes")
        command.wait()
        said = self._said(command)
        paid = self.ids - ledger
        said.paid = len(paid)
        for passage in self.gate.passages[passages:]:
            said.refused += passage.status != 200
            said.joined += passage.status == 200 and passage.run_id not in paid
        return said

    def preview(self) -> Said:
        """Preview only."""
        self.write()
        command = self.project.start("preview", "--stack", self.project.stack)
        command.wait()
        return self._said(command)

    def _said(self, command: Command) -> Said:
        outcome, text = Outcome(""), command.said
        preludes = [i for i, event in enumerate(command.events) if event.prelude_event]
        second = preludes[1] if len(preludes) > 1 else len(command.events)
        questions: set[str] = set()
        for event in command.events[:second]:
            outcome.see(event)
        for event in command.events:
            told = event.diagnostic_event
            if told is not None and told.severity == "error" and ASKS in told.message:
                questions |= self._asked(told.urn or "", told.message)
        return Said(
            code=command.process.returncode,
            text=text,
            promised=outcome.starts,
            changed=outcome.changed,
            updated=len(preludes) > 1,
            questions=frozenset(questions),
        )

    def _asked(self, urn: str, message: str) -> set[str]:
        name = urn.rpartition("::")[2]
        if name in self.declared.runs:
            return {name}
        return set(re.findall(r"\w+", message)) & set(self.declared.items)

    # -- the books ----------------------------------------------------------------------------

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Every start that was accepted, and so is paid, oldest first."""
        return self.emulator.ledger()

    @property
    def ids(self) -> set[str]:
        """The ids of all runs that are paid."""
        return {start["runId"] for start in self.ledger}

    @property
    def paid(self) -> Counter[str]:
        """How often each source was paid for."""
        return Counter(start["vid"] for start in self.ledger)

    def runs_of(self, vid: str) -> list[str]:
        """Return the ids of a source's runs, oldest first."""
        return [start["runId"] for start in self.ledger if start["vid"] == vid]

    @property
    def recorded(self) -> dict[str, str]:
        """The run id that the state has of each run and item, by name."""
        found: dict[str, str] = {}
        for item in self.project.resources:
            if item["type"] == RUN_TYPE and not item.get("delete"):
                found[item["urn"].rpartition("::")[2]] = item["outputs"]["runId"]
            elif item["type"] == BATCH_TYPE:
                runs = item["outputs"]["runs"]
                found |= {key: run["runId"] for key, run in runs.items()}
        return found


ASKS = "got no response (journal: "
"""In the text of what stops because nobody can tell whether a run exists."""
