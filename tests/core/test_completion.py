"""What a wait is declared with, what it holds, and what a failed one says."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pulumi_vod_workflow.core.completion.failures import (
    LOST_RUNS_HINTS,
    WAIT_RESUMES_HINT,
    raise_if_failed,
    raise_if_unfinished,
)
from pulumi_vod_workflow.core.completion.inputs import check_completion, runs_to_wait_for
from pulumi_vod_workflow.core.completion.results import (
    needs_update,
    result_of,
    result_without_run,
    reusable_results,
    summary,
    to_completion_state,
    with_secrets,
)
from pulumi_vod_workflow.core.execution import EXPIRED, classify_status
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import (
    CallError,
    NotFoundError,
    RunsFailedError,
    TransportError,
    WaitError,
    WaitStoppedError,
    WaitTimeoutError,
)

RUNS: Final = {"a": "lb:1"}


def says(**raw: Any) -> list[str]:
    declaration = check_completion({"runs": RUNS, **raw})
    return [str(problem) for problem in declaration.problems]


def declared(**raw: Any) -> dict[str, Any]:
    declaration = check_completion({"runs": RUNS, **raw})
    assert declaration.problems == ()
    return declaration.values


# -- declaring ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (None, 3600),
        (90, 90),
        (90.0, 90),
        (0.5, 0.5),
        (2_592_000, 2_592_000),
        ("90s", 90),
        ("45m", 2700),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1h15s", 3615),
        ("0h1m", 60),
        ("720h", 2_592_000),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_a_timeout_is_recorded_in_seconds(timeout: Any, seconds: Any) -> None:
    """Another spelling of the same time is no change."""
    assert declared(timeout=timeout)["timeout"] == seconds
    assert declared(timeout=declared(timeout=timeout)["timeout"])["timeout"] == seconds


@pytest.mark.parametrize(
    "timeout",
    [
        True,
        False,
        0,
        -1,
        2_592_001,
        float("nan"),
        float("inf"),
        "",
        "0s",
        "0h0m",
        "90",
        "h",
        "-90s",
        "1.5h",
        "1 h",
        "90s ",
        "90s\n",
        "90S",
        "30d",
        "30m1h",
        "1h1h",
        "721h",
        "2592001s",
        "forever",
        [90],
        {"seconds": 90},
        "999999999999999h",
        "1" * 5000 + "s",
    ],
    ids=lambda timeout: str(timeout)[:20],
)
def test_other_timeouts_are_refused(timeout: Any) -> None:
    """With what is allowed; the value is not repeated."""
    assert says(timeout=timeout) == [
        "timeout: must be seconds, or text like 90s, 45m, 1h30m; to 30 days"
    ]


@pytest.mark.parametrize("choice", ["error", "record", None, UNKNOWN])
def test_what_a_failure_does(choice: Any) -> None:
    """It is an error unless something else is declared."""
    assert declared(onFailure=choice)["onFailure"] == (choice or "error")


@pytest.mark.parametrize("choice", ["Error", "", "ignore", True, 0, ["error"]])
def test_anything_else_is_refused(choice: Any) -> None:
    """With the two that are allowed."""
    assert says(onFailure=choice) == ["onFailure: must be error or record"]


@pytest.mark.parametrize(
    "run",
    [
        "lb:1",
        UNKNOWN,
        {"runId": "lb:1"},
        {"runId": "lb:1", "region": "r", "endpoint": "e", "submittedAt": None},
        {"runId": UNKNOWN},
        {"runId": "lb:1", "region": UNKNOWN},
        {"rejected": "no"},
        {"unclear": "perhaps"},
        {"runId": "lb:1", "rejected": "no"},
    ],
)
def test_a_run_is_an_id_or_what_is_known_of_it(run: Any) -> None:
    """Also one that has no id, because its start was rejected or is unclear."""
    assert says(runs={"a": run}) == []


@pytest.mark.parametrize(
    "run", ["", " lb:1", 1, True, [], ["lb:1"], {}, {"region": "r"}, {"runId": ""}]
)
def test_what_is_no_run_is_named(run: Any) -> None:
    """By its name; the value is not repeated."""
    assert says(runs={"b": run, "a": run, "c": "lb:1"}) == [
        "runs: must be WorkflowRuns or run ids; wrong ones: a, b"
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_run_id_made_of_an_output_is_refused_before_anything_is_paid(
    texts_of_outputs: tuple[str, str],
) -> None:
    """A name likewise; the wait would fail after the runs were started."""
    text, told = texts_of_outputs[0], "contains Python's text of an Output"
    [problem] = says(runs={"a": text, "b": {"runId": "lb:1"}})
    assert problem.startswith(f"runs.a: {told}")
    [problem] = says(runs={text: text})
    assert problem.startswith(f"runs: {told}")


@pytest.mark.parametrize("runs", [None, "lb:1", ["lb:1"], 1])
def test_runs_come_by_name(runs: Any) -> None:
    """The resource gives them names; anything else is refused, and all problems at once."""
    told = says(runs=runs, timeout=0, onFailure="x", more=1)
    assert [text.split(": ")[0] for text in told] == ["onFailure", "timeout", "runs", "more"]
    assert told[2] == "runs: must be a WorkflowBatch, or a list or map of WorkflowRuns or run ids"
    assert told[3] == "more: unknown key; The keys here are fail_fast, on_failure, runs, timeout"


def test_a_key_that_no_completion_has_gets_a_hint() -> None:
    """In the spelling that was used; a key in both spellings is told as such."""
    settings: dict[str, Any] = {"onFailures": "error", "onFailure": "error", "on_failure": "record"}
    told = says(runs={"a": "lb:1"}, run=1, time_out=1, **settings)
    assert [text.partition(" The keys here are ")[::2] for text in told] == [
        ("onFailures: unknown key; did you mean onFailure?", "failFast, onFailure, runs, timeout"),
        ("on_failure: is given twice, as on_failure and as onFailure; keep one of them", ""),
        ("run: unknown key; did you mean runs?", "fail_fast, on_failure, runs, timeout"),
        ("time_out: unknown key; did you mean timeout?", "fail_fast, on_failure, runs, timeout"),
    ]


def test_many_that_are_no_runs_are_cut() -> None:
    """Twenty names are enough to see what is wrong."""
    (told,) = says(runs={f"k{number:02}": 1 for number in range(25)})
    assert told.endswith("k18, k19 and 5 more")


def test_the_runs_of_a_batch_are_runs() -> None:
    """As the batch has them, but without what changes with each read."""
    found = {"runId": "lb:1", "submittedAt": "2026-11-23T00:00:00Z"}
    batch = {"a": {**found, "phase": "running", "status": "Running", "extra": {"a": 1}}}
    assert declared(runs=batch)["runs"] == {"a": found}


def test_runs_may_be_unknown() -> None:
    """They are, until their resource is created."""
    assert says(runs=UNKNOWN) == []
    assert declared(runs=UNKNOWN)["runs"] is UNKNOWN


def test_what_is_awaited() -> None:
    """By sorted names, each with its id and where it is, or why there is none."""
    known = {"runId": "lb:2", "region": "r"}
    runs = runs_to_wait_for(declared(runs={"b": "lb:1", "a": known, "c": {"rejected": "no"}}))
    assert [*runs.items()] == [("a", known), ("b", {"runId": "lb:1"}), ("c", {"rejected": "no"})]


# -- what is held ------------------------------------------------------------------------------


def ended(status: str = "0", run_id: str = "lb:1", **outputs: Any) -> dict[str, Any]:
    where = classify_status(status)
    told = {"status": status, "phase": where.phase, "statusReason": where.reason, **outputs}
    return result_of(run_id, told)


GONE: Final = result_of("lb:1", EXPIRED)


def without(run: dict[str, Any]) -> dict[str, Any]:
    result = result_without_run(run)
    assert result is not None
    return result


CORRECT = "Correct or remove the item, then run `pulumi up` again."
REFUSED: Final = without({"rejected": "no"})
UNCLEAR: Final = without({"unclear": "perhaps"})


def test_what_is_held_of_a_run() -> None:
    """Its end and its files; lists that a program can go through are always there."""
    assert ended(tasks=[1], extra={}, endTime="e", createTime=None, snapshots=[{"a": 1}]) == {
        "runId": "lb:1",
        "status": "0",
        "phase": "succeeded",
        "statusReason": classify_status("0").reason,
        "endTime": "e",
        "transcodes": [],
        "snapshots": [{"a": 1}],
    }
    assert GONE["phase"] == "expired"
    assert REFUSED == {
        "phase": "rejected",
        "statusReason": "no",
        "transcodes": [],
        "snapshots": [],
    }
    assert UNCLEAR == {**REFUSED, "phase": "unclear", "statusReason": "perhaps"}
    assert result_without_run({"runId": "lb:1", "region": "r"}) is None
    assert without({"runId": "lb:1", "rejected": "no"}) == REFUSED, "not the run that it had before"


@pytest.mark.parametrize(
    ("result", "run", "valid"),
    [
        (ended(), {"runId": "lb:1"}, True),
        (ended(), {"runId": "lb:1", "region": "r"}, True),
        (ended("1001"), {"runId": "lb:1"}, True),
        (GONE, {"runId": "lb:1"}, True),
        (ended(), {"runId": "lb:2"}, False),
        (ended(), {"rejected": "no"}, False),
        (REFUSED, {"rejected": "no"}, False),
        (UNCLEAR, {"unclear": "perhaps"}, False),
        (UNCLEAR, {"runId": "lb:1"}, False),
        (REFUSED, {"runId": "lb:1"}, False),
        (ended("Running"), {"runId": "lb:1"}, False),
        (ended(), None, False),
    ],
)
def test_results_stay_valid_while_their_run_is_awaited(
    result: dict[str, Any], run: dict[str, Any] | None, valid: bool
) -> None:
    """A run that has ended never changes; one that was replaced is another."""
    runs = {} if run is None else {"a": run}
    held = reusable_results({"results": {"a": result}}, runs)
    assert held == ({"a": result} if valid else {})
    assert reusable_results({}, {"a": {"runId": "lb:1"}}) == {}


def test_results_are_held_by_the_id_of_their_run() -> None:
    """A run that is awaited under another name, or under two, is not asked about again."""
    one, two = ended(), ended("1001", "lb:2")
    recorded = {"results": {"a": one, "b": two, "c": REFUSED, "d": ended("Running", "lb:4")}}
    runs = {
        "a": {"runId": "lb:2"},
        "x": {"runId": "lb:1", "region": "r"},
        "y": {"runId": "lb:1"},
        "b": {"runId": "lb:3"},
        "c": {"rejected": "no"},
        "d": {"runId": "lb:4"},
    }
    assert reusable_results(recorded, runs) == {"a": two, "x": one, "y": one}


@pytest.mark.parametrize(
    ("change", "changes"),
    [
        ({}, False),
        ({"timeout": "60m"}, False),
        ({"onFailure": None}, False),
        ({"timeout": 60}, True),
        ({"onFailure": "record"}, True),
        ({"runs": {"a": "lb:2"}}, True),
        ({"runs": {"a": "lb:1", "b": "lb:2"}}, True),
        ({"runs": {}}, True),
        ({"runs": UNKNOWN}, True),
        ({"runs": {"a": UNKNOWN}}, True),
        ({"scope": {"name": "m"}}, True),
        ({"secretInputs": True}, True),
    ],
)
def test_what_makes_it_wait_again(change: dict[str, Any], changes: bool) -> None:
    """Other runs, or other settings; results that are still valid are not read again."""
    recorded = to_completion_state(declared(scope={"name": "n"}), {"a": ended()})
    assert needs_update(recorded, declared(**{"scope": {"name": "n"}, **change})) is changes
    assert needs_update({}, declared())


def test_a_wait_without_all_results_waits_again() -> None:
    """One that has failed: its results are those of earlier waits."""
    runs = {"a": "lb:1", "b": "lb:2"}
    recorded = to_completion_state(declared(runs=runs), {"a": ended()})
    assert needs_update(recorded, declared(runs=runs))


@pytest.mark.parametrize("submitted", [UNKNOWN, None, "2026-01-01T00:00:00Z"])
def test_when_a_run_was_submitted_is_no_reason_to_wait_again(submitted: Any) -> None:
    """One that was adopted has no such time, which the engine calls unknown in every preview."""
    run = {"runId": "lb:1", "region": "cn-north-1"}
    recorded = to_completion_state(declared(runs={"a": run}), {"a": ended()})
    again = {**run, "submittedAt": submitted}
    assert not needs_update(recorded, declared(runs={"a": again}))
    assert needs_update(recorded, declared(runs={"a": {**again, "region": UNKNOWN}}))
    assert needs_update(recorded, declared(runs={"a": {**again, "runId": "lb:2"}}))


def test_what_is_recorded() -> None:
    """The declaration, the results, and who did not succeed; results are secret if inputs are."""
    results = {"a": ended(), "b": ended("2003"), "c": GONE, "d": REFUSED, "e": ended("Terminated")}
    results["f"] = UNCLEAR
    recorded = to_completion_state({**declared(), "more": 1}, results)
    assert recorded == {
        "runs": RUNS,
        "timeout": 3600,
        "onFailure": "error",
        "results": results,
        "failed": ["b", "c", "d", "e", "f"],
    }
    assert with_secrets(recorded) == recorded
    secret = {**recorded, "secretInputs": True}
    assert with_secrets(secret) == {**secret, "results": Secret(results)}
    assert with_secrets({"secretInputs": True}) == {"secretInputs": True}
    url = "https://cdn.example.com/a.mp4?auth_key=1"
    signed = {**recorded, "results": {"a": {**ended(), "transcodes": [{"playUrl": url}]}}}
    hidden = {**recorded, "results": {"a": {**ended(), "transcodes": [{"playUrl": Secret(url)}]}}}
    assert with_secrets(signed) == hidden
    told = summary(results)
    assert told == "1 expired, 1 failed, 1 rejected, 1 succeeded, 1 terminated, 1 unclear"
    assert summary({}) == "no runs"


# -- what a failed wait says -------------------------------------------------------------------


def refused(**results: dict[str, Any]) -> list[str]:
    with pytest.raises(RunsFailedError) as caught:
        raise_if_failed(results)
    return str(caught.value).split("\n")


USER: Final = "Correct the declaration (paid: starts one run)."
LEFT: Final = "Its results are no longer available: change a trigger to rerun it, or keep it."
PAID: Final = " (paid: starts one run)."
TRIGGER: Final = "To rerun it, change a value in its triggers"
AGAIN: Final = TRIGGER + PAID
CONSOLE: Final = "Look for the run in the VOD console, then set existing_run_id to its RunId."
SETTING: Final = ", or set rerun_on and run `pulumi refresh --run-program`"
SYSTEM: Final = TRIGGER + SETTING + PAID


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ended("1001"), f"a (lb:1): failed: {classify_status('1001').reason}. {USER}"),
        (ended("1777"), f"a (lb:1): failed: {classify_status('1777').reason}. {USER}"),
        (ended("2003"), f"a (lb:1): failed: {classify_status('2003').reason}. {SYSTEM}"),
        (ended("2005"), f"a (lb:1): failed: {classify_status('2005').reason}. {SYSTEM}"),
        (
            ended("Terminated"),
            f"a (lb:1): terminated: {classify_status('Terminated').reason}. {AGAIN}",
        ),
        (GONE, f"a (lb:1): expired: {EXPIRED['statusReason']}. {LEFT}"),
        (
            result_of("lb:1", {"status": "1001", **EXPIRED}),
            f"a (lb:1): expired: {EXPIRED['statusReason']}. {LEFT}",
        ),
        (REFUSED, f"a: rejected: no. {CORRECT}"),
        (
            UNCLEAR,
            f"a: unclear: perhaps. {CONSOLE}",
        ),
    ],
)
def test_each_failed_run_is_a_line(result: dict[str, Any], told: str) -> None:
    """With its code, what that means, whether a rerun can help, and what to do."""
    first, line, *last = refused(a=result, b=ended())
    assert first == "1 of 2 runs did not succeed:"
    assert line == f"  - {told}"
    assert last[0] == "No run was started by the wait."
    assert last[1].startswith("hint: run `pulumi up` again")
    assert 'on_failure="record"' in last[2]


@pytest.mark.parametrize(
    ("status", "parts"),
    [
        ("1002", ["1002", "audio or video stream", "a rerun alone does not help", "Correct"]),
        ("2002", ["2002", "could not be uploaded", "a rerun can help", "triggers"]),
        ("Terminated", ["ended by a user", "a rerun is a new, paid run", "triggers"]),
    ],
)
def test_what_a_person_needs_to_know_is_there(status: str, parts: list[str]) -> None:
    """Spelled out, in this order, on one line."""
    line = refused(a=ended(status))[1]
    places = [line.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_a_system_error_names_the_setting_that_repeats_it() -> None:
    """A trigger is one way, `rerun_on` the one that was made for it."""
    assert "rerun_on and" in refused(a=ended("2003"))[1]
    assert "rerun_on and" not in refused(a=ended("1001"))[1]


def test_a_rejection_that_is_a_sentence_stays_one() -> None:
    """As the provider records it: the service's answer, and its advice."""
    reason = "StartWorkflow: refused: bad Nothing was started by this call."
    assert refused(a=without({"rejected": reason}))[1] == (f"  - a: rejected: {reason} {CORRECT}")


