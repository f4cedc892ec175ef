"""
What the service says of a run becomes outputs: every incoming wire name is here.

Statuses are strings (facts 1): two words, "0", and four-digit failure codes of which the first
digit says whose fault it is. One that is not known here is carried through and is never an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from pulumi_vod_workflow.core.request import REQUEST_FIELDS, request_fields
from pulumi_vod_workflow.core.values import UNKNOWN, is_known

Phase = Literal["submitted", "pending", "running", "succeeded", "failed", "terminated", "expired"]

TERMINAL_PHASES: Final[frozenset[str]] = frozenset({"succeeded", "failed", "terminated", "expired"})
"""Phases that never change again."""

RETENTION: Final = timedelta(days=30)
"""How long the service answers for a run (facts 1: 30-day query range)."""

EMULATED_RUN_ID: Final = "emu:"
"""Run ids of the emulator begin with this; the service's own do not."""

SUBMITTED_REASON: Final = (
    "accepted by the service; `pulumi refresh --run-program` reads how far it is"
)
EXPIRED: Final[Mapping[str, str]] = {
    "phase": "expired",
    "statusReason": (
        "older than the 30 days for which the service answers; "
        "what is recorded is what was last read"
    ),
}
"""What changes in the outputs of a run whose record is gone."""
_OUTPUTS_MAY_EXIST: Final = "outputs may exist all the same; a repeat can help, and is paid again"
_SYSTEM: Final = "a repeat can help, and is paid again"
_USER: Final = "a repeat alone does not help"

FAILURE_REASONS: Final[Mapping[str, str]] = {
    "1001": f"the source is damaged or cannot be parsed; {_USER}",
    "1002": f"the source lacks an audio or video stream; {_USER}",
    "1003": f"the source could not be downloaded (user side); {_USER}",
    "1004": f"too many outputs; {_USER}",
    "1005": f"the source lacks a subtitle stream; {_USER}",
    "1006": f"a template parameter is wrong; {_USER}",
    "2000": f"unknown system error; {_SYSTEM}",
    "2001": f"the source could not be downloaded (system side); {_SYSTEM}",
    "2002": f"an output could not be uploaded; {_SYSTEM}",
    "2003": f"transcoding timed out; {_SYSTEM}",
    "2004": f"automatic publishing failed; {_OUTPUTS_MAY_EXIST}",
    "2005": f"the user callback failed; {_OUTPUTS_MAY_EXIST}",
}
"""Failure code -> what it means and whether a repeat can help (facts 1, D-stat)."""


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """Where a run stands: our phase, and the reason in the service's terms."""

    phase: Phase
    reason: str


def classify_status(status: str) -> StatusInfo:
    """Classify the service's status string."""
    known: Mapping[str, StatusInfo] = {
        "PendingStart": StatusInfo("pending", "PendingStart: queued"),
        "Running": StatusInfo("running", "Running: being processed"),
        "0": StatusInfo("succeeded", "0: finished without an unhandled exception"),
        "Terminated": StatusInfo(
            "terminated", "Terminated: ended by a user of the account; a repeat is a new, paid run"
        ),
    }
    if status in known:
        return known[status]
    if status in FAILURE_REASONS:
        return StatusInfo("failed", f"{status}: {FAILURE_REASONS[status]}")
    if len(status) == 4 and status.isascii() and status.isdigit() and status[0] in "12":
        whose, remedy = ("user", _USER) if status[0] == "1" else ("system", _SYSTEM)
        return StatusInfo(
            "failed", f"{status}: a {whose} error without a documented name; {remedy}"
        )
    return StatusInfo(
        "running", f"{status}: a status this version does not know; taken as not yet ended"
    )


def may_succeed_if_repeated(recorded: Mapping[str, Any]) -> bool:
    """Tell whether a recorded run failed with a system error, the kind a repeat can mend."""
    return recorded.get("phase") == "failed" and str(recorded.get("status", "")).startswith("2")


