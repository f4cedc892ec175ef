"""The runs that a stack's state tells of, once each, and what a person wants to know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import format_moment
from pulumi_vod_workflow.cli.pulumi_files.stack_export import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    RUN_TYPE,
    Resource,
    Stack,
)
from pulumi_vod_workflow.cli.sanitize import escape_controls
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.batch.inputs import items_of
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.completion.failures import remedy
from pulumi_vod_workflow.core.completion.results import result_without_run
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import to_state


class Phase(StrEnum):
    """A run's phase, in the order of the list: what asks for something, then what goes on."""

    failed = auto()
    terminated = auto()
    unclear = auto()
    rejected = auto()
    running = auto()
    pending = auto()
    submitted = auto()
    expired = auto()
    succeeded = auto()


PHASE_ORDER: Final = tuple(phase.value for phase in Phase)
"""The phases' words, in that order."""
SOURCE_FIELDS: Final = ("vid", "directUrl", "templateId")
"""The properties that say what a run works on."""
FAILURE_PHASES: Final = frozenset({"failed", "terminated", "unclear", "rejected"})
"""Phases of runs that did not come to what was asked for."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run, or an item of a batch that has none."""

    names: tuple[str, ...]
    """What the program calls it; several if several resources stand for it."""
    outputs: Mapping[str, Any]
    """What is known of it, as in the state of a WorkflowRun; secrets are `Secret`."""
    has_secret_inputs: bool = False
    """Something of what it was started with is secret."""
    read_error: str = ""
    """Why it could not be read just now."""

    @property
    def name(self) -> str:
        """What the program calls it."""
        return ", ".join(self.names)

    @property
    def run_id(self) -> str:
        """The service's id of it, `[secret]` if that is secret; empty if there is none."""
        return escape_controls(self.outputs.get("runId") or "")

    @property
    def phase(self) -> str:
        """Of `execution.Phase`; or `rejected`, `unclear`: an item without a known run."""
        return str(self.outputs.get("phase") or "submitted")

    @property
    def source(self) -> str:
        """The declared source, a Vid or `space/file`; empty if the state has none."""
        vid, direct_url = self.outputs.get("vid"), self.outputs.get("directUrl")
        if isinstance(direct_url, Mapping) and not vid:
            parts = (direct_url.get("spaceName"), direct_url.get("fileName"))
            return "/".join(escape_controls(part) for part in parts if part)
        return escape_controls(vid or direct_url or "")

    @property
    def workflow(self) -> str:
        """The workflow's id; empty if the state has none."""
        return escape_controls(self.outputs.get("templateId") or "")

    @property
    def needs_attention(self) -> bool:
        """Whether it did not do its work, can no longer be read, or could not be read just now."""
        return self.phase in FAILURE_PHASES or self.phase == "expired" or bool(self.read_error)

    @property
    def is_terminal(self) -> bool:
        """Whether there is nothing more to come of it."""
        return not self.run_id or execution.is_terminal(self.outputs)

    @property
    def reason(self) -> str:
        """What its status means."""
        told, status = self.outputs.get("statusReason"), self.outputs.get("status")
        known = (
            execution.classify_status(str(status)).reason if status else execution.SUBMITTED_REASON
        )
        return str(told or known)

    @property
    def remedy(self) -> str:
        """What to do about it; empty if nothing is wrong."""
        wrong = self.phase in FAILURE_PHASES or self.phase == "expired"
        return remedy({**self.outputs, "phase": self.phase}) if wrong else ""

    def age(self, now: datetime) -> float | None:
        """Return the seconds since it was made."""
        return execution.run_age(self.outputs, now)

    @property
    def created_at(self) -> datetime | None:
        """When it was made, or accepted."""
        return format_moment(self.outputs.get("createTime") or self.outputs.get("submittedAt"))

    @property
    def started_at(self) -> datetime | None:
        """When processing began."""
        return format_moment(self.outputs.get("startTime"))

    @property
    def ended_at(self) -> datetime | None:
        """When it ended."""
        return format_moment(self.outputs.get("endTime"))

    @property
    def duration(self) -> float | None:
        """The seconds of its processing, once it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    def with_outputs(self, outputs: Mapping[str, Any]) -> ListedRun:
        """Return it with what was just read, what is secret of that marked."""
        read = to_state({**outputs, **({"secretInputs": True} if self.has_secret_inputs else {})})
        return replace(self, outputs=execution.merge_outputs(self.outputs, read), read_error="")


def list_runs(stack: Stack) -> list[ListedRun]:
    """Return all runs of a stack, those first that ask for something."""
    found: dict[str, ListedRun] = {}
    for run in (*_single_runs(stack), *_batch_items(stack)):
        key = run.run_id if isinstance(run.outputs.get("runId"), str) else run.name
        other = found.get(key)
        if other is None:
            found[key] = run
        else:  # two resources stand for it: the one that was read last knows more
            known = other if other.is_terminal else run
            found[key] = replace(known, names=(*other.names, *run.names))
    for run in _completion_results(stack):
        known = found.get(run.run_id, run)
        outputs = {**known.outputs, **run.outputs}
        found[run.run_id] = replace(
            known,
            outputs=outputs,
            has_secret_inputs=known.has_secret_inputs or run.has_secret_inputs,
        )
    return sort_runs(found.values())


def sort_runs(runs: Iterable[ListedRun]) -> list[ListedRun]:
    """Return runs by phase, then by name."""
    rank = {phase: number for number, phase in enumerate(PHASE_ORDER)}
    return sorted(runs, key=lambda run: (rank.get(run.phase, len(rank)), run.names, run.run_id))


def counts_by_phase(runs: Iterable[ListedRun]) -> dict[str, int]:
    """Return how many runs are in each phase, in the order of the list."""
    counter = Counter(run.phase for run in sort_runs(runs))
    return dict(counter)


def _single_runs(stack: Stack) -> Iterator[ListedRun]:
    for resource in stack.of_type(RUN_TYPE):
        name = f"{resource.name} (replaced)" if resource.delete else resource.name
        yield ListedRun((name,), resource.outputs, _has_secret_inputs(resource))


def _batch_items(stack: Stack) -> Iterator[ListedRun]:
    for resource in stack.of_type(BATCH_TYPE):
        outputs, secret = without_secret_parts(resource.outputs), _has_secret_inputs(resource)
        hidden = {
            field: resource.outputs[part]
            for part, field in (("items", "vid"), ("defaults", "templateId"))
            if isinstance(resource.outputs.get(part), Secret)
        }
        for key, outputs_of_run in runs_of(outputs).items():
            yield ListedRun((f"{resource.name}[{key}]",), {**hidden, **outputs_of_run}, secret)
        items = items_of(outputs)
        without = {**(outputs.get("rejected") or {}), **(outputs.get("unclear") or {})}
        for key in sorted(without):
            why = {name: outputs[name][key] for name in ("rejected", "unclear")
                   if key in (outputs.get(name) or {})}  # fmt: skip
            item = {
                name: value for name, value in items.get(key, {}).items() if name in SOURCE_FIELDS
            }
            told = {**hidden, **item, **(result_without_run(why) or {})}
            yield ListedRun((f"{resource.name}[{key}]",), told, secret)


def _completion_results(stack: Stack) -> Iterator[ListedRun]:
    for resource in stack.of_type(COMPLETION_TYPE):
        results = resource.outputs.get("results")
        if not isinstance(results, Mapping):  # secret as a whole, or none yet
            continue
        for key, result in results.items():
            if result.get("runId"):
                yield ListedRun((f"{resource.name}[{key}]",), result, _has_secret_inputs(resource))


def _has_secret_inputs(resource: Resource) -> bool:
    return resource.outputs.get("secretInputs") is True


def without_secret_parts(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a batch's properties without the parts that are secret as a whole.

    Of an item that is, there stays that its source is secret.
    """
    kept = {name: value for name, value in outputs.items() if not isinstance(value, Secret)}
    kept["items"] = {
        key: {"vid": item} if isinstance(item, Secret) else item
        for key, item in (kept.get("items") or {}).items()
    }
    runs = kept.get("runs") or {}
    kept["runs"] = {
        key: {name: value for name, value in run.items()
              if not (name == "inputs" and isinstance(value, Secret))}
        for key, run in runs.items()
    }  # fmt: skip
    return kept


