"""
Stories on the real engine: a program, a file backend, the emulator, and the emulator's ledger.

Programs run inside the test process through the Automation API; the engine, the dynamic provider
host and the emulator's socket are the real ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pulumi
from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode
from pulumi.runtime.rpc import UNKNOWN

import pulumi_vod_workflow
from pulumi_vod_workflow import WorkflowRun
from pulumi_vod_workflow.config.journal_location import BESIDE_STATE, JOURNAL_NAME
from pulumi_vod_workflow.core.plan_message import parse_plan_message
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    RUN_TYPE,
    canonical_type,
    type_of_urn,
)
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from tests.engine.vault import LINES, PROVIDER, Vault

OUR_TYPES: Final = frozenset({RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE})
WAYS = (
    "hint: adopt the run: set `existing_run_id`",
    "hint: or start again: add or change a trigger",
    "hint: or discard the start: remove it",
)
"""What a question about a start that was never answered names."""
PACKAGE = str(Path(pulumi_vod_workflow.__file__).parent)
MONITOR_ENDED = "pulumi.errors.RunError: Resource monitor has terminated, shutting down"
RPC_ENDED = 'details = "resource monitor shut down while'
PROJECT: Final = "story"
NAME: Final = "test"
"""A stack's first name."""
STACK_TYPE: Final = "pulumi:pulumi:Stack"
NO_SUMMARY: Final = auto.UpdateSummary("none", datetime.min.replace(tzinfo=UTC), "", {}, {}, "none")
Program = Callable[[], None]


def is_noise_of_the_sdk(said: auto.DiagnosticEvent) -> bool:
    """
    Return whether an event is the SDK's debug message about a failed resource of any provider.

    Newer engines end the SDK's calls after a failure, and the SDK logs the traceback at the level
    debug. The user sees one line without a traceback: MONITOR_ENDED without the class.
    """
    text = said.message.strip()
    has_ended = text.endswith(MONITOR_ENDED) or RPC_ENDED in text
    return said.severity == "debug" and has_ended and PACKAGE not in text


