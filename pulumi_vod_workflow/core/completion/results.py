"""What a wait is declared with, what it holds at the end, and what a failed one says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.batch.changes import Properties
from pulumi_vod_workflow.core.changes import Secret, differ, with_secret_urls
from pulumi_vod_workflow.core.execution import RETENTION, is_known_to_have_ended
from pulumi_vod_workflow.core.inputs.models import (
    TEXT_OF_AN_OBJECT,
    Declaration,
    Model,
    allowed,
    declare,
    texts_of_objects,
)
from pulumi_vod_workflow.core.progress import duration, tasks_told
from pulumi_vod_workflow.core.text import named, path_of
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import (
    CallError,
    Problem,
    RunsFailedError,
    WaitError,
    WaitStoppedError,
    WaitTimeoutError,
)

DEFAULT_TIMEOUT: Final = 3600
"""Seconds, an hour: workflows take minutes, and many of them queue."""
LISTED: Final = 20
"""Runs that an error tells of one by one."""
_DURATION: Final = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?")


def _seconds(value: object) -> object:
    """Turn `1h30m` into seconds; what is no such text is judged as it is."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        return value
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return int(timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds())


def _is_wait(value: object) -> object:
    seconds = _seconds(value)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 < seconds <= RETENTION.total_seconds()
    ):
        raise PydanticCustomError("test", "not allowed")
    return seconds


Timeout = Annotated[
    float, BeforeValidator(_is_wait), allowed("seconds, or text like 90s, 45m, 1h30m; to 30 days")
]
OnFailure = Annotated[Literal["error", "record"], allowed("error or record")]


class CompletionInputs(Model):
    """What a WorkflowCompletion is declared with, beside its runs."""

    timeout: Timeout | None = None
    on_failure: OnFailure | None = None


_SETTINGS: Final = tuple(map(to_camel, CompletionInputs.model_fields))
COMPLETION_FIELDS: Final = ("runs", *_SETTINGS, "scope", "secretInputs")


def declare_completion(raw: Properties) -> Declaration:
    """Normalise and check a wait: its runs by name, each an id or what is known of a run."""
    found = normalise(raw)
    settings: dict[str, object] = {name: found[name] for name in _SETTINGS if name in found}
    problems = [*declare(settings, CompletionInputs).problems, *_run_problems(found.get("runs"))]
    problems += [
        Problem(path_of(name), "unknown key; a completion has runs, timeout and on_failure")
        for name in sorted(set(found) - set(COMPLETION_FIELDS))
    ]
    timeout = _seconds(found.get("timeout", DEFAULT_TIMEOUT))
    return Declaration({"onFailure": "error", **found, "timeout": timeout}, tuple(problems))


def _run_problems(runs: object) -> Iterator[Problem]:
    if runs is UNKNOWN:
        return
    if not isinstance(runs, Mapping):
        yield Problem(
            "runs", "must be a WorkflowBatch, or a list or map of WorkflowRuns or run ids"
        )
        return
    of_objects = [*texts_of_objects(runs, "runs")]
    if of_objects:
        yield from (Problem(path, TEXT_OF_AN_OBJECT) for path in of_objects)
        return
    wrong = sorted(name for name, run in runs.items() if not _is_run(run))
    if wrong:
        yield Problem("runs", f"must be WorkflowRuns or run ids, these are not: {named(wrong, 20)}")


def _is_run(run: object) -> bool:
    if isinstance(run, Mapping):
        return not is_known(run) or any(run.get(key) for key in ("runId", "rejected", "unclear"))
    return run is UNKNOWN or (isinstance(run, str) and bool(run) and run == run.strip())


def awaited(declared: Properties) -> dict[str, dict[str, Any]]:
    """Return name -> what is known of the run: `runId` and where it is, or why it has none."""
    return {
        name: dict(run) if isinstance(run, Mapping) else {"runId": run}
        for name, run in sorted(declared["runs"].items())
    }


RESULT_FIELDS: Final = (
    "runId",
    "status",
    "phase",
    "statusReason",
    "createTime",
    "startTime",
    "endTime",
    "transcodes",
    "snapshots",
    "extra",
)
"""What is held of each run."""


def result_of(run_id: str, outputs: Properties) -> dict[str, Any]:
    """Return what is held of a run that has ended."""
    held = {"transcodes": [], "snapshots": [], **outputs, "runId": run_id}
    return {name: held[name] for name in RESULT_FIELDS if held.get(name) not in (None, {})}


def without_run(run: Properties) -> dict[str, Any] | None:
    """Return what is held of an item of a batch that has no run, or may have an unknown one."""
    for phase in ("rejected", "unclear"):
        if phase in run:
            return {"phase": phase, "statusReason": run[phase], "transcodes": [], "snapshots": []}
    return None


def still_valid(recorded: Properties, runs: Mapping[str, Properties]) -> dict[str, dict[str, Any]]:
    """Return the recorded results of runs that are awaited still: they never change again."""
    held = {
        result["runId"]: result
        for result in (recorded.get("results") or {}).values()
        if is_known_to_have_ended(result) and "runId" in result
    }
    return {name: held[run["runId"]] for name, run in runs.items() if run.get("runId") in held}


