"""
The preflight: free reads of a start's workflow and video, and their problems.

Documented: GetWorkflowTemplate (vod-api-facts 3), GetMediaInfos with NotExistVids and
SourceInfo.Duration (docs/4/65603).
The rules are lenient: only a denial by the service is an error.
"""

# Inferred, without a document:
#   - The service answers ResourceNotFound for a missing workflow, as StartWorkflow does.
#   - A workflow processes sources of its own space, because both have a SpaceName.
#   - `Type` has the name of a media processing task if a template is not a workflow.
#   - A workflow whose only activity is its end has no output.
# vod-api-facts 3: no document has whether the service returns built-in workflows, so a missing
# built-in workflow is only a note.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from pulumi_vod_workflow.core.durations import parse_seconds
from pulumi_vod_workflow.core.operations import Operation
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.values import as_list, as_mapping, as_text

Field = Literal["templateId", "vid"]
"""The fields of a start that the preflight looks up."""

LOOKUP_OPERATIONS: Final[Mapping[Field, Operation]] = {
    "templateId": "GetWorkflowTemplate",
    "vid": "GetMediaInfos",
}
TASK_TEMPLATE_TYPES: Final = frozenset({"TranscodeVideo", "TranscodeAudio", "ByteHD", "Snapshot"})
"""The types of templates that are tasks, not workflows, by the names of the official SDKs."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A workflow or a video of a start."""

    field: Field
    id: str


@dataclass(frozen=True, slots=True)
class Found:
    """The result for an existing workflow or video."""

    space: str = ""
    """The space, if the service returned it."""
    unusable: str = ""
    """The reason if no run can start with it."""
    seconds: Decimal | None = None
    """The duration of the video, if the service returned it."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The result for a workflow or video that the service does not know."""

    service_message: str
    """Error code and RequestId from the service; contains no request data."""


@dataclass(frozen=True, slots=True)
class LookupUnavailable:
    """The result of a lookup that failed, or returned nothing about the id."""

    reason: str
    """The cause; contains no request data."""


LookupResult = Found | NotFound | LookupUnavailable


def references_of(starts: Iterable[Mapping[str, Any]]) -> list[Reference]:
    """Return the known references of starts, each once; without adopted runs."""
    found = (
        Reference(field, start[field])
        for start in starts
        if "existingRunId" not in start
        for field in get_args(Field)
        if isinstance(start.get(field), str)
    )
    return [*dict.fromkeys(found)]


# -- answers -----------------------------------------------------------------------------------


def workflow_lookup(result: Mapping[str, Any]) -> LookupResult:
    """Return the result of a GetWorkflowTemplate answer."""
    template = result.get("WorkflowTemplate")
    if not isinstance(template, Mapping):
        return LookupUnavailable("GetWorkflowTemplate: the answer has no workflow")
    return Found(as_text(template.get("SpaceName")), _unusable_reason(template))


def _unusable_reason(template: Mapping[str, Any]) -> str:
    kind, activities = template.get("Type"), as_list(template.get("Activities"))
    if isinstance(kind, str) and kind in TASK_TEMPLATE_TYPES:
        return f"template type {kind} is not a workflow"
    if activities and all(as_mapping(item).get("Type") == "End" for item in activities):
        return "this workflow has no output: its end is its only activity"
    return ""


def video_lookups(
    vids: Collection[str], result: Mapping[str, Any], request_id: str | None
) -> dict[str, LookupResult]:
    """Return the result of a GetMediaInfos answer for each requested video."""
    missing = as_list(result.get("NotExistVids"))
    found: dict[str, Found] = {}
    for item in map(as_mapping, as_list(result.get("MediaInfoList"))):
        info, source = as_mapping(item.get("BasicInfo")), as_mapping(item.get("SourceInfo"))
        space, seconds = as_text(info.get("SpaceName")), parse_seconds(source.get("Duration"))
        found[as_text(info.get("Vid"))] = Found(space, seconds=seconds)
    message = f"GetMediaInfos lists it in NotExistVids [RequestId {request_id or 'none'}]"
    lookups: dict[str, LookupResult] = {}
    for vid in vids:
        if vid in found:
            lookups[vid] = found[vid]
        elif vid in missing:
            lookups[vid] = NotFound(message)
        else:
            lookups[vid] = LookupUnavailable("GetMediaInfos: the answer does not have the video")
    return lookups