def test_a_run_that_is_named_by_its_id_is_named_once() -> None:
    """As runs are that were given as a list of ids."""
    assert refused(**{"lb:1": GONE})[1].startswith("  - lb:1: expired: ")


def test_success_passes() -> None:
    """And so do no runs at all."""
    raise_if_failed({"a": ended()})
    raise_if_failed({})


@pytest.mark.parametrize(("count", "more"), [(20, []), (21, ["  - and 1 more"])])
def test_many_failures_are_cut(count: int, more: list[str]) -> None:
    """The first twenty by name, and how many more."""
    lines = refused(**{f"k{number:02}": ended("1001") for number in range(count)})
    assert lines[0] == f"{count} of {count} runs did not succeed:"
    assert len(lines) == 1 + 20 + len(more) + 3
    assert lines[21:-3] == more


HALF: Final[dict[str, Any]] = {
    "statusReason": "Running: being processed",
    "tasks": [{"progress": 40.0}, {"progress": 12.5}, {"name": "x"}, {"progress": None}],
}


RESUMES: Final = WAIT_RESUMES_HINT.split("\n")
LOST: Final = TransportError("GetWorkflowExecution", "x", maybe_accepted=False, retryable=True)
MISSING: Final = NotFoundError("GetWorkflowExecution", code="c", message="m", http_status=404)


