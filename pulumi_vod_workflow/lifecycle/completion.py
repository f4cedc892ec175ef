"""The lifecycle of a `WorkflowCompletion`, which waits for runs; free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pulumi_vod_workflow.core.completion.failures import raise_if_failed, raise_if_unfinished
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
from pulumi_vod_workflow.core.execution import is_emulated, is_terminal
from pulumi_vod_workflow.core.progress import format_duration
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.errors import NotFoundError, WaitError
from pulumi_vod_workflow.lifecycle.bulk import OnRead
from pulumi_vod_workflow.lifecycle.host import (
    Checked,
    Diff,
    Host,
    Imported,
    Properties,
    Recorded,
    has_lost_inputs,
    has_secret_inputs,
    require_all_inputs,
)
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.lifecycle.waiter import WaitResult, wait_for_runs

PAID_OPERATIONS: Final[frozenset[str]] = frozenset()
"""Names of the operations that may start runs."""


async def check(session: Session, host: Host, olds: Properties, news: Properties) -> Checked:
    """Validate a wait; offline and free."""
    if has_lost_inputs(news):
        return Checked(news)
    checked = check_completion(news)
    fails_fast = checked.values.get("failFast")
    if fails_fast is True and normalise(olds).get("failFast") is not True:
        host.logger.info("fails at the first run that does not succeed (fail_fast)")
    return Checked(checked.values, session.failures(checked.problems))


async def diff(
    _session: Session, _host: Host, _id: str, olds: Properties, news: Properties
) -> Diff:
    """Decide whether the wait has other runs or settings; offline and free."""
    if has_lost_inputs(news):
        return Diff(changes=True)
    return Diff(changes=needs_update(normalise(olds), normalise(news)))


async def create(session: Session, host: Host, props: Properties) -> Recorded:
    """
    Wait for all runs, and record their results; free.

    Raises:
        WaitError: when runs failed or have not ended in time, or when the user cancels.

    """
    require_all_inputs(props)
    inputs = normalise(props)
    return Recorded(_id_of(inputs), await _wait(session, host, {}, inputs))


async def read(_session: Session, _host: Host, id_: str, props: Properties) -> Recorded:
    """Return the recorded results; free. A run that has ended never changes."""
    return Recorded(id_, with_secrets(normalise(props)))


async def update(
    session: Session, host: Host, _id: str, olds: Properties, news: Properties
) -> Properties:
    """
    Wait for all runs without a recorded result; free.

    Raises:
        WaitError: as `create`.

    """
    require_all_inputs(news)
    return await _wait(session, host, normalise(olds), normalise(news))


async def delete(_session: Session, _host: Host, _id: str, _props: Properties) -> None:
    """Remove the results from the state; free."""


async def import_(_session: Session, _host: Host, _id: str, _scope: Properties) -> Imported:
    """
    Reject the import of a wait: the service does not know it.

    Raises:
        WaitError: always.

    """
    raise WaitError(
        "a WorkflowCompletion cannot be imported. No run was started.",
        "hint: declare it; a second wait is free",
    )


def may_change_by_read(_state: Mapping[str, Any]) -> bool:
    """Return false: a run that has ended never changes."""
    return False


def unfinished(olds: Properties, news: Properties) -> Recorded:
    """
    Return the resource of a wait that has failed, so that the next update continues the wait.

    Args:
        olds: the recorded state; empty without one.
        news: the checked inputs.

    """
    recorded, inputs = normalise(olds), normalise(news)
    results = {
        name: result
        for name, result in (recorded.get("results") or {}).items()
        if name in runs_to_wait_for(inputs)
    }
    return Recorded(_id_of(inputs), with_secrets(to_completion_state(inputs, results)))


def _id_of(inputs: Mapping[str, Any]) -> str:
    scope = inputs["scope"]
    return f"{scope['project']}/{scope['stack']}/{scope['name']}"


async def _wait(
    session: Session, host: Host, olds: Mapping[str, Any], news: Mapping[str, Any]
) -> Properties:
    if host.preview:
        return {**news}
    # A recorded result is final: a run that has ended does not change (vod-api-facts 1).
    runs = runs_to_wait_for(news)
    results = reusable_results(olds, runs)
    without_run = {name: result_without_run(run) for name, run in runs.items()}
    results |= {name: result for name, result in without_run.items() if result}
    awaited = {name: run for name, run in runs.items() if name not in results}
    fails_fast = news.get("failFast") is True
    if fails_fast:
        raise_if_failed(results, len(awaited))
    not_started = [name for name in runs if without_run[name]]
    if awaited and not_started:  # a warning before a long wait, which may fail for these items
        names = list_names(not_started, 20)
        host.logger.warning(f"no run to wait for, because the last update got no RunId: {names}")
    durations = session.recorded_run_durations((olds.get("results") or {}).values())
    failures: list[str] = []

    def note_failure(name: str, outputs: Mapping[str, Any]) -> None:
        if fails_fast and is_terminal(outputs) and outputs["phase"] != "succeeded":
            failures.append(name)

    wait = await _wait_for(
        session,
        host,
        awaited,
        news,
        durations=durations,
        on_read=note_failure,
        is_over=lambda: bool(failures),
    )
    read_now = {
        name: result_of(runs[name]["runId"], outputs) for name, outputs in wait.ended.items()
    }
    if failures:
        raise_if_failed({**results, **read_now}, len(awaited) - len(read_now))
    lost = [
        name
        for name, error in wait.unreadable.items()
        if isinstance(error, NotFoundError) and is_emulated(awaited[name]["runId"])
    ]
    raise_if_unfinished(
        len(runs),
        wait.unfinished,
        {**wait.failing, **wait.unreadable},
        duration=None if wait.cancelled else wait.duration,
        lost=lost,
    )
    results = {name: results.get(name) or read_now[name] for name in runs}
    if news["onFailure"] == "error":
        raise_if_failed(results)
    if awaited:
        host.logger.info(f"{summary(results)} after {format_duration(wait.duration)}")
    state = to_completion_state(news, results)
    if _is_secret(session, news):
        state["results"] = Secret(results)
        return state
    return with_secrets(state)


def _is_secret(session: Session, news: Mapping[str, Any]) -> bool:
    """Return whether results and messages may reveal a secret input of a run."""
    # A wait has the ids of its runs alone, which are no secrets. The engine calls a wait after the
    # operations of its runs.
    awaited = {run.get("runId") for run in runs_to_wait_for(news).values()}
    return has_secret_inputs(news) or not session.secret_runs.isdisjoint(awaited)


async def _wait_for(
    session: Session,
    host: Host,
    runs: Mapping[str, Mapping[str, Any]],
    news: Mapping[str, Any],
    *,
    durations: Mapping[str, Sequence[float]],
    on_read: OnRead,
    is_over: Callable[[], bool],
) -> WaitResult:
    """Wait until all runs have ended, the wait is over, or the user cancels."""
    if not runs:
        return WaitResult()
    timeout = news["timeout"]
    wait = await session.call(
        wait_for_runs,
        {name: session.run_ref(run) for name, run in runs.items()},
        timeout=timeout if host.deadline is None else min(timeout, host.deadline),
        on_progress=host.report,
        durations=durations,
        is_cancelled=lambda: is_over() or host.is_cancelled(),
        on_read=on_read,
    )
    if _is_secret(session, news):
        for error in (*wait.failing.values(), *wait.unreadable.values()):
            error.redact_service_message()
    return wait
