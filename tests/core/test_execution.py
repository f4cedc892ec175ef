"""What the service says of a run, and what we make of it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.completion.failures import LOST_RUNS_HINTS


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("PendingStart", "pending"),
        ("Running", "running"),
        ("0", "succeeded"),
        ("1001", "failed"),
        ("1006", "failed"),
        ("1899", "failed"),
        ("2000", "failed"),
        ("2005", "failed"),
        ("2999", "failed"),
        ("Terminated", "terminated"),
        ("Paused", "running"),
        ("3000", "running"),
        ("", "running"),
        ("00", "running"),
    ],
)
def test_phases(status: str, phase: str) -> None:
    """Unknown words are neither a success nor an end."""
    where = execution.classify_status(status)
    assert where.phase == phase
    assert status in where.reason


def test_only_a_system_error_can_be_mended_by_a_repeat() -> None:
    """Facts 1: 1xxx not retryable, 2xxx retryable."""
    for status, mendable in (("1001", False), ("2003", True), ("2777", True)):
        recorded = {"status": status, "phase": execution.classify_status(status).phase}
        assert (execution.status_class(recorded) == "systemError") is mendable
    assert execution.status_class({"phase": "expired", "status": "2003"}) == "expired"


def test_unknown_fields_are_carried() -> None:
    """What the service adds one day is there at once, from both calls."""
    told = {"Status": "0", "RunId": "r", "NewField": {"SubField": 1}}
    outputs = execution.execution_outputs(told)
    assert outputs["extra"] == {"newField": {"subField": 1}}
    more = execution.result_outputs({"Status": "0", "SmartSubtitles": [1], "Vid": "v"})
    assert execution.merge_outputs(outputs, more)["extra"] == {
        "newField": {"subField": 1},
        "smartSubtitles": [1],
    }
    assert "extra" not in execution.execution_outputs({"Status": "0", "Vid": "v", "Priority": 0})


def test_results_that_are_behind_leave_the_run_unended() -> None:
    """Two calls, two moments: results that are not there yet are asked for again."""
    assert execution.result_outputs({"Status": "Running"}) == {
        "status": "Running",
        "phase": "running",
        "statusReason": "Running: being processed",
    }
    assert execution.result_outputs({"Status": "0"}) == {"transcodes": [], "snapshots": []}
    assert execution.result_outputs({}) == {"transcodes": [], "snapshots": []}


def test_what_is_not_known_is_carried() -> None:
    """Fields this version has no name for stay in the state, in its spelling."""
    outputs = execution.result_outputs(
        {"TranscodeInfos": [{"FileId": "f", "NewThing": {"InIt": 1}, "FileExtra": {"Key": "v"}}]}
    )
    assert outputs["transcodes"] == [
        {"fileId": "f", "newThing": {"inIt": 1}, "fileExtra": {"Key": "v"}}
    ]
    assert outputs["snapshots"] == []


def test_expiry_is_thirty_days_and_needs_a_time() -> None:
    """A run that is not found is expired only if it can be; else the account is wrong."""
    recorded = {"submittedAt": "2026-01-01T00:00:00Z"}
    assert not execution.has_expired(recorded, datetime(2026, 1, 30, tzinfo=UTC))
    assert execution.has_expired(recorded, datetime(2026, 2, 1, tzinfo=UTC))
    assert not execution.has_expired({}, datetime(2099, 1, 1, tzinfo=UTC))
    assert not execution.has_expired({"createTime": "soon"}, datetime(2099, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("recorded", "age"),
    [
        ({"submittedAt": "2026-01-01T00:00:00Z"}, 3600),
        ({"submittedAt": "2026-01-01T08:30:00+08:00"}, 1800),
        ({"createTime": "2026-01-01T00:59:59Z", "submittedAt": "2026-01-01T00:00:00Z"}, 1),
        ({"createTime": None, "submittedAt": "2026-01-01T00:00:00.500Z"}, 3599.5),
        ({"createTime": "", "submittedAt": "2026-01-01T01:00:30Z"}, -30),
        ({"submittedAt": "2025-01-01T01:00:00Z"}, 365 * 86_400),
        ({"submittedAt": "2026-01-01T00:00:00"}, None),
        ({"submittedAt": "2026-01-01"}, None),
        ({"createTime": "soon"}, None),
        ({"createTime": 1767225600}, None),
        ({"submittedAt": None}, None),
        ({}, None),
    ],
)
def test_the_age_of_a_run(recorded: dict[str, object], age: float | None) -> None:
    """Since it was made, or accepted; a time without an offset could be any time."""
    now = datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert execution.run_age(recorded, now) == age
    elsewhere = now.astimezone(timezone(timedelta(hours=8)))
    assert execution.run_age(recorded, elsewhere) == age


def test_contradictions_name_what_differs() -> None:
    """Adopting a run that was started with something else is refused by name."""
    found = {"vid": "v", "templateId": "t"}
    assert execution.mismatched_fields({"vid": "v"}, found) == ()
    assert execution.mismatched_fields({"vid": "w", "templateId": "u"}, found) == (
        "vid",
        "templateId",
    )
    file = {"directUrl": {"fileName": "f", "spaceName": "s"}}
    assert execution.mismatched_fields({"directUrl": {"fileName": "f"}}, file) == ()
    assert execution.mismatched_fields({"directUrl": {"fileName": "g"}}, file) == ("directUrl",)


def test_no_remedy_of_a_lost_emulated_run_calls_a_new_run_free() -> None:
    """The stack may use the real service by now, and then a replacement is paid."""
    lines = [*execution.RECORD_GONE.split("\n"), *LOST_RUNS_HINTS]
    replacing = [line for line in lines if "--replace" in line]
    assert len(replacing) == 2
    assert all("(paid" in line and "free" not in line for line in replacing)