def submitted_outputs(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a run that has been accepted, and not been read since."""
    return {**run, "phase": "submitted", "statusReason": SUBMITTED_REASON}


RECORD_GONE: Final = (
    "check `vod:emulatorStore`: the configured emulator does not know this run, so its store was "
    "deleted or reset, or is another one\n"
    "or run `pulumi up --replace` with the URN, or `pulumi destroy` (free: no real run is lost)"
)
"""The remedy for an emulated run that is not found, one action a line."""


def is_emulated(run_id: str) -> bool:
    """Tell whether the emulator, not the service, made this run."""
    return run_id.startswith(EMULATED_RUN_ID)


def _status_outputs(status: str) -> dict[str, Any]:
    where = classify_status(status)
    return {"status": status, "phase": where.phase, "statusReason": where.reason}


def execution_outputs(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs that GetWorkflowExecution's Result tells."""
    outputs: dict[str, Any] = {
        **_status_outputs(str(result.get("Status", ""))),
        "createTime": result.get("CreateTime"),
        "startTime": result.get("StartTime"),
        "endTime": result.get("EndTime"),
        "spaceName": result.get("SpaceName"),
        "templateName": result.get("TemplateName"),
        "jobSource": result.get("JobSource"),
        "tasks": to_property_names(result.get("TasksDetail")),
        "extra": _extra(result, _EXECUTION),
    }
    return {key: value for key, value in outputs.items() if value not in (None, "", [], {})}


def start_inputs_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what GetWorkflowExecution's Result says was started, as start inputs."""
    told = {key: to_property_names(result.get(key[0].upper() + key[1:])) for key in REQUEST_FIELDS}
    direct_url = told["directUrl"]
    if isinstance(direct_url, Mapping):  # the service may spell an absent part as ""
        told["directUrl"] = {key: value for key, value in direct_url.items() if value}
    return {key: value for key, value in request_fields(told).items() if value != ""}


def mismatched_fields(declared: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the declared parts of a source that are not those of the run that was found."""
    return tuple(
        key
        for key in _SOURCE
        if is_known(declared.get(key))
        and declared.get(key) is not None
        and not is_consistent_with(declared[key], found.get(key))
    )


def is_consistent_with(declared: object, told: object) -> bool:
    """Tell whether nothing declared differs from what the service told, which may be less."""
    if isinstance(declared, Mapping) and isinstance(told, Mapping):
        return all(
            key not in told or is_consistent_with(item, told[key]) for key, item in declared.items()
        )
    if isinstance(declared, list) and isinstance(told, list):
        return len(declared) == len(told) and all(map(is_consistent_with, declared, told))
    return declared is not UNKNOWN and declared == told


_SOURCE: Final = ("vid", "directUrl", "templateId")
"""Which media, by which workflow: another one is another run."""


def empty_result_lists() -> dict[str, Any]:
    """Return the lists that a program can go through before anything is in them."""
    return {"tasks": [], "transcodes": [], "snapshots": []}


def result_outputs(result: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the outputs that GetWorkflowExecutionResult's Result tells.

    It has a Status of its own, and may be behind: then the run is not yet ended, so that its
    results are asked for again.
    """
    status = str(result.get("Status"))
    if status in {"PendingStart", "Running"}:
        return _status_outputs(status)
    outputs = {
        "transcodes": to_property_names(result.get("TranscodeInfos")) or [],
        "snapshots": to_property_names(result.get("Snapshots")) or [],
    }
    extra = _extra(result, _RESULT)
    return {**outputs, "extra": extra} if extra else outputs


_STARTED: Final = frozenset(
    {*(key[0].upper() + key[1:] for key in REQUEST_FIELDS), "RunId", "ClientToken", "SpaceName"}
)
_EXECUTION: Final = _STARTED | {
    "Status",
    "CreateTime",
    "StartTime",
    "EndTime",
    "TemplateName",
    "JobSource",
    "TasksDetail",
}
_RESULT: Final = _STARTED | {"Status", "TranscodeInfos", "Snapshots"}


def _extra(result: Mapping[str, Any], known: AbstractSet[str]) -> dict[str, Any]:
    """Return what the service tells beyond what this version knows."""
    return {
        _lower_first(key): to_property_names(value)
        for key, value in result.items()
        if key not in known and value not in (None, "", [], {})
    }


OUTPUT_FIELDS: Final = (
    "runId",
    "requestId",
    "submittedAt",
    "region",
    "endpoint",
    "emulated",
    "status",
    "phase",
    "statusReason",
    "createTime",
    "startTime",
    "endTime",
    "spaceName",
    "templateName",
    "jobSource",
    "tasks",
    "transcodes",
    "snapshots",
    "extra",
)
"""What a run's state holds beside its inputs."""

_VERBATIM: Final = frozenset({"FileExtra", "Vars", "Condition"})  # their keys are the user's


def to_property_names(value: Any) -> Any:  # the same tree, keys in lowerCamelCase, unknown ones too
    """Return `value` spelled as in state, carrying also what this version does not know."""
    if isinstance(value, Mapping):
        return {
            _lower_first(key): item if key in _VERBATIM else to_property_names(item)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [to_property_names(item) for item in value]
    return value


def _lower_first(name: str) -> str:
    if name.startswith("AI"):
        return "ai" + name[2:]  # AIDynpost
    return name[:1].lower() + name[1:]


def is_terminal(recorded: Mapping[str, Any]) -> bool:
    """Tell whether there is nothing more to ask the service about a recorded run."""
    return recorded.get("phase") in TERMINAL_PHASES


def merge_outputs(recorded: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's state with what was read last; `extra` comes from two calls."""
    extra = {**(recorded.get("extra") or {}), **(outputs.get("extra") or {})}
    return {**recorded, **outputs, **({"extra": extra} if extra else {})}


def has_expired(recorded: Mapping[str, Any], now: datetime) -> bool:
    """
    Tell whether a run that is not found is simply too old to be.

    Anything else that is not found is a wrong account or region, which is an error.
    """
    age = run_age(recorded, now)
    return age is not None and age > RETENTION.total_seconds()


def run_age(recorded: Mapping[str, Any], now: datetime) -> float | None:
    """Return the seconds since a run was made, or accepted; `None` if that is not known."""
    since = recorded.get("createTime") or recorded.get("submittedAt")
    try:
        return (now - datetime.fromisoformat(str(since))).total_seconds()
    except (ValueError, TypeError):  # not a time, or one without an offset
        return None


def service_time(server_date: str | None, fallback: datetime) -> datetime:
    """Return the service's own time from an answer's `Date` header, if it has a usable one."""
    try:
        moment = parsedate_to_datetime(server_date or "")
    except ValueError:
        return fallback
    return moment if moment.tzinfo else fallback
