"""
Stories on the real engine: a program, a file backend, the emulator, and the emulator's ledger.

Programs run inside the test process through the Automation API; the engine, the dynamic provider
host and the emulator's socket are the real ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation as auto
from pulumi.runtime.rpc import UNKNOWN

import pulumi_vod_workflow
from pulumi_vod_workflow import WorkflowRun
from pulumi_vod_workflow.core.batch.changes import STARTS_SOME
from pulumi_vod_workflow.core.recovery import REUSES_RUN
from pulumi_vod_workflow.emulator import VodEmulator

RUN_TYPE = "pulumi-python:dynamic/vod:WorkflowRun"
BATCH_TYPE = "pulumi-python:dynamic/vod:WorkflowBatch"
COMPLETION_TYPE = "pulumi-python:dynamic/vod:WorkflowCompletion"
ITEMS = re.compile(re.escape(STARTS_SOME).replace(r"\{\}", r"([\d,]+)"))
TAKEN = re.compile(re.escape(REUSES_RUN).replace(r"\{\}", r"\S+"))
WAYS = (
    "hint: adopt the run:",
    "start again: add or change a trigger",
    "discard the start: remove it",
)
"""What a question about a start that was never answered names."""
PACKAGE = str(Path(pulumi_vod_workflow.__file__).parent)
MONITOR_ENDED = "pulumi.errors.RunError: Resource monitor has terminated, shutting down"
Program = Callable[[], None]


def is_noise_of_the_sdk(said: auto.DiagnosticEvent) -> bool:
    """
    Return whether an event is the SDK's debug message about a failed resource of any provider.

    Newer engines end the SDK's calls after a failure, and the SDK logs the traceback at the level
    debug. The user sees one line without a traceback: MONITOR_ENDED without the class.
    """
    text = said.message.strip()
    return said.severity == "debug" and text.endswith(MONITOR_ENDED) and PACKAGE not in text


@dataclass
class Outcome:
    """What one command said, did, and showed."""

    text: str
    ops: list[tuple[str, str]] = field(default_factory=list)
    """(operation, resource name) of each step on one of our resources."""
    runs: set[str] = field(default_factory=set)
    """Names of the resources that are WorkflowRuns."""
    items: int = 0
    """How many items of batches it says it starts."""
    adopted: set[str] = field(default_factory=set)
    """Names of resources that take an existing run: creating them is free, and said to be."""
    outputs: dict[str, Any] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(resource name, text) of each line that is shown on a resource's row, or on none's."""
    failed: bool = False

    def see(self, event: auto.EngineEvent) -> None:
        """Take note of what the engine tells."""
        step = event.resource_pre_event
        if step is not None and step.metadata.type in {RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE}:
            name = step.metadata.urn.rpartition("::")[2]
            if step.metadata.type == RUN_TYPE:
                self.runs.add(name)
            new = step.metadata.new
            existing = (new.inputs or {}).get("existingRunId") if new is not None else None
            if existing not in {None, UNKNOWN}:
                self.adopted.add(name)
            self.ops.append((str(getattr(step.metadata.op, "value", step.metadata.op)), name))
        said = event.diagnostic_event
        if said is not None:
            self.lines.append(((said.urn or "").rpartition("::")[2], said.message.strip()))
            told = ITEMS.search(said.message)
            self.items += int(told[1].replace(",", "")) if told else 0
            if TAKEN.search(said.message):
                self.adopted.add((said.urn or "").rpartition("::")[2])

    @property
    def starts(self) -> int:
        """How many runs the command says it starts."""
        creates = {"create", "create-replacement"}
        paid = self.runs - self.adopted
        return self.items + sum(op in creates and name in paid for op, name in self.ops)

    @property
    def changed(self) -> list[tuple[str, str]]:
        """What the command does besides leaving things as they are."""
        return [(op, name) for op, name in self.ops if op not in {"same", "refresh"}]


def run(name: str = "run", opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> Program:
    """Return a program that declares one run."""
    declared = {"vid": "v1", "template_id": "t1", **inputs}

    def program() -> None:
        WorkflowRun(name, opts, **{k: v for k, v in declared.items() if v is not ...})

    return program


class Story:
    """A stack and its service; every command checks that nothing of our code is traced back."""

    def __init__(
        self,
        emulator: VodEmulator,
        folder: Path,
        command: auto.PulumiCommand,
        config: Mapping[str, str] | None = None,
        name: str = "test",
    ) -> None:
        self.emulator = emulator
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.config = {
            **emulator.config,
            **(config or {}),
        }
        self.write_config(name)
        self.stack = auto.create_or_select_stack(
            name,
            project_name="story",
            program=lambda: None,
            opts=auto.LocalWorkspaceOptions(
                work_dir=str(folder),
                pulumi_command=command,
                pulumi_home=str(folder / "home"),
                project_settings=auto.ProjectSettings(
                    "story", "python", backend=auto.ProjectBackend(f"file://{self.state}")
                ),
                env_vars={
                    "PULUMI_CONFIG_PASSPHRASE": "",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                    "PULUMI_BACKEND_URL": f"file://{self.state}",
                },
            ),
        )

    def write_config(self, name: str = "test", **changes: str) -> None:
        self.config |= {key.replace("_", ":"): value for key, value in changes.items()}
        path = self.folder / f"Pulumi.{name}.yaml"
        salt = [
            line
            for line in (path.read_text().splitlines() if path.exists() else [])
            if line.startswith("encryptionsalt")
        ]
        lines = [*salt, "config:", *(f"  {k}: {json.dumps(v)}" for k, v in self.config.items())]
        path.write_text("\n".join(lines) + "\n")

    def _run(self, command: Callable[..., Any], **options: Any) -> Outcome:
        said: list[str] = []
        outcome = Outcome("")

        def on_event(event: auto.EngineEvent) -> None:
            outcome.see(event)
            told = event.diagnostic_event
            if told is not None and not is_noise_of_the_sdk(told):
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
        preview = self.preview(program, **options)
        assert not preview.failed, preview.text
        assert len(self.emulator.ledger()) == before, "a preview starts nothing"
        outcome = self.up(program, **options)
        assert sorted(outcome.changed) == sorted(preview.changed), f"{outcome.ops} {preview.ops}"
        assert (preview.starts, len(self.emulator.ledger()) - before) == (promised, paid)
        return outcome

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type in the state, by name."""
        deployment = self.stack.export_stack().deployment or {}
        return {
            item["urn"].rpartition("::")[2]: item
            for item in deployment.get("resources", [])  # an empty stack has none
            if item["type"] == kind
        }

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The runs in the state, by name."""
        return self.of_type(RUN_TYPE)

    @property
    def batch(self) -> dict[str, Any]:
        """The outputs of the only batch."""
        [resource] = self.of_type(BATCH_TYPE).values()
        outputs: dict[str, Any] = resource["outputs"]
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