def unfinished(
    total: int,
    runs: dict[str, Any],
    errors: dict[str, CallError] | None = None,
    took: float | None = None,
    kind: type[WaitError] = WaitStoppedError,
) -> list[str]:
    with pytest.raises(WaitError) as caught:
        raise_if_unfinished(total, runs, errors or {}, took)
    assert type(caught.value) is kind
    return str(caught.value).split("\n")


@pytest.mark.parametrize("took", [None, 0.0, 1.0])
def test_a_wait_whose_runs_have_all_ended_passes(took: float | None) -> None:
    """Also when it was to stop, or its time was over, at that very moment."""
    raise_if_unfinished(3, {}, {}, took)
    raise_if_unfinished(0, {}, {}, took)


def test_a_timeout_tells_how_far_each_run_is() -> None:
    """What it waits for, which part is done, and that nothing is lost."""
    runs: dict[str, Any] = {"a": HALF, "b": {"statusReason": "PendingStart: queued"}, "c": {}}
    assert unfinished(1_234, runs, took=5400.0, kind=WaitTimeoutError) == [
        "3 of 1,234 runs have not ended after 1 h 30 min:",
        "  - a: Running: being processed, 13 % of 4 tasks",
        "  - b: PendingStart: queued",
        "  - c: not read yet",
        *RESUMES,
        "hint: or set a longer `timeout`",
    ]


