"""The errors of a wait: failed runs and unfinished runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pulumi_vod_workflow.core.batch.inputs import Properties
from pulumi_vod_workflow.core.progress import format_duration, tasks_summary
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import (
    CallError,
    RunsFailedError,
    WaitError,
    WaitStoppedError,
    WaitTimeoutError,
)

MAX_FAILURES_LISTED: Final = 20
"""Runs that an error tells of one by one."""


def failed_names(results: Mapping[str, Properties]) -> list[str]:
    """Name the runs that did not succeed."""
    return [name for name, result in results.items() if result["phase"] != "succeeded"]


# -- what a failed wait says -------------------------------------------------------------------


def raise_if_failed(results: Mapping[str, Properties]) -> None:
    """
    Let pass only runs that have all succeeded.

    Raises:
        RunsFailedError: telling of each other one what it means and what to do.

    """
    wrong = failed_names(results)
    if wrong:
        lines = [
            f"  - {_failure_lines(name, results[name])}" for name in wrong[:MAX_FAILURES_LISTED]
        ]
        raise RunsFailedError(
            f"{len(wrong):,} of {len(results):,} runs did not succeed:",
            *lines,
            *_truncated(wrong),
            "The wait started nothing. The next `pulumi up` looks at them again; "
            'on_failure="record" takes failures as results.',
        )


def _failure_lines(name: str, result: Properties) -> str:
    run = f" ({result['runId']})" if result.get("runId", name) != name else ""
    reason = str(result["statusReason"]).rstrip(".")
    return f"{name}{run}: {result['phase']}: {reason}. {remedy(result)}"


def remedy(result: Properties) -> str:
    """Say what to do about a run that did not succeed, or an item without one."""
    status = str(result.get("status", ""))
    if result["phase"] == "rejected":
        return "Correct it or take it out: the next `pulumi up` tries it as it is then."
    if result["phase"] == "unclear":
        return "Look for its run in the VOD console, and name it as existing_run_id."
    if result["phase"] == "expired":
        return "Its results can no longer be read: run it again by a changed trigger, or leave it."
    if status.startswith("1"):
        return "Correct what it is declared with: that is a new, paid run."
    again = "change a value in its triggers"
    if status.startswith("2"):
        again += ", or set rerun_on_failure and `pulumi refresh --run-program`"
    return f"To pay for another run, {again}."


def _truncated(names: list[str]) -> list[str]:
    return (
        [f"  - and {len(names) - MAX_FAILURES_LISTED:,} more"]
        if len(names) > MAX_FAILURES_LISTED
        else []
    )


WAIT_RESUMES_HINT: Final = "Nothing was started or lost; the next `pulumi up` waits on."


def raise_if_unfinished(
    total: int,
    unfinished: Mapping[str, Properties],
    errors: Mapping[str, CallError],
    took: float | None,
    forgotten: Collection[str] = (),
) -> None:
    """
    Let pass only a wait whose runs have all ended.

    Args:
        total: how many runs are awaited.
        unfinished: name -> what was last read of it; nothing if it was not read at all.
        errors: name -> why it could not be read the last time.
        took: seconds until the time was over; `None` if the person has stopped the wait.
        forgotten: names of emulated runs that are not found; `errors` has them, too.

    Raises:
        WaitError: for runs that cannot be read.
        WaitTimeoutError: when the time is over.
        WaitStoppedError: when the person has stopped the wait.

    """
    unreadable = sorted(set(errors) - set(unfinished) - set(forgotten))
    lines = [
        _unread_line(name, errors[name]) for name in unreadable[:MAX_FAILURES_LISTED]
    ] + _truncated(unreadable)
    if unreadable:
        lines.insert(0, f"{len(unreadable):,} of {total:,} runs cannot be read:")
    if unfinished:
        passed = "when stopped" if took is None else f"after {format_duration(took)}"
        lines += [
            f"{len(unfinished):,} of {total:,} runs have not ended {passed}:",
            *_unfinished(unfinished, errors),
        ]
    if forgotten:
        lines = [_lost_emulated_runs(sorted(forgotten), total), *lines]
    if not lines:
        return
    if not (unreadable or unfinished):
        raise WaitError(*lines)
    if unfinished and took is None:
        raise WaitStoppedError(*lines, WAIT_RESUMES_HINT)
    if unfinished and not unreadable:
        raise WaitTimeoutError(*lines, f"{WAIT_RESUMES_HINT} A longer timeout may help.")
    raise WaitError(*lines, WAIT_RESUMES_HINT)


def _unfinished(unfinished: Mapping[str, Properties], errors: Mapping[str, CallError]) -> list[str]:
    """Say of each run how far it is."""
    names = list(unfinished)
    lines = []
    for name in names[:MAX_FAILURES_LISTED]:
        outputs = unfinished[name]
        done = tasks_summary(outputs)
        tasks = f", {done}" if done else ""
        reason = outputs.get("statusReason", "not read yet")
        failing = f" (the last question failed: {errors[name].summary})" if name in errors else ""
        lines.append(f"  - {name}: {reason}{tasks}{failing}")
    return [*lines, *_truncated(names)]


def _lost_emulated_runs(names: list[str], total: int) -> str:
    """Say of runs that the emulator does not know that a longer wait does not bring them back."""
    return (
        f"{len(names):,} of {total:,} runs not found by the emulator that is configured now "
        f"({list_names(names, MAX_FAILURES_LISTED)}): was its store deleted or reset, or is another one configured? "
        "Nothing real is lost: start them again with `pulumi up --replace` their URNs or changed "
        "triggers, or take them out of the program."
    )


def _unread_line(name: str, error: CallError) -> str:
    return f"  - {name}: " + " ".join(str(error).split("\n"))
