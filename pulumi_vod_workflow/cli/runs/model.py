"""The runs of a stack's state, once each, with all facts that the commands show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import format_moment
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.sanitize import escape_controls
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.batch.inputs import items_of
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.completion.failures import remedy
from pulumi_vod_workflow.core.completion.results import result_without_run
from pulumi_vod_workflow.core.exported_stack import Resource
from pulumi_vod_workflow.core.exported_state import without_secret_parts
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, COMPLETION_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import to_state
from pulumi_vod_workflow.core.text import NOT_SENT_TEXT


class Phase(StrEnum):
    """The phase of a run, in the order of the list: first the runs that need attention."""

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
"""The names of the phases, in that order."""
SOURCE_FIELDS: Final = ("vid", "directUrl", "templateId")
"""The properties with the source and the workflow of a run."""
FAILURE_PHASES: Final = frozenset({"failed", "terminated", "unclear", "rejected"})
"""The phases of runs and items without success."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run, or an item of a batch without a run."""

    names: tuple[str, ...]
    """The names in the program: one for each resource or result with this run."""
    outputs: Mapping[str, Any]
    """The known facts, as in the state of a WorkflowRun; secrets are `Secret`."""
    has_secret_inputs: bool = False
    """Whether some inputs of the run are secret."""
    read_error: str = ""
    """The reason why `--watch` cannot read the run; empty if there is none."""
    stacks: tuple[str, ...] = ()
    """The stacks with this run."""
    has_stack_label: bool = False
    """Whether the list has several stacks."""

    @property
    def name(self) -> str:
        """The names in the program, on one line."""
        return ", ".join(self.names)

    @property
    def label(self) -> str:
        """The names, in a list of several stacks after those of the stacks."""
        return f"{', '.join(self.stacks)}: {self.name}" if self.has_stack_label else self.name

    @property
    def run_id(self) -> str:
        """The run's id, or `[secret]`; empty if there is no run."""
        return escape_controls(self.outputs.get("runId") or "")

    @property
    def phase(self) -> str:
        """The phase: of `execution.Phase`, or `rejected` or `unclear` for an item without a run."""
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
        """Whether the run has no success, has expired, or cannot be read."""
        return self.phase in FAILURE_PHASES or self.phase == "expired" or bool(self.read_error)

    @property
    def is_terminal(self) -> bool:
        """Whether the run changes no more."""
        return not self.run_id or execution.is_terminal(self.outputs)

    @property
    def reason(self) -> str:
        """The meaning of the status."""
        recorded, status = self.outputs.get("statusReason"), self.outputs.get("status")
        usual = (
            execution.classify_status(str(status)).reason if status else execution.SUBMITTED_REASON
        )
        return str(recorded or usual)

    @property
    def remedy(self) -> str:
        """The next step of the user; empty if the run needs none."""
        has_remedy = self.phase in FAILURE_PHASES or self.phase == "expired"
        return remedy({**self.outputs, "phase": self.phase}) if has_remedy else ""

    def age(self, now: datetime) -> float | None:
        """Return the seconds since the creation of the run."""
        return execution.run_age(self.outputs, now)

    @property
    def created_at(self) -> datetime | None:
        """The time of the creation, or of the acceptance."""
        return format_moment(self.outputs.get("createTime") or self.outputs.get("submittedAt"))

    @property
    def day(self) -> str:
        """The day of the creation in UTC, `2026-05-06`; empty without a time."""
        return f"{self.created_at:%Y-%m-%d}" if self.created_at else ""

    @property
    def started_at(self) -> datetime | None:
        """The time at which processing began."""
        return format_moment(self.outputs.get("startTime"))

    @property
    def ended_at(self) -> datetime | None:
        """The time at which processing ended."""
        return format_moment(self.outputs.get("endTime"))

    @property
    def duration(self) -> float | None:
        """The length of the processing in seconds; None before its end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    def with_outputs(self, outputs: Mapping[str, Any]) -> ListedRun:
        """Return the run with outputs that the service has sent; a secret output is a `Secret`."""
        read = to_state({**outputs, **({"secretInputs": True} if self.has_secret_inputs else {})})
        return replace(self, outputs=execution.merge_outputs(self.outputs, read), read_error="")


def list_runs(stack: Stack) -> list[ListedRun]:
    """Return all runs of a stack, first the runs that need attention."""
    found: dict[str, ListedRun] = {}
    for run in (*_single_runs(stack), *_batch_items(stack)):
        key = run.run_id if isinstance(run.outputs.get("runId"), str) else run.name
        other = found.get(key)
        if other is None:
            found[key] = run
        else:  # two resources have this run: a terminal record is the newer one
            newest = other if other.is_terminal else run
            found[key] = replace(newest, names=(*other.names, *run.names))
    for run in _completion_results(stack):
        newest = found.get(run.run_id, run)
        outputs = {**newest.outputs, **run.outputs}
        found[run.run_id] = replace(
            newest,
            outputs=outputs,
            has_secret_inputs=newest.has_secret_inputs or run.has_secret_inputs,
        )
    return sort_runs(found.values())


def merge_stacks(runs_by_stack: Mapping[str, Iterable[ListedRun]]) -> list[ListedRun]:
    """Return the runs of all stacks; a run that several stacks have is one run."""
    several = len(runs_by_stack) > 1
    found: dict[tuple[str, ...], ListedRun] = {}
    for stack, runs in runs_by_stack.items():
        for run in runs:
            # Two emulators may give the same id.
            place = (run.outputs.get(name) for name in ("endpoint", "region"))
            is_known = isinstance(run.outputs.get("runId"), str)
            key = (run.run_id, *map(str, place)) if is_known else (stack, run.name)
            other = found.get(key)
            if other is None:
                found[key] = replace(run, stacks=(stack,), has_stack_label=several)
            else:
                newest = other if other.is_terminal else run
                names = tuple(dict.fromkeys((*other.names, *run.names)))
                found[key] = replace(
                    newest,
                    names=names,
                    stacks=(*other.stacks, stack),
                    has_stack_label=several,
                    has_secret_inputs=other.has_secret_inputs or run.has_secret_inputs,
                )
    return sort_runs(found.values())


def sort_runs(runs: Iterable[ListedRun]) -> list[ListedRun]:
    """Return runs by phase, then by name."""
    rank = {phase: number for number, phase in enumerate(PHASE_ORDER)}
    return sorted(
        runs,
        key=lambda run: (rank.get(run.phase, len(rank)), run.stacks, run.names, run.run_id),
    )


def counts_by_phase(runs: Iterable[ListedRun]) -> dict[str, int]:
    """Return the number of runs in each phase, in the order of the list."""
    counter = Counter(run.phase for run in sort_runs(runs))
    return dict(counter)


def item_name(resource: str, key: str) -> str:
    """Return the name of an item of a batch, or of a result of a wait, in the list."""
    return f"{resource}[{key}]"


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
            yield ListedRun((item_name(resource.name, key),), {**hidden, **outputs_of_run}, secret)
        items = items_of(outputs)
        not_sent = dict.fromkeys(outputs.get("notSent") or (), NOT_SENT_TEXT)
        rejected = {**not_sent, **(outputs.get("rejected") or {})}
        unclear = outputs.get("unclear") or {}
        for key in sorted({**rejected, **unclear}):
            reasons = {name: reason[key] for name, reason in
                       (("rejected", rejected), ("unclear", unclear)) if key in reason}  # fmt: skip
            item = items.get(key, {})
            source = {name: item[name] for name in SOURCE_FIELDS if name in item}
            facts = {**hidden, **source, **(result_without_run(reasons) or {})}
            yield ListedRun((item_name(resource.name, key),), facts, secret)


def _completion_results(stack: Stack) -> Iterator[ListedRun]:
    for resource in stack.of_type(COMPLETION_TYPE):
        results = resource.outputs.get("results")
        if not isinstance(results, Mapping):  # secret as a whole, or not recorded yet
            continue
        for key, result in results.items():
            if result.get("runId"):
                yield ListedRun(
                    (item_name(resource.name, key),), result, _has_secret_inputs(resource)
                )


def _has_secret_inputs(resource: Resource) -> bool:
    return resource.outputs.get("secretInputs") is True


# -- output files of a run ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputFile:
    """Files that a run has written: a transcode, or a snapshot."""

    kind: str
    """`video`, `audio`, or the type of a snapshot, for example `Sample`."""
    is_snapshot: bool
    count: int
    """The number of files, as far as the state has it."""
    format: Any
    size: float | None
    """Size in bytes."""
    width: Any
    height: Any
    seconds: float | None
    """Length of a transcode, or of the source that a snapshot covers."""
    codecs: tuple[Any, ...]
    uris: tuple[Any, ...]
    """Addresses of the files; a secret address is `Secret`."""


def output_files(run: ListedRun) -> list[OutputFile]:
    """Return the files of a run, as far as the state has them; none if they are secret."""
    transcodes, snapshots = (
        _mappings_in(run.outputs.get(key)) for key in ("transcodes", "snapshots")
    )
    return [*map(_transcode_file, transcodes), *map(_snapshot_files, snapshots)]


def has_secret_output_files(run: ListedRun) -> bool:
    """Return whether the state has outputs of the run that are secret as a whole."""
    return any(isinstance(run.outputs.get(key), Secret) for key in ("transcodes", "snapshots"))


def _mappings_in(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _mapping_or_empty(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number_or_none(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _transcode_file(info: Mapping[str, Any]) -> OutputFile:
    video, audio = (
        _mapping_or_empty(info.get("videoStreamMeta")),
        _mapping_or_empty(info.get("audioStreamMeta")),
    )
    uri = info.get("storeUri")
    return OutputFile(
        kind=str(info.get("fileType") or "file"),
        is_snapshot=False,
        count=1,
        format=info.get("format"),
        size=_number_or_none(info.get("size")),
        width=video.get("width"),
        height=video.get("height"),
        seconds=_number_or_none(info.get("duration")),
        codecs=tuple(part["codec"] for part in (video, audio) if part.get("codec")),
        uris=(uri,) if uri else (),
    )


def _snapshot_files(info: Mapping[str, Any]) -> OutputFile:
    files = next((value for value in info.values() if isinstance(value, Mapping)), {})
    many = files.get("storeUris")
    uris = tuple(many) if isinstance(many, list) else tuple(filter(None, [files.get("storeUri")]))
    return OutputFile(
        kind=str(info.get("type") or "snapshot"),
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