def test_ctrl_c_tells_how_far_each_run_is() -> None:
    """The same, and that the next update waits on."""
    assert unfinished(9, {"a": HALF}) == [
        "1 of 9 runs have not ended when stopped:",
        "  - a: Running: being processed, 13 % of 4 tasks",
        "No run was started or lost.",
        "hint: run `pulumi up` again to continue the wait",
    ]


def test_no_time_at_all_is_not_taken_for_a_stop() -> None:
    """A clock that has not moved is one that was read, too."""
    assert unfinished(1, {"a": {}}, took=0.0, kind=WaitTimeoutError)[0] == (
        "1 of 1 runs have not ended after 0 s:"
    )


@pytest.mark.parametrize("progress", [float("nan"), float("inf"), None, "40"])
def test_odd_progress_is_not_told(progress: object) -> None:
    """What is no number is no part of the work."""
    run = {"statusReason": "Running", "tasks": [{"progress": progress}]}
    assert unfinished(1, {"a": run})[1] == "  - a: Running"


def test_an_unfinished_run_tells_why_it_could_not_be_read_the_last_time() -> None:
    """It is waited for all the same, and is not one that cannot be read."""
    failing: dict[str, CallError] = {"a": LOST, "b": LOST}
    assert unfinished(2, {"a": HALF, "b": {}}, failing, 1.0, WaitTimeoutError)[:-3] == [
        "2 of 2 runs have not ended after 1 s:",
        "  - a: Running: being processed, 13 % of 4 tasks (the last read failed: x)",
        "  - b: not read yet (the last read failed: x)",
    ]