def source_durations(
    starts: Mapping[str, Mapping[str, Any]], lookups: Mapping[Reference, LookupResult]
) -> dict[str, Decimal]:
    """Return name -> the duration of a start's video in seconds, where a lookup has found it."""
    found: dict[str, Decimal] = {}
    for name, start in starts.items():
        vid = start.get("vid")
        result = lookups.get(Reference("vid", vid)) if isinstance(vid, str) else None
        if isinstance(result, Found) and result.seconds is not None:
            found[name] = result.seconds
    return found


# -- findings ----------------------------------------------------------------------------------

GroupedFindings = dict[tuple[str, str], list[str]]
"""(field, finding) -> the names of the starts with this finding."""


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """The findings of a preflight."""

    errors: GroupedFindings = field(default_factory=dict)
    """The reasons against starts."""
    notes: GroupedFindings = field(default_factory=dict)
    """The uncertain findings, which do not prevent a start."""
    skipped: GroupedFindings = field(default_factory=dict)
    """The fields without a lookup."""


Level = Literal["errors", "notes", "skipped"]
Finding = tuple[Level, str, str, str]
"""A level, a field, a finding, and its evidence with the remedy."""


def evaluate(
    starts: Mapping[str, Mapping[str, Any]],
    lookups: Mapping[Reference, LookupResult],
    *,
    secret: bool = False,
) -> PreflightReport:
    """
    Return the findings about starts.

    Args:
        starts: name -> the declaration of a start.
        lookups: the results for their `references_of`.
        secret: whether findings must not contain declared values.

    """
    texts: dict[tuple[Level, str, str], str] = {}
    found: dict[Level, GroupedFindings] = {level: defaultdict(list) for level in get_args(Level)}
    for name, start in starts.items():
        for level, path, finding, evidence in _evaluate_start(start, lookups, secret=secret):
            # The RequestIds of equal findings differ. The first one is sufficient for a group.
            text = texts.setdefault((level, path, finding), f"{finding}: {evidence}")
            found[level][path, text].append(name)
    return PreflightReport(**{level: dict(grouped) for level, grouped in found.items()})


def _evaluate_start(
    start: Mapping[str, Any], lookups: Mapping[Reference, LookupResult], *, secret: bool
) -> Iterator[Finding]:
    results = {reference.field: lookups[reference] for reference in references_of([start])}
    for path, result in results.items():
        if isinstance(result, LookupUnavailable):
            yield "skipped", path, "not checked", result.reason
        elif isinstance(result, NotFound):
            yield _not_found_problems(path, result, built_in=start[path] in SYSTEM_TEMPLATES)
        elif result.unusable:
            yield "errors", path, result.unusable, "use a workflow id"
    workflow, video = results.get("templateId"), results.get("vid")
    direct_url = start.get("directUrl")
    source = direct_url.get("spaceName") if isinstance(direct_url, Mapping) else None
    if isinstance(video, Found):
        source = video.space
    space = workflow.space if isinstance(workflow, Found) else ""
    if space and isinstance(source, str) and source and source != space:
        names = "" if secret else f" ({source}, not {space})"
        yield (
            "errors",
            "templateId",
            f"the source is in another space than this workflow{names}",
            "use a workflow of the source's space",
        )


def _not_found_problems(path: Field, lookup: NotFound, *, built_in: bool) -> Finding:
    if built_in:
        return (
            "notes",
            path,
            "a built-in workflow that the service does not list",
            f"the preflight accepts it ({lookup.service_message})",
        )
    if path == "vid":
        evidence = (
            f"{lookup.service_message}. Check the Vid, the credentials' account, and `vod:region`"
        )
        return "errors", path, "the service knows no such video", evidence
    evidence = (
        f"{lookup.service_message}. Check the id, the credentials' account, and `vod:region`. A "
        "template for transcoding, snapshots or watermarks is not a workflow. For a built-in "
        "workflow, set `vod:preflight` to `warn` or `off`"
    )
    return "errors", path, "the service knows no such workflow", evidence
