"""The workflow calls on the emulator's store: parameters to results, without HTTP."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from pulumi_vod_workflow.emulator import validation
from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.faults import ActiveFault
from pulumi_vod_workflow.emulator.outputs import (
    SOURCE_SIZE,
    Outputs,
    outcome_from_name,
    source_name,
    source_seconds,
)
from pulumi_vod_workflow.emulator.settings import (
    SYSTEM_TEMPLATES,
    Behaviour,
    EmulatorSettings,
    Range,
    Rule,
    Template,
    parse_model,
    range_ends,
)
from pulumi_vod_workflow.emulator.signature import Keys
from pulumi_vod_workflow.emulator.store import (
    EmulatedRun,
    RunOutcome,
    Store,
    format_time,
    new_run_id,
)

MAX_KEPT_REQUESTS: Final = 1000
DEFAULT_SPACE: Final = "emulated-space"
"""The space of a source without one."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call, and its run for the log."""

    result: dict[str, Any]
    run_id: str | None = None


class Service:
    """The calls of the service on a store; several processes can share the store."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self.keys = Keys(
            settings.access_key, settings.secret_key, settings.session_token, settings.region
        )
        self.store = Store(settings.store)
        self.counts: dict[str, int] = {}
        """Number of requests of each action in this process, rejected ones included."""
        self.requests: deque[dict[str, Any]] = deque(maxlen=MAX_KEPT_REQUESTS)
        """The last requests of this process, as in the access log."""
        self._answers = 0
        self._lock = threading.Lock()
        self._changed: tuple[str, Behaviour] = ("{}", settings)

    @property
    def behaviour(self) -> Behaviour:
        """The settings, with the changes of all processes."""
        text = self.store.changed_settings()
        if text != self._changed[0]:
            self._changed = (text, self._settings_with(json.loads(text)))
        return self._changed[1]

    def _settings_with(self, parts: Mapping[str, Any]) -> Behaviour:
        names = Behaviour.model_fields
        own = self._settings.model_dump(mode="json", by_alias=True, include=set(names))
        return parse_model(Behaviour, {**own, **parts})

    def change_settings(self, parts: Mapping[str, Any]) -> None:
        """
        Change settings at run time: all of the given settings, or none.

        Raises:
            ValueError: the settings are invalid; the message has all problems.

        """
        self._settings_with({**json.loads(self.store.changed_settings()), **parts})
        self.store.change_settings(parts)

    def reset(self) -> None:
        """Delete runs, outcomes, faults, events, counts, changed settings, and reset the clock."""
        self.store.reset()
        self.counts.clear()
        self.requests.clear()
        self._answers = 0

    def count_request(self, action: str) -> int:
        """Count a request, and return its number among the requests of its action."""
        with self._lock:
            self.counts[action] = self.counts.get(action, 0) + 1
            return self.counts[action]

    def next_latency(self) -> float:
        """Return the delay of the next response in seconds, drawn by seed and number."""
        behaviour = self.behaviour
        least, most = range_ends(behaviour.latency_seconds)
        with self._lock:
            self._answers += 1
            number = self._answers
        generator = random.Random(f"{behaviour.seed}/latency/{number}")  # noqa: S311 - not for secrets
        return generator.uniform(least, most) if most else 0.0

    def check_rate(self, action: str) -> None:
        """
        Check the rate limit of an action (page: 50 次/秒).

        Raises:
            ServiceError: the request exceeds the limit.

        """
        allowed = self.behaviour.rate_limit
        if allowed and not self.store.admit_request(action, allowed):
            raise ServiceError("RequestLimitExceeded", str(allowed), headers={"retry-after": "1"})

    def claim_fault(self, action: str, number: int) -> ActiveFault | None:
        """Return the fault of a request, the first that is drawn for its number, and count it."""
        generator = random.Random(f"{self.behaviour.seed}/{action}/{number}")  # noqa: S311 - not for secrets
        return self.store.claim_fault(action, lambda fault: generator.random() < fault.chance)

    def call(self, action: str, parameters: dict[str, Any]) -> CallResult:
        """
        Execute a call of `CALL_BY_ACTION`.

        Raises:
            ServiceError: the service rejects the call.

        """
        return CALL_BY_ACTION[action](self, parameters)

    # -- the calls ----------------------------------------------------------------------------

    def start_workflow(self, parameters: dict[str, Any]) -> CallResult:
        """Accept a start, or return the RunId of an identical one (facts 4)."""
        start = validation.validate_start(parameters)
        behaviour = self.behaviour
        template = _template(start["TemplateId"], behaviour)
        if template is None:
            raise ServiceError("ResourceNotFound", "TemplateId")
        tasks = {"transcodes": template.transcodes, "snapshots": template.snapshots}
        space = _find_space(start, behaviour, template.space_name)

        def outcome_factory(number: int, forced_rule: str | None) -> RunOutcome:
            return decide_outcome(
                number, forced_rule, start=start, space=space, tasks=tasks, behaviour=behaviour
            )

        run_id = self.store.accept(
            _identity(start, space, template.commit_id),
            start,
            dedup=behaviour.dedup,
            matches=lambda text: _rule_matches(Rule.model_validate_json(text), start),
            outcome_factory=outcome_factory,
        )
        return CallResult({"RunId": run_id}, run_id)

    def get_workflow_execution(self, parameters: dict[str, Any]) -> CallResult:
        """Return the status of a run (facts 1)."""
        typed = validation.validate_read(parameters, "RunId", NeedTasksDetail=validation.NEED_TASKS)
        run, now = self._find_run(typed["RunId"])
        start = run.start
        template = _template(start["TemplateId"], self.behaviour)
        result: dict[str, Any] = {
            **_common_fields(run),
            "TemplateName": template.name if template else "",
            "Status": run.status(now),
            "EnableLowPriority": start.get("EnableLowPriority", False),
            "JobSource": "API",
            "CreateTime": format_time(run.accepted),
            "Priority": start.get("Priority", 0),
            **{key: start[key] for key in ("CallbackArgs", "Input", "TaskListId") if key in start},
        }
        if now >= run.started:
            result["StartTime"] = format_time(run.started)
        if run.has_ended(now):
            result["EndTime"] = format_time(run.ended)
        if typed.get("NeedTasksDetail"):
            result["TasksDetail"] = _task_details(run, now)
        return CallResult(result, run.run_id)

    def get_workflow_execution_result(self, parameters: dict[str, Any]) -> CallResult:
        """Return the outputs of a run (facts 2)."""
        run, now = self._find_run(validation.validate_read(parameters, "RunId")["RunId"])
        status = run.status(now)
        result = {**_common_fields(run), "Status": status, "TranscodeInfos": [], "Snapshots": []}
        for key in ("CallbackArgs", "ClientToken"):
            if key in run.start:
                result[key] = run.start[key]
        return CallResult(result | outputs_by_now(run, status), run.run_id)

    def get_workflow_template(self, parameters: dict[str, Any]) -> CallResult:
        """Return a workflow (facts 3)."""
        template_id = validation.validate_read(parameters, "TemplateId")["TemplateId"]
        behaviour = self.behaviour
        template = _template(template_id, behaviour)
        hidden = template_id in SYSTEM_TEMPLATES and not behaviour.list_system_templates
        if template is None or hidden:
            raise ServiceError("ResourceNotFound", "TemplateId")
        return CallResult({"WorkflowTemplate": _template_document(template)})

    def list_workflow_template(self, parameters: dict[str, Any]) -> CallResult:
        """Return the workflows with a name (facts 3); `Total` is a string of digits."""
        filters = validation.validate_list_templates(parameters)
        behaviour = self.behaviour
        known = [*(behaviour.templates or ())]
        if behaviour.list_system_templates:
            known += map(_system, SYSTEM_TEMPLATES)
        found = [
            item
            for item in known
            if filters.get("SpaceName") in {None, _shown_space(item)}
            and filters.get("TemplateId") in {None, item.template_id}
            and filters.get("Type") in {None, item.type}
            and filters.get("Name", "") in item.name
        ]
        by_update = filters.get("OrderByKey") == "updated_at"
        found.sort(
            key=lambda item: item.updated_at if by_update else item.created_at,
            reverse=filters.get("Order", "desc").lower() == "desc",
        )
        limit, offset = filters.get("Limit") or 30, filters.get("Offset", 0)
        return CallResult(
            {
                "Limit": limit,
                "Offset": offset,
                "Total": str(len(found)),
                "Data": [_template_document(item) for item in found[offset : offset + limit]],
            }
        )

    def get_media_infos(self, parameters: dict[str, Any]) -> CallResult:
        """Return the existing videos with their spaces (docs/4/65603)."""
        spaces = {
            vid: self._space_of_vid(vid) for vid in validation.validate_media_infos(parameters)
        }
        return CallResult(
            {
                "MediaInfoList": [
                    _media_document(vid, space) for vid, space in spaces.items() if space
                ],
                "NotExistVids": [vid for vid, space in spaces.items() if space is None],
            }
        )

    def _space_of_vid(self, vid: str) -> str | None:
        try:
            return _find_space({"Vid": vid}, self.behaviour, DEFAULT_SPACE)
        except ServiceError:
            return None

    def _find_run(self, run_id: str) -> tuple[EmulatedRun, float]:
        run = self.store.find_recent_run(run_id)
        if run is None:
            raise ServiceError("ResourceNotFound", "RunId")
        return run, self.store.now()


CALL_BY_ACTION: Final[Mapping[str, Callable[[Service, dict[str, Any]], CallResult]]] = {
    "StartWorkflow": Service.start_workflow,
    "GetWorkflowExecution": Service.get_workflow_execution,
    "GetWorkflowExecutionResult": Service.get_workflow_execution_result,
    "GetWorkflowTemplate": Service.get_workflow_template,
    "ListWorkflowTemplate": Service.list_workflow_template,
    "GetMediaInfos": Service.get_media_infos,
}


# -- the outcome of a start --------------------------------------------------------------------


def _find_space(start: Mapping[str, Any], behaviour: Behaviour, usual: str) -> str:
    """Return the space of a source; a file without a space is in that of its workflow."""
    if outcome_from_name(source_name(start)) == "missing":
        raise ServiceError("ResourceNotFound", "Vid" if "Vid" in start else "FileName")
    if "Vid" in start:
        if behaviour.vids is None:
            return DEFAULT_SPACE
        if start["Vid"] not in behaviour.vids:
            raise ServiceError("ResourceNotFound", "Vid")
        return behaviour.vids[start["Vid"]]
    named = start["DirectUrl"].get("SpaceName")
    if named is not None and behaviour.spaces is not None and named not in behaviour.spaces:
        raise ServiceError("ResourceNotFound", "SpaceName")
    return str(named or usual)


def _identity(start: Mapping[str, Any], space: str, commit: str) -> str:
    """Return the identity of a start: source, space, workflow, Input and token (facts 4)."""
    source = start.get("Vid") or [space, start["DirectUrl"]["FileName"]]
    workflow = [start["TemplateId"], commit, start.get("Input")]
    parts = [source, workflow, start.get("ClientToken")]
    return json.dumps(parts, sort_keys=True, ensure_ascii=False)


def _rule_matches(rule: Rule, start: Mapping[str, Any]) -> bool:
    source = start.get("Vid") or start["DirectUrl"]["FileName"]
    return fnmatchcase(start["TemplateId"], rule.template) and fnmatchcase(source, rule.source)


def _own_or_usual(own: Range | None, usual: Range) -> Range:
    return usual if own is None else own


def decide_outcome(
    number: int,
    forced_rule: str | None,
    *,
    start: Mapping[str, Any],
    space: str,
    tasks: Mapping[str, int],
    behaviour: Behaviour,
) -> RunOutcome:
    """Return all decisions about a run; seed and run number determine the random ones."""

    def random_for(purpose: str) -> random.Random:
        return random.Random(f"{behaviour.seed}/{number}/{purpose}")  # noqa: S311 - not for secrets

    def matches(index: int, rule: Rule) -> bool:
        return _rule_matches(rule, start) and random_for(f"rule {index}").random() < rule.chance

    named_status = outcome_from_name(source_name(start))
    drawn = (item for index, item in enumerate(behaviour.rules) if matches(index, item))
    rule = next(drawn, Rule())
    if forced_rule is not None:
        rule = Rule.model_validate_json(forced_rule)
    elif named_status is not None:
        rule = rule.model_copy(update={"status": named_status})
    pending = random_for("pending").uniform(
        *range_ends(_own_or_usual(rule.pending_seconds, behaviour.pending_seconds))
    )
    if start.get("EnableLowPriority"):
        pending += random_for("low priority").uniform(*range_ends(behaviour.low_priority_seconds))
    return RunOutcome(
        run_id=new_run_id(behaviour.seed, number),
        space=space,
        tasks=tasks,
        pending=pending,
        running=random_for("running").uniform(
            *range_ends(_own_or_usual(rule.running_seconds, behaviour.running_seconds))
        ),
        outcome=rule.status,
        deliveries=tuple(
            (
                item.model_dump_json(by_alias=True),
                random_for(f"twice {index}").random() < item.twice,
            )
            for index, item in enumerate(behaviour.subscriptions)
            if item.space_name in {None, space}
        ),
    )


# -- documents of the responses ----------------------------------------------------------------


def outputs_by_now(run: EmulatedRun, status: str) -> dict[str, Any]:
    """Return the outputs of a run with a status; after 2004 and 2005 outputs exist, too."""
    if status not in {"0", "2004", "2005"}:
        return {}
    outputs = Outputs(run.run_id, run.start, format_time(run.ended), run.tasks)
    return {"TranscodeInfos": outputs.transcodes(), "Snapshots": outputs.snapshots()}


def _common_fields(run: EmulatedRun) -> dict[str, Any]:
    source = {key: run.start[key] for key in ("Vid", "DirectUrl") if key in run.start}
    return {
        "RunId": run.run_id,
        **source,
        "TemplateId": run.start["TemplateId"],
        "SpaceName": run.space,
    }


def _task_details(run: EmulatedRun, now: float) -> list[dict[str, Any]]:
    """Return a task for each output, all at the run's pace; Progress is 0 to 100 (facts 1)."""
    ended = run.has_ended(now)
    share = (now - run.started) / max(run.ended - run.started, 0.001)
    status = "Scheduled" if now < run.started else "Running"
    if ended:
        status = {"0": "Completed", "Terminated": "Canceled"}.get(run.outcome, "Failed")
    state: dict[str, Any] = {
        "Status": status,
        "Progress": 100 if status == "Completed" else max(0, min(99, int(share * 100))),
    }
    if now >= run.started:
        state["StartTime"] = format_time(run.started)
    if ended:
        state["EndTime"] = format_time(run.ended)
    tasks = Outputs(run.run_id, run.start, format_time(run.ended), run.tasks).tasks()
    return [{"DisplayName": name, "TemplateId": template, **state} for name, template in tasks]