@pytest.mark.parametrize("took", [None, 1.0])
def test_runs_that_cannot_be_read_are_told_with_the_reason(took: float | None) -> None:
    """By sorted names, each on one line, whatever has ended the wait."""
    first, a, b, *last = unfinished(9, {}, {"b": LOST, "a": MISSING}, took, WaitError)
    assert first == "2 of 9 runs cannot be read:"
    assert a == "  - a: " + " ".join(line.rstrip(".") + "." for line in str(MISSING).split("\n"))
    assert b.startswith("  - b: GetWorkflowExecution: x")
    assert last == RESUMES


@pytest.mark.parametrize(
    ("took", "passed", "kind"),
    [(None, "when stopped", WaitStoppedError), (60.0, "after 60 s", WaitError)],
)
def test_both_kinds_are_told(took: float | None, passed: str, kind: type[WaitError]) -> None:
    """And a longer timeout is not said to help where there is more that is wrong."""
    told = unfinished(9, {"a": HALF}, {"b": MISSING, "a": LOST}, took, kind)
    assert told[0] == "1 of 9 runs cannot be read:"
    assert told[1].startswith("  - b: ")
    assert told[2:] == [
        f"1 of 9 runs have not ended {passed}:",
        "  - a: Running: being processed, 13 % of 4 tasks (the last read failed: x)",
        *RESUMES,
    ]


