"""The errors of a wait: failed runs and unfinished runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pulumi_vod_workflow.core.progress import format_duration, tasks_summary
from pulumi_vod_workflow.core.text import as_one_line, list_names
from pulumi_vod_workflow.core.values import Properties
from pulumi_vod_workflow.errors import (
    CallError,
    RunsFailedError,
    WaitError,
    WaitStoppedError,
    WaitTimeoutError,
)

MAX_FAILURES_LISTED: Final = 20
"""The number of runs that an error lists."""


def failed_names(results: Mapping[str, Properties]) -> list[str]:
    """Return the names of the runs that did not succeed."""
    return [name for name, result in results.items() if result["phase"] != "succeeded"]


# -- failed runs -------------------------------------------------------------------------------


def raise_if_failed(results: Mapping[str, Properties], unfinished: int = 0) -> None:
    """
    Raise `RunsFailedError` unless every run succeeded.

    Args:
        results: the results of the runs that have ended.
        unfinished: the number of all other runs, for which the wait did not wait.

    Raises:
        RunsFailedError: with the meaning and the remedy of each failure.

    """
    wrong = failed_names(results)
    if wrong:
        lines = [
            f"  - {_failure_lines(name, results[name])}" for name in wrong[:MAX_FAILURES_LISTED]
        ]
        raise RunsFailedError(
            f"{len(wrong):,} of {len(results) + unfinished:,} runs did not succeed:",
            *lines,
            *_truncated(wrong),
            *([f"fail_fast: the wait ended before {unfinished:,} runs"] if unfinished else []),
            "No run was started by the wait.",
            "hint: run `pulumi up` again to read these runs again",
            'hint: or set `on_failure="record"` to record failures as results',
        )


def _failure_lines(name: str, result: Properties) -> str:
    run = f" ({result['runId']})" if result.get("runId", name) != name else ""
    reason = str(result["statusReason"]).rstrip(".")
    return f"{name}{run}: {result['phase']}: {reason}. {remedy(result)}"


def remedy(result: Properties) -> str:
    """Return the remedy for a run that did not succeed, or for an item without a run."""
    status = str(result.get("status", ""))
    if result["phase"] == "rejected":
        return "Correct or remove the item, then run `pulumi up` again."
    if result["phase"] == "unclear":
        return "Look for the run in the VOD console, then set existing_run_id to its RunId."
    if result["phase"] == "expired":
        return "Its results are no longer available: change a trigger to rerun it, or keep it."
    # vod-api-facts 1 (D-stat): 1xxx is an error of the source or the template.
    if status.startswith("1"):
        return "Correct the declaration (paid: starts one run)."
    rerun = "change a value in its triggers"
    if status.startswith("2"):
        rerun += ", or set rerun_on and run `pulumi refresh --run-program`"
    return f"To rerun it, {rerun} (paid: starts one run)."


def _truncated(names: list[str]) -> list[str]:
    return (
        [f"  - and {len(names) - MAX_FAILURES_LISTED:,} more"]
        if len(names) > MAX_FAILURES_LISTED
        else []
    )


WAIT_RESUMES_HINT: Final = (
    "No run was started or lost.\nhint: run `pulumi up` again to continue the wait"
)


def raise_if_unfinished(
    total: int,
    unfinished: Mapping[str, Properties],
    errors: Mapping[str, CallError],
    duration: float | None,
    lost: Collection[str] = (),
) -> None:
    """
    Raise an error unless every run of a wait has ended.

    Args:
        total: the number of runs.
        unfinished: name -> the outputs of the last read; empty without a read.
        errors: name -> the error of the last read.
        duration: the duration of the wait in seconds; `None` if the user cancelled it.
        lost: names of emulated runs that are not found; `errors` has them, too.

    Raises:
        WaitError: for runs that cannot be read.
        WaitTimeoutError: after the timeout.
        WaitStoppedError: after a cancellation.

    """
    unreadable = sorted(set(errors) - set(unfinished) - set(lost))
    lines = [
        _unread_line(name, errors[name]) for name in unreadable[:MAX_FAILURES_LISTED]
    ] + _truncated(unreadable)
    if unreadable:
        lines.insert(0, f"{len(unreadable):,} of {total:,} runs cannot be read:")
    if unfinished:
        passed = "when stopped" if duration is None else f"after {format_duration(duration)}"
        lines += [
            f"{len(unfinished):,} of {total:,} runs have not ended {passed}:",
            *_unfinished_lines(unfinished, errors),
        ]
    if lost:
        lines = [_lost_emulated_runs(sorted(lost), total), *lines]
    if not lines:
        return
    lost_hints = LOST_RUNS_HINTS if lost else ()
    if not (unreadable or unfinished):
        raise WaitError(*lines, "No run was started by the wait.", *lost_hints)
    if unfinished and duration is None:
        raise WaitStoppedError(*lines, WAIT_RESUMES_HINT, *lost_hints)
    if unfinished and not unreadable:
        longer = "hint: or set a longer `timeout`"
        raise WaitTimeoutError(*lines, WAIT_RESUMES_HINT, longer, *lost_hints)
    raise WaitError(*lines, WAIT_RESUMES_HINT, *lost_hints)


def _unfinished_lines(
    unfinished: Mapping[str, Properties], errors: Mapping[str, CallError]
) -> list[str]:
    """Return a line with the progress of each run."""
    names = list(unfinished)
    lines = []
    for name in names[:MAX_FAILURES_LISTED]:
        outputs = unfinished[name]
        done = tasks_summary(outputs)
        tasks = f", {done}" if done else ""
        reason = outputs.get("statusReason", "not read yet")
        failing = f" (the last read failed: {errors[name].summary})" if name in errors else ""
        lines.append(f"  - {name}: {reason}{tasks}{failing}")
    return [*lines, *_truncated(names)]


def _lost_emulated_runs(names: list[str], total: int) -> str:
    """Return the text about runs that the emulator does not know."""
    # A longer wait does not help: a deleted store has no runs.
    return (
        f"{len(names):,} of {total:,} runs are unknown to the configured emulator: "
        f"{list_names(names, MAX_FAILURES_LISTED)}. Its store was deleted or reset, or is another "
        "one. No real run is lost."
    )


LOST_RUNS_HINTS: Final = (
    "hint: check `vod:emulatorStore`",
    (
        "hint: or start them again: run `pulumi up --replace` with their URNs, or change a trigger "
        "(paid, if `vod:endpoint` is not an emulator)"
    ),
    "hint: or remove them from the program",
)
"""The remedies for runs that the emulator does not know."""


def _unread_line(name: str, error: CallError) -> str:
    return f"  - {name}: {as_one_line(str(error))}"