def _template(template_id: str, behaviour: Behaviour) -> Template | None:
    """Return the built-in or user's workflow with an id; None if there is none."""
    if template_id in SYSTEM_TEMPLATES:
        return _system(template_id)
    return behaviour.template(template_id)


def _system(template_id: str) -> Template:
    name, outputs = SYSTEM_TEMPLATES[template_id]
    return Template(
        template_id=template_id,
        space_name="system",
        name=name,
        type="System",
        transcodes=outputs - 1,
        commit_id="1",
    )


def _shown_space(template: Template) -> str:
    return "" if template.type == "System" else template.space_name


def _template_document(template: Template) -> dict[str, Any]:
    """Return the service's document of a workflow, with an activity for each output."""
    kinds = [("Transcode", template.transcodes), ("Snapshot", template.snapshots)]
    activities = [
        {
            "ActivityId": f"{kind.lower()}-{number + 1}",
            "Name": f"{kind.lower()}-{number + 1}",
            "Type": kind,
            f"{kind}Activity": {"TemplateId": f"{template.template_id}-{kind.lower()}-{number}"},
        }
        for kind, count in kinds
        for number in range(count)
    ]
    end = {"ActivityId": "end", "Type": "End", "EndActivity": {"TranscodeEvent": "AllSuccess"}}
    return {
        "TemplateId": template.template_id,
        "SpaceName": _shown_space(template),
        "Name": template.name,
        "Description": template.description,
        "Type": template.type,
        "CreatedAt": _format_time(template.created_at),
        "UpdatedAt": _format_time(template.updated_at),
        "CommitId": template.commit_id,
        "Activities": [*activities, end],
    }


SOURCE_BITRATE: Final = 1_000_000
"""The bitrate of each source, in bits a second."""


def _media_document(vid: str, space: str) -> dict[str, Any]:
    """Return the service's document of a video, without the files that runs have made."""
    seconds = source_seconds(vid)
    width, height = SOURCE_SIZE
    return {
        "BasicInfo": {
            "SpaceName": space,
            "Vid": vid,
            "Title": vid,
            "PublishStatus": "Unpublished",
            "Tags": [],
            "CreateTime": "2026-01-01T00:00:00Z",
            "TosStorageClass": "STANDARD",
            "VodUploadSource": "upload",
        },
        "SourceInfo": {
            "FileType": "video",
            "Format": "MP4",
            "Codec": "h264",
            "Width": width,
            "Height": height,
            "Duration": seconds,
            "Bitrate": SOURCE_BITRATE,
            "Size": seconds * SOURCE_BITRATE / 8,
        },
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