def test_runs_that_the_emulator_has_lost_are_one_line() -> None:
    """No wait brings them back; others are told as always."""
    gone: dict[str, CallError] = dict.fromkeys(("b", "a"), MISSING)
    with pytest.raises(WaitError) as raised:
        raise_if_unfinished(9, {}, gone, 1.0, lost=[*gone])
    line, outcome, *hints = str(raised.value).splitlines()
    assert line.startswith("2 of 9 runs are unknown to the configured emulator: a, b. ")
    assert outcome == "No run was started by the wait."
    assert hints == [*LOST_RUNS_HINTS]
    assert RESUMES[1] not in hints
    with pytest.raises(WaitError) as raised:
        raise_if_unfinished(9, {"c": HALF}, {**gone, "d": LOST}, 60.0, lost=[*gone])
    first, second, *others = str(raised.value).splitlines()
    assert first == line
    assert second == "1 of 9 runs cannot be read:"
    assert others[-5:] == [*RESUMES, *LOST_RUNS_HINTS]


@pytest.mark.parametrize(("count", "more"), [(20, []), (21, ["  - and 1 more"])])
def test_many_runs_are_cut(count: int, more: list[str]) -> None:
    """Of either kind: the first twenty, and how many more."""
    many = {f"k{number:02}": HALF for number in range(count)}
    lost: dict[str, CallError] = {f"x{number:02}": LOST for number in range(count)}
    for took, kind in ((None, WaitStoppedError), (1.0, WaitTimeoutError)):
        told = unfinished(50, many, None, took, kind)
        last = 2 if took is None else 3
        assert len(told) == 1 + 20 + len(more) + last
        assert told[21:-last] == more
    told = unfinished(50, {}, lost, 1.0, WaitError)
    assert len(told) == 1 + 20 + len(more) + 2
    assert told[21:-2] == more
    told = unfinished(50, many, lost, 1.0, WaitError)
    assert len(told) == 2 * (1 + 20 + len(more)) + 2
