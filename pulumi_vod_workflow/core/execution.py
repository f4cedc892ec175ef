"""The outputs of a run from the service's answers, with every incoming wire name."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from pulumi_vod_workflow.core.request import REQUEST_FIELDS, request_fields
from pulumi_vod_workflow.core.values import UNKNOWN, is_known

Phase = Literal["submitted", "pending", "running", "succeeded", "failed", "terminated", "expired"]

TERMINAL_PHASES: Final[frozenset[str]] = frozenset({"succeeded", "failed", "terminated", "expired"})
"""The phases without further change."""

StatusClass = Literal["systemError", "userError", "terminated", "expired"]
"""A class of runs that did not succeed: `rerunOn` names those that start again."""

# vod-api-facts 1: a 30-day query range. An older run is not found, but it existed.
RETENTION: Final = timedelta(days=30)
"""The time for which the service returns a run."""

# The service's RunIds begin with `lb:`, or have no prefix (vod-api-facts 3).
EMULATED_RUN_ID: Final = "emu:"
"""The beginning of every RunId of the emulator."""

SUBMITTED_REASON: Final = (
    "accepted by the service; `pulumi refresh --run-program` reads the current status"
)
EXPIRED: Final[Mapping[str, str]] = {
    "phase": "expired",
    "statusReason": (
        "older than 30 days, so the service no longer returns it; the state keeps the last outputs"
    ),
}
"""The changed outputs of a run whose record is gone."""
# vod-api-facts 1: 2004 and 2005 come after the outputs, so they may exist (inferred).
_OUTPUTS_MAY_EXIST: Final = "outputs may exist; a rerun can help, and is paid again"
_RERUN_HELPS: Final = "a rerun can help, and is paid again"
_RERUN_ALONE_DOES_NOT_HELP: Final = "a rerun alone does not help"

FAILURE_REASONS: Final[Mapping[str, str]] = {
    "1001": f"the source is damaged or cannot be parsed; {_RERUN_ALONE_DOES_NOT_HELP}",
    "1002": f"the source lacks an audio or video stream; {_RERUN_ALONE_DOES_NOT_HELP}",
    "1003": f"the source could not be downloaded (user side); {_RERUN_ALONE_DOES_NOT_HELP}",
    "1004": f"too many outputs; {_RERUN_ALONE_DOES_NOT_HELP}",
    "1005": f"the source lacks a subtitle stream; {_RERUN_ALONE_DOES_NOT_HELP}",
    "1006": f"a template parameter is wrong; {_RERUN_ALONE_DOES_NOT_HELP}",
    "2000": f"unknown system error; {_RERUN_HELPS}",
    "2001": f"the source could not be downloaded (system side); {_RERUN_HELPS}",
    "2002": f"an output could not be uploaded; {_RERUN_HELPS}",
    "2003": f"transcoding timed out; {_RERUN_HELPS}",
    "2004": f"automatic publishing failed; {_OUTPUTS_MAY_EXIST}",
    "2005": f"the user callback failed; {_OUTPUTS_MAY_EXIST}",
}
"""Failure code -> its meaning, and whether a rerun can help (vod-api-facts 1, D-stat)."""


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """The meaning of a service's status: a phase, and a reason in the service's terms."""

    phase: Phase
    reason: str


def classify_status(status: str) -> StatusInfo:
    """Return the phase and the reason of the service's status."""
    known: Mapping[str, StatusInfo] = {
        "PendingStart": StatusInfo("pending", "PendingStart: queued"),
        "Running": StatusInfo("running", "Running: being processed"),
        "0": StatusInfo("succeeded", "0: finished without an unhandled exception"),
        "Terminated": StatusInfo(
            "terminated", "Terminated: ended by a user of the account; a rerun is a new, paid run"
        ),
    }
    if status in known:
        return known[status]
    if status in FAILURE_REASONS:
        return StatusInfo("failed", f"{status}: {FAILURE_REASONS[status]}")
    # vod-api-facts 1: two pages give different ranges, so the first digit decides: 1 user error,
    # 2 system error.
    if len(status) == 4 and status.isascii() and status.isdigit() and status[0] in "12":
        whose, remedy = (
            ("user", _RERUN_ALONE_DOES_NOT_HELP) if status[0] == "1" else ("system", _RERUN_HELPS)
        )
        return StatusInfo(
            "failed", f"{status}: a {whose} error without a documented name; {remedy}"
        )
    # Design, section 3: an unknown status is carried through, and is never success or an end.
    return StatusInfo("running", f"{status}: unknown to this version; the run counts as unfinished")