# -- what a run has produced -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputFile:
    """Files that a run has made: a transcode, or a snapshot."""

    kind: str
    """`video`, `audio`, or the type of a snapshot, as `Sample`."""
    is_snapshot: bool
    count: int
    """How many files, so far as it is told."""
    format: Any
    size: float | None
    """Bytes."""
    width: Any
    height: Any
    seconds: float | None
    """Of a transcode's length, or of the source that a snapshot covers."""
    codecs: tuple[Any, ...]
    uris: tuple[Any, ...]
    """Where the files are stored; a secret one is `Secret`."""


def output_files(run: ListedRun) -> list[OutputFile]:
    """Return what a run has produced, as far as the state tells; nothing where that is secret."""
    transcodes, snapshots = (
        _mappings_in(run.outputs.get(key)) for key in ("transcodes", "snapshots")
    )
    return [*map(_transcode_file, transcodes), *map(_snapshot_files, snapshots)]


def has_secret_output_files(run: ListedRun) -> bool:
    """Tell whether it may have produced what is secret as a whole."""
    return any(isinstance(run.outputs.get(key), Secret) for key in ("transcodes", "snapshots"))


def _mappings_in(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _mapping_or_empty(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number_or_none(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _transcode_file(told: Mapping[str, Any]) -> OutputFile:
    video, audio = (
        _mapping_or_empty(told.get("videoStreamMeta")),
        _mapping_or_empty(told.get("audioStreamMeta")),
    )
    uri = told.get("storeUri")
    return OutputFile(
        kind=str(told.get("fileType") or "file"),
        is_snapshot=False,
        count=1,
        format=told.get("format"),
        size=_number_or_none(told.get("size")),
        width=video.get("width"),
        height=video.get("height"),
        seconds=_number_or_none(told.get("duration")),
        codecs=tuple(part["codec"] for part in (video, audio) if part.get("codec")),
        uris=(uri,) if uri else (),
    )


def _snapshot_files(told: Mapping[str, Any]) -> OutputFile:
    files = next((value for value in told.values() if isinstance(value, Mapping)), {})
    many = files.get("storeUris")
    uris = tuple(many) if isinstance(many, list) else tuple(filter(None, [files.get("storeUri")]))
    return OutputFile(
        kind=str(told.get("type") or "snapshot"),
        is_snapshot=True,
        count=len(uris) or int(_number_or_none(files.get("captureNum")) or 1),
        format=files.get("format"),
        size=_number_or_none(files.get("size")),
        width=files.get("width") or files.get("cellWidth"),
        height=files.get("height") or files.get("cellHeight"),
        seconds=_number_or_none(files.get("duration")),
        codecs=(),
        uris=uris,
    )