@dataclass
class Outcome:
    """What one command said, did, and showed."""

    text: str
    ops: list[tuple[str, str]] = field(default_factory=list)
    """(operation, resource name) of each step on one of our resources."""
    runs: set[str] = field(default_factory=set)
    """Names of the resources that are WorkflowRuns."""
    items: dict[str, int] = field(default_factory=dict)
    """How many items of each batch, by its name, it says it starts."""
    adopted: set[str] = field(default_factory=set)
    """Names of resources that take an existing run: creating them is free, and said to be."""
    outputs: dict[str, Any] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(resource name, text) of each line that is shown on a resource's row, or on none's."""
    failed: bool = False

    def see(self, event: auto.EngineEvent) -> None:
        """Take note of what the engine tells."""
        step = event.resource_pre_event
        kind = canonical_type(step.metadata.type) if step is not None else ""
        if step is not None and kind in OUR_TYPES:
            name = step.metadata.urn.rpartition("::")[2]
            if kind == RUN_TYPE:
                self.runs.add(name)
            op = str(getattr(step.metadata.op, "value", step.metadata.op))
            new = step.metadata.new
            existing = (new.inputs or {}).get("existingRunId") if new is not None else None
            # A refresh before a plan has the recorded inputs.
            if op != "refresh" and existing not in {None, UNKNOWN}:
                self.adopted.add(name)
            self.ops.append((op, name))
        said = event.diagnostic_event
        if said is not None:
            name, text = (said.urn or "").rpartition("::")[2], said.message.strip()
            plan = parse_plan_message(text)
            if plan is not None:
                if type_of_urn(said.urn or "") == BATCH_TYPE:
                    self.items[name] = self.items.get(name, 0) + (plan.start_count or 0)
                if plan.reuses.count:
                    self.adopted.add(name)
            if said.severity != "debug":
                self.lines.append((name, text))

    @property
    def starts(self) -> int:
        """How many runs the command says it starts."""
        creates = {"create", "create-replacement"}
        paid = self.runs - self.adopted
        runs = sum(op in creates and name in paid for op, name in self.ops)
        return sum(self.items.values()) + runs

    @property
    def changed(self) -> list[tuple[str, str]]:
        """What the command does besides leaving things as they are."""
        return [(op, name) for op, name in self.ops if op not in {"same", "refresh"}]

    def of(self, owner: str) -> Outcome:
        """Return what it said, did and showed of the resources `owner` and `owner-...`."""

        def is_owned(name: str) -> bool:
            return name == owner or name.startswith(f"{owner}-")

        lines = [(name, text) for name, text in self.lines if is_owned(name)]
        return Outcome(
            "\n".join(text for _, text in lines),
            ops=[(op, name) for op, name in self.ops if is_owned(name)],
            runs={name for name in self.runs if is_owned(name)},
            items={name: count for name, count in self.items.items() if is_owned(name)},
            adopted={name for name in self.adopted if is_owned(name)},
            outputs=self.outputs,
            lines=lines,
            failed=self.failed,
        )


def run(name: str = "run", opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> Program:
    """Return a program that declares one run."""
    declared = {"vid": "v1", "template_id": "t1", **inputs}

    def program() -> None:
        WorkflowRun(name, opts, **{k: v for k, v in declared.items() if v is not ...})

    return program


class Workspace(auto.LocalWorkspace):
    """
    A workspace of the Automation API in which every command names its stack.

    Args:
        folder: of the project, with its state.
        command: the engine.
        vault: keeper of the key of the stacks' secrets.

    """

    def __init__(self, folder: Path, command: auto.PulumiCommand, vault: Vault) -> None:
        backend = f"file://{folder / 'state'}"
        super().__init__(
            work_dir=str(folder),
            pulumi_command=command,
            pulumi_home=str(folder / "home"),
            project_settings=auto.ProjectSettings(
                PROJECT, "python", backend=auto.ProjectBackend(backend), main=str(Path.cwd())
            ),
            secrets_provider=PROVIDER,
            env_vars={
                **vault.environ,
                "PULUMI_CONFIG_PASSPHRASE": "",  # of recorded states
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_BACKEND_URL": backend,
            },
        )

    def select_stack(self, stack_name: str) -> None:
        """Spare a start of the engine."""


class Stack(auto.Stack):
    """
    A stack of which nothing is asked twice.

    The Automation API starts the engine three times after an update, for outputs and a summary.
    The outputs are in the state's file; no test looks at the summary.
    """

    _decrypted: tuple[str, Mapping[str, Any]] = ("", {})
    """The text of a state with secrets, and what the engine has decrypted of it."""

    @property
    def state_file(self) -> Path:
        """The file of the state: a story may put an earlier copy back, or edit it."""
        folder = Path(self.workspace.work_dir) / "state" / ".pulumi" / "stacks" / PROJECT
        return folder / f"{self.name}.json"

    @property
    def deployment(self) -> Mapping[str, Any]:
        """The state, from its file; the engine is asked where secrets are to be decrypted."""
        text = self.state_file.read_text()
        if '"ciphertext"' in text:
            if self._decrypted[0] != text:
                self._decrypted = text, self.export_stack().deployment or {}
            return self._decrypted[1]
        latest: Mapping[str, Any] | None = json.loads(text)["checkpoint"].get("latest")
        return latest or {}

    def outputs(self) -> auto.OutputMap:
        """Return the stack's outputs; secret ones are as the state has them."""
        resources = self.deployment.get("resources", [])
        [outputs] = [item.get("outputs", {}) for item in resources if item["type"] == STACK_TYPE]
        return {name: auto.OutputValue(value, secret=False) for name, value in outputs.items()}

    def info(self, show_secrets: bool = True) -> auto.UpdateSummary:
        """Spare a start of the engine."""
        return NO_SUMMARY


def new_stack(folder: Path, command: auto.PulumiCommand, vault: Vault) -> Path:
    """Make an empty stack, for stories to begin with a copy of it, and return its folder."""
    (folder / "state").mkdir(parents=True)
    auto.Stack.create(NAME, Workspace(folder, command, vault))
    return folder