def changes(recorded: Properties, declared: Properties) -> bool:
    """Tell whether other runs are to be waited for, or something else is to be recorded."""
    return differ(_identified(recorded), _identified(declared)) or any(
        differ(recorded.get(name), declared.get(name)) for name in COMPLETION_FIELDS[1:]
    )


def _identified(properties: Properties) -> object:
    """
    Return the runs without what is only a hint of when to ask.

    The engine calls an output that a run does not have unknown in every preview: an adopted one has
    no such time.
    """
    runs = properties.get("runs")
    if not isinstance(runs, Mapping):
        return runs
    return {
        name: {key: value for key, value in run.items() if key != "submittedAt"}
        if isinstance(run, Mapping)
        else run
        for name, run in runs.items()
    }


def record_completion(declared: Properties, results: Mapping[str, Properties]) -> dict[str, Any]:
    """Return a wait's state: its declaration, and what the runs have come to."""
    inputs = {name: declared[name] for name in COMPLETION_FIELDS if name in declared}
    return {**inputs, "results": dict(results), "failed": failed(results)}


def with_secrets(recorded: Properties) -> dict[str, Any]:
    """Mark what could tell a secret input of a run, its results, and URLs in any of them."""
    if "results" not in recorded:
        return dict(recorded)
    results = recorded["results"]
    if recorded.get("secretInputs") is True:
        return {**recorded, "results": Secret(results)}
    marked = {name: with_secret_urls(result) for name, result in results.items()}
    return {**recorded, "results": marked}


def summary(results: Mapping[str, Properties]) -> str:
    """Return how many runs came to what."""
    counts = Counter(result["phase"] for result in results.values())
    return ", ".join(f"{count:,} {phase}" for phase, count in sorted(counts.items())) or "no runs"


def failed(results: Mapping[str, Properties]) -> list[str]:
    """Name the runs that did not succeed."""
    return [name for name, result in results.items() if result["phase"] != "succeeded"]


# -- what a failed wait says -------------------------------------------------------------------


def refuse_failures(results: Mapping[str, Properties]) -> None:
    """
    Let pass only runs that have all succeeded.

    Raises:
        RunsFailedError: telling of each other one what it means and what to do.

    """
    wrong = failed(results)
    if wrong:
        lines = [f"  - {_told(name, results[name])}" for name in wrong[:LISTED]]
        raise RunsFailedError(
            f"{len(wrong):,} of {len(results):,} runs did not succeed:",
            *lines,
            *_more(wrong),
            "The wait started nothing. The next `pulumi up` looks at them again; "
            'on_failure="record" takes failures as results.',
        )


def _told(name: str, result: Properties) -> str:
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


def _more(names: list[str]) -> list[str]:
    return [f"  - and {len(names) - LISTED:,} more"] if len(names) > LISTED else []


ON: Final = "Nothing was started or lost; the next `pulumi up` waits on."


def refuse_unfinished(
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
    lines = [_unread(name, errors[name]) for name in unreadable[:LISTED]] + _more(unreadable)
    if unreadable:
        lines.insert(0, f"{len(unreadable):,} of {total:,} runs cannot be read:")
    if unfinished:
        passed = "when stopped" if took is None else f"after {duration(took)}"
        lines += [
            f"{len(unfinished):,} of {total:,} runs have not ended {passed}:",
            *_unfinished(unfinished, errors),
        ]
    if forgotten:
        lines = [_forgotten(sorted(forgotten), total), *lines]
    if not lines:
        return
    if not (unreadable or unfinished):
        raise WaitError(*lines)
    if unfinished and took is None:
        raise WaitStoppedError(*lines, ON)
    if unfinished and not unreadable:
        raise WaitTimeoutError(*lines, f"{ON} A longer timeout may help.")
    raise WaitError(*lines, ON)


def _unfinished(unfinished: Mapping[str, Properties], errors: Mapping[str, CallError]) -> list[str]:
    """Say of each run how far it is."""
    names = list(unfinished)
    lines = []
    for name in names[:LISTED]:
        outputs = unfinished[name]
        done = tasks_told(outputs)
        tasks = f", {done}" if done else ""
        reason = outputs.get("statusReason", "not read yet")
        failing = f" (the last question failed: {errors[name].what})" if name in errors else ""
        lines.append(f"  - {name}: {reason}{tasks}{failing}")
    return [*lines, *_more(names)]


def _forgotten(names: list[str], total: int) -> str:
    """Say of runs that the emulator does not know that a longer wait does not bring them back."""
    return (
        f"{len(names):,} of {total:,} runs not found by the emulator that is configured now "
        f"({named(names, LISTED)}): was its store deleted or reset, or is another one configured? "
        "Nothing real is lost: start them again with `pulumi up --replace` their URNs or changed "
        "triggers, or take them out of the program."
    )


def _unread(name: str, error: CallError) -> str:
    return f"  - {name}: " + " ".join(str(error).split("\n"))
