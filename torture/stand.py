"""The parts of a trial: a stack, the emulator, a gate between them, and their records."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE, canonical_type
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.engine.harness import Outcome
from tests.engine.project import Command, Project
from torture.declared import FILE, PROGRAM
from torture.gate import Gate

Inputs = dict[str, Any]


@dataclass
class Declared:
    """The declarations of the program."""

    runs: dict[str, Inputs] = field(default_factory=dict)
    items: dict[str, Inputs] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Inputs]:
        """Runs and items by their unique names."""
        return {**self.runs, **self.items}

    def remove(self, name: str) -> None:
        """Remove a run or item from the program."""
        self.runs.pop(name, None)
        self.items.pop(name, None)


@dataclass
class Said:
    """The preview of an update, its result, and its cost."""

    code: int
    text: str
    promised: int
    """Number of paid starts in the preview."""
    changed: list[tuple[str, str]]
    """All steps of the preview that change a resource."""
    updated: bool
    """Whether an update followed the preview."""
    paid: int = 0
    """Number of new starts in the ledger."""
    joined: int = 0
    """Number of starts that joined an existing run."""
    refused: int = 0
    """Number of starts that the service rejected."""
    questions: frozenset[str] = frozenset()
    """Names of the runs and items with an unknown outcome."""


class Stand:
    """
    A stack at the emulator behind a gate; `with Stand(...) as stand: ...`.

    Args:
        folder: the folder of the stack.
        like: another stack, as a template; saves time. The host is that of this stack, too.
        config: further configuration of the stack.
        settings: settings of the emulator.

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
        """Write the present declarations for the program."""
        text = json.dumps({"runs": self.declared.runs, "items": self.declared.items})
        (self.folder / FILE).write_text(text)

    def begin(self) -> Command:
        """Begin an update, without a preview."""
        self.write()
        return self.project.up()

    def begin_with_preview(self) -> Command:
        """Begin a preview and an update."""
        self.write()
        return self.project.up("--yes")

    def end(self, command: Command) -> Said:
        """Wait for the end of a preview and an update."""
        command.wait()
        return self._said(command)

    def up(self) -> Said:
        """Preview and update."""
        ledger, passages = self.ids, len(self.gate.passages)
        said = self.end(self.begin_with_preview())
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

    def move(self, folder: Path) -> None:
        """
        Go on at another machine, which shares the state of the stack and nothing else.

        Args:
            folder: the machine's folder of the program.

        """
        other = Project(folder, self.gate.url, state_of=self.project, config=self._config)
        self.folder, self.project = folder, self._stack.enter_context(other)
        self.project.program(PROGRAM)

    # -- ledger and state ---------------------------------------------------------------------

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Every accepted, and so paid, start, oldest first."""
        return self.emulator.ledger()

    @property
    def ids(self) -> set[str]:
        """The ids of all paid runs."""
        return {start["runId"] for start in self.ledger}

    @property
    def paid(self) -> Counter[str]:
        """Number of paid starts of each source."""
        return Counter(start["vid"] for start in self.ledger)

    def runs_of(self, vid: str) -> list[str]:
        """Return the ids of a source's runs, oldest first."""
        return [start["runId"] for start in self.ledger if start["vid"] == vid]

    @property
    def recorded(self) -> dict[str, str]:
        """The recorded run id of each run and item, by name."""
        found: dict[str, str] = {}
        for item in self.project.resources:
            kind = canonical_type(item["type"])
            if kind == RUN_TYPE and not item.get("delete"):
                found[item["urn"].rpartition("::")[2]] = item["outputs"]["runId"]
            elif kind == BATCH_TYPE:
                runs = item["outputs"]["runs"]
                found |= {key: run["runId"] for key, run in runs.items()}
        return found


ASKS = "got no response (journal: "
"""A text of the error about a start with an unknown outcome."""
