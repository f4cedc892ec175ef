"""
The service as an ASGI application: bytes in, the service's envelope out. No socket, no lifespan.

Longer than the rest because the four calls stand here next to what serves them.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from pulumi_vod_workflow.emulator import contract, control
from pulumi_vod_workflow.emulator.errors import Refusal
from pulumi_vod_workflow.emulator.faults import Fault, Faults, ResetFault
from pulumi_vod_workflow.emulator.outputs import Outputs, source_name, space_name, task_count
from pulumi_vod_workflow.emulator.store import Dedup, Run, Store, iso
from pulumi_vod_workflow.emulator.verify import Keys, verify
from pulumi_vod_workflow.emulator.wire import (
    VERSIONS,
    Receive,
    Scope,
    Send,
    read,
    receive_body,
)

log = logging.getLogger("pulumi_vod_workflow.emulator")


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


class Emulator:
    """The application and its books."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.store: Store = Store(settings.store)
        self.faults = Faults()
        self.counts: dict[str, int] = {}
        self._keys = Keys(
            settings.access_key, settings.secret_key, settings.session_token, settings.region
        )
        self._recent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget runs, faults, counts and the clock."""
        self.store.reset()
        self.faults.clear()
        self.counts.clear()
        self._recent.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await receive_body(receive)
        if scope["path"].startswith("/_emulator/"):
            status, document = control.answer(self, scope, body or b"")
            await self._reply(send, status, document, {})
            return
        answer = await self._serve(scope, body, receive)
        if isinstance(answer, bytes):
            await self._send(send, 200, answer, {"content-type": "text/html"})
        else:
            await self._reply(send, *answer)

    async def _reply(
        self, send: Send, status: int, document: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        # "replace": a message may quote what no UTF-8 can spell.
        text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
        await self._send(send, status, text, {"content-type": "application/json", **headers})

    async def _send(self, send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        date = format_datetime(datetime.fromtimestamp(self.store.now(), UTC), usegmt=True)
        pairs = {"date": date, "content-length": str(len(body)), **headers}
        encoded = [(name.encode(), value.encode()) for name, value in pairs.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    # -- the API ------------------------------------------------------------------------------

    async def _serve(
        self, scope: Scope, body: bytes | None, receive: Receive
    ) -> tuple[int, dict[str, Any], dict[str, str]] | bytes:
        metadata: dict[str, Any] = {"RequestId": _request_id(), "Service": "vod"}
        try:
            fault, result = self._answer(scope, body, metadata)
            if fault is not None:
                return await fault.happen(metadata, receive)
        except Refusal as refusal:
            return _refused(metadata, refusal)
        except ResetFault:
            raise  # in process this is how a connection breaks
        except Exception:
            log.exception("emulator: a defect of its own, at request %s", metadata["RequestId"])
            return _refused(metadata, Refusal("InternalError"))
        return 200, {"ResponseMetadata": metadata, "Result": result}, {}

    def _answer(
        self, scope: Scope, body: bytes | None, metadata: dict[str, Any]
    ) -> tuple[Fault | None, dict[str, Any]]:
        """Do what is asked for, in the order in which the service refuses; fill in `metadata`."""
        request, called, parameters = read(scope, body)
        action, version = called.get("Action", ""), called.get("Version", "")
        metadata |= {"Action": action, "Version": version}
        self._count(action)
        for name in ("Action", "Version"):
            if not called.get(name):
                raise Refusal("MissingParameter", name)
        _known(action, version)
        metadata["Region"] = verify(request, self._keys, datetime.now(UTC))
        self._limit(action)
        fault = self.faults.take(action)
        if fault is not None and fault.when == "before":
            return fault, {}
        return fault, getattr(self, _METHODS[action])(parameters)

    def _count(self, action: str) -> None:
        with self._lock:
            self.counts[action] = self.counts.get(action, 0) + 1

    def _limit(self, action: str) -> None:
        """Let at most the allowed number through in any one second (page: 50 次/秒)."""
        allowed = self.settings.rate_limit
        if not allowed:
            return
        now = time.monotonic()
        with self._lock:
            recent = self._recent.setdefault(action, deque())
            while recent and recent[0] <= now - 1:
                recent.popleft()
            if len(recent) >= allowed:
                raise Refusal("RequestLimitExceeded", str(allowed), headers={"retry-after": "1"})
            recent.append(now)

    def start_workflow(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Accept a run, or join an identical one."""
        start = contract.start(parameters)
        self._template(start["TemplateId"])
        if "missing" in source_name(start):
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


_METHODS: Final = {
    "StartWorkflow": "start_workflow",
    "GetWorkflowExecution": "get_workflow_execution",
    "GetWorkflowExecutionResult": "get_workflow_execution_result",
    "GetWorkflowTemplate": "get_workflow_template",
}


def _refused(
    metadata: dict[str, Any], refusal: Refusal
) -> tuple[int, dict[str, Any], dict[str, str]]:
    error: dict[str, Any] = {"Code": refusal.code, "Message": refusal.message}
    if refusal.number is not None:
        error = {"CodeN": refusal.number, **error}
    return refusal.status, {"ResponseMetadata": {**metadata, "Error": error}}, refusal.headers


def _known(action: str, version: str) -> None:
    if VERSIONS.get(action) != version:
        raise Refusal("InvalidActionOrVersion", action, version)


def _origin(run: Run) -> dict[str, Any]:
    source = {key: run.start[key] for key in ("Vid", "DirectUrl") if key in run.start}
    return {
        "RunId": run.run_id,
        **source,
        "TemplateId": run.start["TemplateId"],
        "SpaceName": space_name(run.start),
    }


def _tasks(run: Run, now: float) -> list[dict[str, Any]]:
    """Return the run's tasks, which all go at its own pace; Progress is taken as 0 to 100."""
    ended = run.has_ended(now)
    share = (now - run.started) / max(run.ended - run.started, 0.001)
    status = "Scheduled" if now < run.started else "Running"
    if ended:
        status = {"0": "Completed", "Terminated": "Canceled"}.get(run.outcome, "Failed")
    task: dict[str, Any] = {
        "TemplateId": run.start["TemplateId"],
        "Status": status,
        "Progress": 100 if status == "Completed" else max(0, min(99, int(share * 100))),
    }
    if now >= run.started:
        task["StartTime"] = iso(run.started)
    if ended:
        task["EndTime"] = iso(run.ended)
    count = task_count(run.start["TemplateId"])
    return [{"DisplayName": f"task-{number + 1}", **task} for number in range(count)]


def _request_id() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()


def create_app(settings: EmulatorSettings | None = None) -> Emulator:
    """Return the ASGI application; in process: `httpx.ASGITransport(app=create_app())`."""
    return Emulator(settings or EmulatorSettings())