def status_class(recorded: Mapping[str, Any]) -> StatusClass | None:
    """Return the class of a recorded run that did not succeed; `None` for all other runs."""
    phase: object = recorded.get("phase")
    if phase == "failed":
        # vod-api-facts 1 (D-stat): 1xxx is an error of the source or the template.
        is_system_error = str(recorded.get("status", "")).startswith("2")
        return "systemError" if is_system_error else "userError"
    if phase == "terminated":
        return "terminated"
    return "expired" if phase == "expired" else None


def submitted_outputs(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of an accepted run that has not been read yet."""
    return {**run, "phase": "submitted", "statusReason": SUBMITTED_REASON}


RECORD_GONE: Final = (
    "check `vod:emulatorStore`: the configured emulator does not know this run, so its store was "
    "deleted or reset, or is another one\n"
    "or remove the run from the state with `pulumi destroy` (free: no real run is lost)\n"
    "or start it again: run `pulumi up --replace` with the URN (paid, if `vod:endpoint` is not an "
    "emulator)"
)
"""The remedy for an emulated run that is not found, one action a line."""


def is_emulated(run_id: str) -> bool:
    """Return whether the emulator, not the service, made this run."""
    return run_id.startswith(EMULATED_RUN_ID)


def _status_outputs(status: str) -> dict[str, Any]:
    info = classify_status(status)
    return {"status": status, "phase": info.phase, "statusReason": info.reason}


def execution_outputs(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs from GetWorkflowExecution's Result."""
    outputs: dict[str, Any] = {
        **_status_outputs(str(result.get("Status", ""))),
        "createTime": result.get("CreateTime"),
        "startTime": result.get("StartTime"),
        "endTime": result.get("EndTime"),
        "spaceName": result.get("SpaceName"),
        "templateName": result.get("TemplateName"),
        "jobSource": result.get("JobSource"),
        "tasks": to_property_names(result.get("TasksDetail")),
        "extra": _unknown_fields(result, _EXECUTION_FIELD_NAMES),
    }
    return {key: value for key, value in outputs.items() if value not in (None, "", [], {})}


def start_inputs_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the start inputs from GetWorkflowExecution's Result."""
    inputs = {
        key: to_property_names(result.get(key[0].upper() + key[1:])) for key in REQUEST_FIELDS
    }
    direct_url = inputs["directUrl"]
    if isinstance(direct_url, Mapping):  # the service may send an absent part as ""
        inputs["directUrl"] = {key: value for key, value in direct_url.items() if value}
    return {key: value for key, value in request_fields(inputs).items() if value != ""}


def mismatched_fields(declared: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the declared parts of a source that differ from the found run's."""
    return tuple(
        key
        for key in _SOURCE_FIELDS
        if is_known(declared.get(key))
        and declared.get(key) is not None
        and not is_consistent_with(declared[key], found.get(key))
    )


def is_consistent_with(declared: object, found: object) -> bool:
    """Return whether no declared value differs from the service's; the service may omit some."""
    if isinstance(declared, Mapping) and isinstance(found, Mapping):
        return all(
            key not in found or is_consistent_with(item, found[key])
            for key, item in declared.items()
        )
    if isinstance(declared, list) and isinstance(found, list):
        return len(declared) == len(found) and all(map(is_consistent_with, declared, found))
    return declared is not UNKNOWN and declared == found


_SOURCE_FIELDS: Final = ("vid", "directUrl", "templateId")
"""The media and the workflow, which identify a run's work."""


def empty_result_lists() -> dict[str, Any]:
    """Return empty lists of results, so that a program can iterate before the run has ended."""
    return {"tasks": [], "transcodes": [], "snapshots": []}


def result_outputs(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs from GetWorkflowExecutionResult's Result."""
    status = str(result.get("Status"))
    # vod-api-facts 2: this call has a Status, too, and may be behind the other call. The run then
    # counts as unfinished, so a later read returns its results.
    if status in {"PendingStart", "Running"}:
        return _status_outputs(status)
    outputs = {
        "transcodes": to_property_names(result.get("TranscodeInfos")) or [],
        "snapshots": to_property_names(result.get("Snapshots")) or [],
    }
    extra = _unknown_fields(result, _RESULT_FIELD_NAMES)
    return {**outputs, "extra": extra} if extra else outputs


_START_FIELD_NAMES: Final = frozenset(
    {*(key[0].upper() + key[1:] for key in REQUEST_FIELDS), "RunId", "ClientToken", "SpaceName"}
)
_EXECUTION_FIELD_NAMES: Final = _START_FIELD_NAMES | {
    "Status",
    "CreateTime",
    "StartTime",
    "EndTime",
    "TemplateName",
    "JobSource",
    "TasksDetail",
}
_RESULT_FIELD_NAMES: Final = _START_FIELD_NAMES | {"Status", "TranscodeInfos", "Snapshots"}


def _unknown_fields(result: Mapping[str, Any], known: AbstractSet[str]) -> dict[str, Any]:
    """Return the fields that this version does not know."""
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
"""The outputs in a run's state."""

_VERBATIM: Final = frozenset({"FileExtra", "Vars", "Condition"})  # their keys are the user's


def to_property_names(value: Any) -> Any:  # the same tree as `value`
    """Return `value` with keys in lowerCamelCase, unknown keys included."""
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
        return "ai" + name[2:]  # AIDynpost (vod-api-facts 2) is aiDynpost, not aIDynpost
    return name[:1].lower() + name[1:]


def is_terminal(recorded: Mapping[str, Any]) -> bool:
    """Return whether a recorded run has ended, so that no read changes its state."""
    return recorded.get("phase") in TERMINAL_PHASES


def merge_outputs(recorded: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's state with the newest outputs."""
    # `extra` comes from two calls, so its fields are merged.
    extra = {**(recorded.get("extra") or {}), **(outputs.get("extra") or {})}
    return {**recorded, **outputs, **({"extra": extra} if extra else {})}


def has_expired(recorded: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a run that is not found is older than `RETENTION`."""
    # Design, section 3: a younger run that is not found means a wrong account or region.
    age = run_age(recorded, now)
    return age is not None and age > RETENTION.total_seconds()


def run_age(recorded: Mapping[str, Any], now: datetime) -> float | None:
    """Return a run's age in seconds; `None` if its start is not known."""
    return seconds_since(_creation(recorded), now)


def run_duration(recorded: Mapping[str, Any]) -> float | None:
    """Return the seconds from a run's creation to its end; `None` if one of them is not known."""
    ended = ended_for(recorded, _EPOCH)
    age = None if ended is None else run_age(recorded, _EPOCH)
    return None if age is None or ended is None else age - ended


def ended_for(recorded: Mapping[str, Any], now: datetime) -> float | None:
    """Return the seconds since a run's end; `None` if it has not ended, or its end has no time."""
    return seconds_since(recorded.get("endTime"), now) if is_terminal(recorded) else None


def seconds_since(time: object, now: datetime) -> float | None:
    """Return the seconds since a recorded time; `None` if it is not a time with an offset."""
    try:
        return (now - datetime.fromisoformat(str(time))).total_seconds()
    except (ValueError, TypeError):
        return None


def _creation(recorded: Mapping[str, Any]) -> object:
    return recorded.get("createTime") or recorded.get("submittedAt")


_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def service_time(server_date: str | None, fallback: datetime) -> datetime:
    """Return the service's time from a `Date` header, or `fallback` without a valid header."""
    try:
        moment = parsedate_to_datetime(server_date or "")
    except ValueError:
        return fallback
    return moment if moment.tzinfo else fallback