class Story:
    """
    A stack and its service; every command checks that nothing of our code is traced back.

    Args:
        emulator: the service.
        folder: where the stack is made.
        command: the engine.
        new: the folder of an empty stack.
        vault: keeper of the key of the stack's secrets.

    """

    def __init__(
        self,
        emulator: VodEmulator,
        folder: Path,
        command: auto.PulumiCommand,
        new: Path,
        vault: Vault,
    ) -> None:
        self.emulator = emulator
        self.folder = folder
        self.state = folder / "state"
        shutil.copytree(new / "state", self.state)
        shutil.copy(new / f"Pulumi.{NAME}.yaml", folder)
        self.config = {**emulator.config}
        self.shown = Outcome("")
        """The last preview of `pays`."""
        self.write_config()
        # Otherwise each story would begin with an export of the stack, which takes 0.4 s.
        journal = SqliteJournal(self.state / ".pulumi" / JOURNAL_NAME, BESIDE_STATE)
        journal.import_pending(PROJECT, NAME, [])
        self.stack = Stack(NAME, Workspace(folder, command, vault), StackInitMode.SELECT)

    def write_config(self, **changes: str) -> None:
        self.config |= {key.replace("_", ":"): value for key, value in changes.items()}
        path = self.folder / f"Pulumi.{NAME}.yaml"
        key = [line for line in path.read_text().splitlines() if line.startswith(LINES)]
        lines = [*key, "config:", *(f"  {k}: {json.dumps(v)}" for k, v in self.config.items())]
        path.write_text("\n".join(lines) + "\n")

    def _run(self, command: Callable[..., Any], **options: Any) -> Outcome:
        said: list[str] = []
        outcome = Outcome("")

        def on_event(event: auto.EngineEvent) -> None:
            outcome.see(event)
            told = event.diagnostic_event
            if told is None or is_noise_of_the_sdk(told):
                return
            if told.severity != "debug" or not parse_plan_message(told.message.strip()):
                said.append(told.message)

        try:
            result = command(on_event=on_event, on_output=said.append, color="never", **options)
        except auto.CommandError as error:
            outcome.failed = True
            said.append(str(error))
        else:
            outputs = getattr(result, "outputs", {})
            outcome.outputs = {key: item.value for key, item in outputs.items()}
        outcome.text = "\n".join(said)
        assert "Traceback" not in outcome.text, outcome.text
        return outcome

    def preview(self, program: Program, **options: Any) -> Outcome:
        self.stack.workspace.program = program
        return self._run(self.stack.preview, **options)

    def try_up(self, program: Program, **options: Any) -> Outcome:
        """Up, which may fail."""
        self.stack.workspace.program = program
        return self._run(self.stack.up, **options)

    def up(self, program: Program, **options: Any) -> Outcome:
        outcome = self.try_up(program, **options)
        assert not outcome.failed, outcome.text
        return outcome

    def failing_up(self, program: Program, **options: Any) -> Outcome:
        outcome = self.try_up(program, **options)
        assert outcome.failed
        return outcome

    def refresh(self) -> Outcome:
        outcome = self._run(self.stack.refresh)
        assert not outcome.failed, outcome.text
        return outcome

    def refresh_with(self, program: Program) -> Outcome:
        """Refresh with `--run-program`."""
        self.stack.workspace.program = program
        return self._run(self.stack.refresh, run_program=True)

    def failing_refresh(self) -> Outcome:
        outcome = self._run(self.stack.refresh)
        assert outcome.failed
        return outcome

    def destroy(self) -> Outcome:
        outcome = self._run(self.stack.destroy)
        assert not outcome.failed, outcome.text
        return outcome

    def pays(self, program: Program, starts: int, **options: Any) -> Outcome:
        """Preview, then up: what was promised is what the ledger gains, and both are `starts`."""
        return self.pays_for(program, promised=starts, paid=starts, **options)

    def pays_for(self, program: Program, *, promised: int, paid: int, **options: Any) -> Outcome:
        """Preview, then up, where the service refuses some of the starts that were shown."""
        before = len(self.emulator.ledger())
        self.shown = preview = self.preview(program, **options)
        assert not preview.failed, preview.text
        assert len(self.emulator.ledger()) == before, "a preview starts nothing"
        outcome = self.up(program, **options)
        assert sorted(outcome.changed) == sorted(preview.changed), f"{outcome.ops} {preview.ops}"
        counts = preview.starts, len(self.emulator.ledger()) - before
        assert counts == (promised, paid), f"{counts}: {preview.lines}"
        return outcome

    def stays(self, program: Program, **options: Any) -> Outcome:
        """Up: nothing changes, and nothing is paid."""
        before = len(self.emulator.ledger())
        outcome = self.up(program, **options)
        assert outcome.changed == [], outcome.changed
        assert len(self.emulator.ledger()) == before
        return outcome

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change each of our resources in the state, which has no secrets."""
        state = json.loads(self.stack.state_file.read_text())
        for item in state["checkpoint"]["latest"]["resources"]:
            if canonical_type(item["type"]) in OUR_TYPES:
                change(item)
        self.stack.state_file.write_text(json.dumps(state))

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a canonical type in the state, by name."""
        return {
            item["urn"].rpartition("::")[2]: item
            for item in self.stack.deployment.get("resources", [])  # an empty stack has none
            if canonical_type(item["type"]) == kind
        }

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The runs in the state, by name."""
        return self.of_type(RUN_TYPE)

    @property
    def batches(self) -> dict[str, dict[str, Any]]:
        """The outputs of the batches, by name."""
        return {name: item["outputs"] for name, item in self.of_type(BATCH_TYPE).items()}

    @property
    def batch(self) -> dict[str, Any]:
        """The outputs of the only batch."""
        [outputs] = self.batches.values()
        return outputs

    @property
    def completion(self) -> dict[str, Any]:
        """The outputs of the only completion."""
        [resource] = self.of_type(COMPLETION_TYPE).values()
        outputs: dict[str, Any] = resource["outputs"]
        return outputs

    @property
    def run(self) -> dict[str, Any]:
        """The outputs of the only run."""
        [resource] = self.resources.values()
        outputs: dict[str, Any] = resource["outputs"]
        return outputs

    def ledger_of(self, template_id: str) -> dict[str, Any]:
        """What the ledger has of the only start of a workflow."""
        [start] = [item for item in self.emulator.ledger() if item["templateId"] == template_id]
        return start

    @property
    def raw_state(self) -> str:
        """Every byte that the backend wrote."""
        files = (path for path in self.state.rglob("*") if path.is_file())
        return "".join(path.read_text(errors="replace") for path in files)
