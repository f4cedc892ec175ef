"""The four workflow calls on the emulator's books: typed parameters in, results out. No HTTP."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_vod_workflow.emulator import contract
from pulumi_vod_workflow.emulator.errors import Refusal
from pulumi_vod_workflow.emulator.outputs import Outputs, source_missing, space_name
from pulumi_vod_workflow.emulator.store import Dedup, Run, Store, iso
from pulumi_vod_workflow.emulator.verify import Keys

LONGEST: Final = 365 * 86400.0
"""Seconds that a run can be set to take."""


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How the emulator behaves."""

    store: str | os.PathLike[str] | None = None
    """SQLite file that outlives the process; `None` keeps everything in memory."""
    access_key: str = "AKLTEMULATOR"
    secret_key: str = field(default="emulator-secret-key", repr=False)
    session_token: str | None = field(default=None, repr=False)
    """If set, every request must carry it; if not, none may carry one."""
    dedup: Dedup = "unfinished"
    """Which earlier runs an identical start joins (facts 4: the documents disagree)."""
    rate_limit: int = 50
    """Requests of each action in any second; 0 is no limit."""
    pending_seconds: float = 1.0
    running_seconds: float = 4.0
    region: str | None = None
    """The only region that signatures may be for; `None` takes any."""
    strict_templates: bool = False
    """Know the built-in workflows only; by default every workflow id exists."""

    def __post_init__(self) -> None:
        """
        Refuse what would make every request fail.

        Raises:
            ValueError: naming the setting.

        """
        for name in ("rate_limit", "pending_seconds", "running_seconds"):
            if not 0 <= getattr(self, name) <= LONGEST:
                raise ValueError(f"{name} must be a number from 0 to {LONGEST:.0f}")


class Service:
    """The service's memory and what it does; several processes may share the memory."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.keys = Keys(
            settings.access_key, settings.secret_key, settings.session_token, settings.region
        )
        self.store = Store(settings.store)
        self.counts: dict[str, int] = {}
        """Requests of each action that this process has had, refused ones too."""
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget runs, outcomes, faults, counts and the clock."""
        self.store.reset()
        self.counts.clear()

    def count(self, action: str) -> None:
        """Note that a request came."""
        with self._lock:
            self.counts[action] = self.counts.get(action, 0) + 1

    def limit(self, action: str) -> None:
        """
        Let at most the allowed number of requests through in any one second (page: 50 次/秒).

        Raises:
            Refusal: for one too many.

        """
        allowed = self.settings.rate_limit
        if allowed and not self.store.admit(action, allowed):
            raise Refusal("RequestLimitExceeded", str(allowed), headers={"retry-after": "1"})

    def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Make a call of `CALLS` and return its result."""
        return CALLS[action](self, parameters)

    def start_workflow(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Accept a run, or join an identical one."""
        start = contract.start(parameters)
        self._template(start["TemplateId"])
        if source_missing(start):
            raise Refusal("ResourceNotFound", "Vid" if "Vid" in start else "FileName")
        run_id = self.store.accept(
            start,
            dedup=self.settings.dedup,
            pending=self.settings.pending_seconds,
            running=self.settings.running_seconds,
        )
        return {"RunId": run_id}

    def get_workflow_execution(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Tell how far a run is (facts 1)."""
        typed = contract.read(parameters, "RunId", NeedTasksDetail=contract.NEED_TASKS)
        run, now = self._find(typed["RunId"])
        start = run.start
        result: dict[str, Any] = {
            **_origin(run),
            "TemplateName": f"emulated {start['TemplateId']}",
            "Status": run.status(now),
            "EnableLowPriority": start.get("EnableLowPriority", False),
            "JobSource": "API",
            "CreateTime": iso(run.accepted),
            "Priority": start.get("Priority", 0),
            **{key: start[key] for key in ("CallbackArgs", "Input", "TaskListId") if key in start},
        }
        if now >= run.started:
            result["StartTime"] = iso(run.started)
        if run.has_ended(now):
            result["EndTime"] = iso(run.ended)
        if typed.get("NeedTasksDetail"):
            result["TasksDetail"] = _tasks(run, now)
        return result

    def get_workflow_execution_result(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Tell what a run has produced (facts 2)."""
        run, now = self._find(contract.read(parameters, "RunId")["RunId"])
        status = run.status(now)
        result = {**_origin(run), "Status": status, "TranscodeInfos": [], "Snapshots": []}
        for key in ("CallbackArgs", "ClientToken"):
            if key in run.start:
                result[key] = run.start[key]
        if status in {"0", "2004", "2005"}:
            outputs = Outputs(run.run_id, run.start, iso(run.ended))
            result |= {"TranscodeInfos": outputs.transcodes(), "Snapshots": outputs.snapshots()}
        return result

    def get_workflow_template(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Describe a workflow; every id is known here (facts 3)."""
        template_id = contract.read(parameters, "TemplateId")["TemplateId"]
        self._template(template_id)
        system = template_id in contract.SYSTEM_TEMPLATES
        return {
            "WorkflowTemplate": {
                "TemplateId": template_id,
                "SpaceName": "" if system else "emulated-space",
                "Name": f"emulated {template_id}",
                "Description": "",
                "Type": "System" if system else "User",
                "CreatedAt": "2026-01-01T00:00:00Z",
                "UpdatedAt": "2026-01-01T00:00:00Z",
                "CommitId": "1",
                "Activities": [{"Type": "Transcode"}, {"Type": "Snapshot"}, {"Type": "End"}],
            }
        }

    def _template(self, template_id: str) -> None:
        if self.settings.strict_templates and template_id not in contract.SYSTEM_TEMPLATES:
            raise Refusal("ResourceNotFound", "TemplateId")

    def _find(self, run_id: str) -> tuple[Run, float]:
        run = self.store.find(run_id)
        if run is None:
            raise Refusal("ResourceNotFound", "RunId")
        return run, self.store.now()


CALLS: Final[Mapping[str, Callable[[Service, dict[str, Any]], dict[str, Any]]]] = {
    "StartWorkflow": Service.start_workflow,
    "GetWorkflowExecution": Service.get_workflow_execution,
    "GetWorkflowExecutionResult": Service.get_workflow_execution_result,
    "GetWorkflowTemplate": Service.get_workflow_template,
}


def _origin(run: Run) -> dict[str, Any]:
    source = {key: run.start[key] for key in ("Vid", "DirectUrl") if key in run.start}
    return {
        "RunId": run.run_id,
        **source,
        "TemplateId": run.start["TemplateId"],
        "SpaceName": space_name(run.start),
    }


def _tasks(run: Run, now: float) -> list[dict[str, Any]]:
    """Return a task for each output, all at the run's own pace; Progress is taken as 0 to 100."""
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
        state["StartTime"] = iso(run.started)
    if ended:
        state["EndTime"] = iso(run.ended)
    tasks = Outputs(run.run_id, run.start, iso(run.ended)).tasks()
    return [{"DisplayName": name, "TemplateId": template, **state} for name, template in tasks]
