"""
What the service can tell of a start before it is paid: are its workflow and its video there?

Documented: GetWorkflowTemplate (facts 3), and GetMediaInfos with its NotExistVids (docs/4/65603).
Inferred, for no document says so: that a workflow which is not there is answered by
ResourceNotFound (as for StartWorkflow); that a workflow is for sources of its own space, which is
why both tell one; that `Type` names a media processing task where a template is no workflow; and
that a workflow of which only its end is told makes nothing. Not known: whether built-in workflows
are found, so that a built-in one that is not is only noted. What is not told, or in other words,
is taken for right: only what the service denies speaks against a start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from pulumi_vod_workflow.core.operations import Operation
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES

Field = Literal["templateId", "vid"]
"""What a start has that can be asked about."""

QUESTIONS: Final[Mapping[Field, Operation]] = {
    "templateId": "GetWorkflowTemplate",
    "vid": "GetMediaInfos",
}
TASKS: Final = frozenset({"TranscodeVideo", "TranscodeAudio", "ByteHD", "Snapshot"})
"""What the official SDKs call the tasks that templates of other kinds are for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A workflow or a video that is asked about."""

    field: Field
    id: str


@dataclass(frozen=True, slots=True)
class Found:
    """It is there."""

    space: str = ""
    """Whose it is, if that is told."""
    unusable: str = ""
    """Why no run can be started with it, if so."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The service knows no such thing."""

    service_message: str
    """In its own codes, without what it was sent."""


@dataclass(frozen=True, slots=True)
class LookupUnavailable:
    """The service could not be asked, or gave no answer to the question."""

    reason: str
    """Without what it was sent."""


LookupResult = Found | NotFound | LookupUnavailable


def references_of(starts: Iterable[Mapping[str, Any]]) -> list[Reference]:
    """Name what is to be asked about starts, each once: what is known, and not adopted."""
    found = (
        Reference(field, start[field])
        for start in starts
        if "existingRunId" not in start
        for field in get_args(Field)
        if isinstance(start.get(field), str)
    )
    return [*dict.fromkeys(found)]


# -- answers -----------------------------------------------------------------------------------


def workflow_fact(result: Mapping[str, Any]) -> LookupResult:
    """Return what GetWorkflowTemplate's result says."""
    template = result.get("WorkflowTemplate")
    if not isinstance(template, Mapping):
        return LookupUnavailable("GetWorkflowTemplate: the answer tells of no workflow")
    return Found(_text(template.get("SpaceName")), _unusable(template))


def _unusable(template: Mapping[str, Any]) -> str:
    kind, activities = template.get("Type"), template.get("Activities")
    if isinstance(kind, str) and kind in TASKS:
        return f"is a template of the type {kind}, not a workflow"
    if _list(activities) and all(
        isinstance(item, Mapping) and item.get("Type") == "End" for item in _list(activities)
    ):
        return "makes nothing: it has no activity but its end"
    return ""


def video_facts(
    vids: Collection[str], result: Mapping[str, Any], request_id: str | None
) -> dict[str, LookupResult]:
    """Return what GetMediaInfos' result says of each video that it was asked about."""
    missing, listed = result.get("NotExistVids"), result.get("MediaInfoList")
    infos = [item.get("BasicInfo") for item in _list(listed) if isinstance(item, Mapping)]
    spaces = {
        _text(info.get("Vid")): _text(info.get("SpaceName"))
        for info in infos
        if isinstance(info, Mapping)
    }
    said = f"GetMediaInfos names it in NotExistVids [RequestId {request_id or 'none'}]"
    facts: dict[str, LookupResult] = {}
    for vid in vids:
        if vid in spaces:
            facts[vid] = Found(spaces[vid])
        elif vid in _list(missing):
            facts[vid] = NotFound(said)
        else:
            facts[vid] = LookupUnavailable("GetMediaInfos: the answer does not tell of it")
    return facts


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# -- findings ----------------------------------------------------------------------------------

GroupedFindings = dict[tuple[str, str], list[str]]
"""(field, what is said of it) -> the names of the starts of which it is true."""


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """What the service's answers mean for starts."""

    errors: GroupedFindings = field(default_factory=dict)
    """What speaks against them."""
    notes: GroupedFindings = field(default_factory=dict)
    """What is no problem, but not sure either."""
    skipped: GroupedFindings = field(default_factory=dict)
    """What could not be asked."""


Level = Literal["wrong", "notes", "unchecked"]
Said = tuple[Level, str, str, str]
"""The level, the field, what is true, and how we know and what to do: the first one's stands."""


def evaluate(
    starts: Mapping[str, Mapping[str, Any]],
    facts: Mapping[Reference, LookupResult],
    *,
    secret: bool = False,
) -> PreflightReport:
    """
    Say what the answers mean.

    Args:
        starts: name -> what is declared of a start.
        facts: what the service has told of their `subjects_of`.
        secret: whether what is declared is not to be told.

    """
    texts: dict[tuple[Level, str, str], str] = {}
    found: dict[Level, GroupedFindings] = {level: defaultdict(list) for level in get_args(Level)}
    for name, start in starts.items():
        for level, path, what, how in _evaluate_start(start, facts, secret=secret):
            text = texts.setdefault((level, path, what), f"{what}: {how}")
            found[level][path, text].append(name)
    return PreflightReport(**{level: dict(where) for level, where in found.items()})


def _evaluate_start(
    start: Mapping[str, Any], facts: Mapping[Reference, LookupResult], *, secret: bool
) -> Iterator[Said]:
    told = {subject.field: facts[subject] for subject in references_of([start])}
    for path, fact in told.items():
        if isinstance(fact, LookupUnavailable):
            yield "unchecked", path, "not checked", fact.reason
        elif isinstance(fact, NotFound):
            yield _not_found_problems(path, fact, built_in=start[path] in SYSTEM_TEMPLATES)
        elif fact.unusable:
            yield "wrong", path, f"this {fact.unusable}", "use the id of a workflow"
    workflow, video = told.get("templateId"), told.get("vid")
    direct_url = start.get("directUrl")
    source = direct_url.get("spaceName") if isinstance(direct_url, Mapping) else None
    if isinstance(video, Found):
        source = video.space
    mine = workflow.space if isinstance(workflow, Found) else ""
    if mine and isinstance(source, str) and source and source != mine:
        names = "" if secret else f" ({source}, not {mine})"
        yield (
            "wrong",
            "templateId",
            f"the source is in another space than this workflow{names}",
            "use a workflow of the source's space",
        )


def _not_found_problems(path: Field, fact: NotFound, *, built_in: bool) -> Said:
    if built_in:
        return (
            "notes",
            path,
            "a built-in workflow that the service does not list",
            f"it is taken for right ({fact.service_message})",
        )
    whose = "and that the credentials' account and the region are the ones it belongs to"
    if path == "vid":
        how = f"{fact.service_message}. Check the Vid, {whose}"
        return "wrong", path, "the service knows no such video", how
    how = (
        f"{fact.service_message}. Check the id (a template for transcoding, snapshots or watermarks is no "
        f"workflow), {whose}. If it is a built-in workflow, vod:preflight must be warn or off"
    )
    return "wrong", path, "the service knows no such workflow", how
