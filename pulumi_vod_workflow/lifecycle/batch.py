"""The lifecycle of a `WorkflowBatch`. `create` and `update` start items (paid)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.batch.changes import BatchPlan, kept_runs, start_inputs
from pulumi_vod_workflow.core.batch.inputs import (
    BATCH_FIELDS,
    check_batch,
    items_of,
    manifest_seconds,
    normalise_batch,
    stale_tokens,
    with_derived_batch_inputs,
)
from pulumi_vod_workflow.core.batch.state import (
    runs_of,
    to_batch_state,
    unfinished_runs,
    with_secrets,
)
from pulumi_vod_workflow.core.changes import check_adopted_run
from pulumi_vod_workflow.core.recovery import Run, resource_key_of
from pulumi_vod_workflow.core.text import as_one_line, list_names
from pulumi_vod_workflow.core.values import as_mapping
from pulumi_vod_workflow.errors import (
    UNKNOWN_START_OPTIONS,
    AdoptionError,
    BatchError,
    BatchStoppedError,
    PreflightError,
    runner_journal_warning,
)
from pulumi_vod_workflow.lifecycle.batch_failures import (
    MAX_REASONS_LISTED,
    STOPPED_HINTS,
    failure_reason,
    failure_report,
    group_by_reason,
    stop_report,
    without_request_ids,
)
from pulumi_vod_workflow.lifecycle.batch_plan import (
    REJECTED_BY_PREFLIGHT,
    Recorders,
    announce_plan,
    plan_with_recovery,
    plan_without_recovery,
)
from pulumi_vod_workflow.lifecycle.failure_limit import FailureLimit
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
from pulumi_vod_workflow.lifecycle.pending_starts import meet_stack
from pulumi_vod_workflow.lifecycle.reader import RunRef, is_lost_emulated, read_many
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.lifecycle.start_records import (
    drop_reuse,
    hand_over,
    other_run_warning,
    release,
    settle_adoptions,
)
from pulumi_vod_workflow.lifecycle.starter import StartResults, start_many

# The engine reads the state of a failed operation from a header of at most 16 MiB, in which a text
# of JSON is up to 1.9 times longer.
MAX_STATE_OF_ERROR: Final = 6_000_000  # characters of JSON
Runs = dict[str, dict[str, Any]]


PAID_OPERATIONS: Final[frozenset[str]] = frozenset({"create", "update"})
"""Names of the operations that may start runs."""


async def check(session: Session, host: Host, olds: Properties, news: Properties) -> Checked:
    """
    Validate all items and add their tokens; free. Only `vod:preflight` makes calls.

    Raises:
        CallError: when the provider must not send starts: an earlier send got no response.

    """
    if has_lost_inputs(news):
        return Checked(news)
    recorded = normalise_batch(olds)
    checked = check_batch(news, recorded)
    problems = checked.problems or stale_tokens(recorded, checked.values)
    failures = session.failures(problems)
    if failures:
        return Checked(checked.values, failures)
    inputs = with_derived_batch_inputs(recorded, checked.values)
    resource = resource_key_of(inputs)
    session.checked_resources.add(resource)
    session.declared_items[resource] = frozenset(as_mapping(inputs.get("items")))
    session.manifest_seconds[resource] = manifest_seconds(news)
    if not recorded:
        plan, recovery, _ = plan_with_recovery(session, host, {}, inputs, is_preparing=True)
        rejected = await announce_plan(session, host, {}, inputs, plan=plan, recovery=recovery)
        if rejected:
            return Checked(checked.values, session.failures(rejected))
    return Checked(with_secrets(inputs))


async def diff(session: Session, host: Host, _id: str, olds: Properties, news: Properties) -> Diff:
    """
    Plan which items start a run, and announce them; free. Only `vod:preflight` makes calls.

    Raises:
        CallError: as `check`.
        PreflightError: when the preflight rejects a start.

    """
    if has_lost_inputs(news):
        return Diff(changes=True)
    recorded, declared = normalise_batch(olds), normalise_batch(news)
    runs = runs_of(recorded).values()
    session.note_recorded(runs)
    if has_secret_inputs(declared):
        session.secret_runs.update(run["runId"] for run in runs)
    release(session, runs, recorded)
    if resource_key_of(declared) not in session.checked_resources:
        # `pulumi refresh` compares the state with itself, so there is no start to announce.
        return Diff(changes=plan_without_recovery(session, recorded, declared).changes)
    plan, recovery, _ = plan_with_recovery(session, host, recorded, declared, is_preparing=True)
    rejected = await announce_plan(session, host, recorded, declared, plan=plan, recovery=recovery)
    if rejected:
        lines = [f"  - {problem}" for problem in rejected]
        raise PreflightError("\n".join(["rejected by preflight:", *lines, REJECTED_BY_PREFLIGHT]))
    return Diff(changes=plan.changes)


async def create(session: Session, host: Host, props: Properties) -> Recorded:
    """
    Start all items (paid: one run each). Record failed items with their error.

    Raises:
        BatchStoppedError: when `maxFailures` has stopped the starts. The error has the state.
        BatchError: when the state would have no run.

    """
    require_all_inputs(props)
    inputs = normalise_batch(props)
    scope = inputs["scope"]
    id_ = f"{scope['project']}/{scope['stack']}/{scope['name']}"
    return Recorded(id_, await _apply(session, host, id_, {}, inputs))


async def update(
    session: Session, host: Host, id_: str, olds: Properties, news: Properties
) -> Properties:
    """
    Start the items that need a new run (paid: one run each). All other items keep their runs.

    Raises:
        BatchStoppedError: as `create`.
        BatchError: as `create`.

    """
    require_all_inputs(news)
    return await _apply(session, host, id_, normalise_batch(olds), normalise_batch(news))


async def read(session: Session, host: Host, id_: str, props: Properties) -> Recorded:
    """
    Read all unfinished runs concurrently; free.

    Raises:
        BatchError: when all reads fail.

    """
    state = normalise_batch(props)
    if as_mapping(state.get("scope")):
        # A refresh removes the pending update of an interrupted batch from the state.
        meet_stack(session, host, state)
    runs, unfinished = runs_of(state), unfinished_runs(state)
    release(session, runs.values(), state)
    if not unfinished:
        return Recorded(id_, with_secrets(state))
    refs = {key: session.run_ref(run) for key, run in unfinished.items()}
    found, errors = await session.call(read_many, refs, host.is_cancelled)
    if errors:
        reasons = {key: failure_reason(error, state) for key, error in errors.items()}
        lines = [
            f"{len(errors):,} of {len(unfinished):,} runs could not be read:",
            *group_by_reason(reasons),
        ]
        lost = [key for key in errors if is_lost_emulated(unfinished[key]["runId"], errors[key])]
        # The runs were free, and their loss must not block a preview or a destroy.
        if len(errors) == len(unfinished) and not (host.reads_first and len(lost) == len(errors)):
            raise BatchError("\n".join(lines))
        host.logger.warning("\n".join(lines))
    for key, read_now in found.items():
        runs[key] = {**runs[key], **read_now.outputs}
        session.note_end(runs[key]["runId"], read_now)
    phases = Counter(run["phase"] for run in runs.values())
    host.logger.info(", ".join(f"{count:,} {phase}" for phase, count in sorted(phases.items())))
    return Recorded(
        id_,
        _state(
            session,
            state,
            runs,
            rejected=state.get("rejected") or {},
            unclear=state.get("unclear") or {},
            not_sent=state.get("notSent") or (),
        ),
    )


async def delete(session: Session, host: Host, _id: str, props: Properties) -> None:
    """Remove the runs from the state. Unfinished runs continue, and VOD bills them."""
    state = normalise_batch(props)
    release(session, runs_of(state).values(), state, wait=True)
    billed = [key for key, run in unfinished_runs(state).items() if not run["emulated"]]
    if billed:
        host.logger.info(
            f"removed from state, {len(billed):,} unfinished: these runs keep running and are "
            f"billed (VOD has no cancel API): {list_names(billed, 20)}"
        )


async def import_(_session: Session, _host: Host, _id: str, _scope: Properties) -> Imported:
    """
    Reject the import of a batch: the service knows runs only.

    Raises:
        BatchError: always.

    """
    raise BatchError(
        "a WorkflowBatch cannot be imported. No run was started.\n"
        "hint: declare each run as `existingRunId` of an item"
    )


def may_change_by_read(state: Mapping[str, Any]) -> bool:
    """Return whether a read may change a state: one of its runs has not ended."""
    return any(not execution.is_terminal(run) for run in as_mapping(state.get("runs")).values())


# -- starting ----------------------------------------------------------------------------------


async def _apply(
    session: Session, host: Host, id_: str, olds: Properties, news: Properties
) -> Properties:
    """
    Apply the plan, and return the state. In a preview, start no run.

    Raises:
        BatchStoppedError: when `maxFailures` has stopped the starts. The error has the state.
        BatchError: when the service accepted no start, and either an error affects every start or
            the state would have no run.

    """
    recorded: Properties = {name: olds[name] for name in ("region", "endpoint") if name in olds}
    if host.preview:
        return {**session.endpoint_outputs(), **recorded, **with_secrets(news)}
    plan, reused, recorders = await _plan_and_reuse(session, host, olds, news)
    runs = kept_runs(olds, news, plan)
    adopted, rejected = await _adopt(session, host, news, plan)
    # Starts are last, because no line below may raise after the service accepts one: an error
    # would lose the RunIds (pulumi-facts 0.3).
    limit = _failure_limit(session, host, news, reused)
    started = await _start(session, host, recorders, limit)
    new = {**reused, **started.accepted}
    starts, location = start_inputs(olds, news, new), session.endpoint_outputs()
    reads = limit.reads if limit else {}
    own = {
        key: execution.merge_outputs({**starts[key], **run, **location}, reads.get(key, {}))
        for key, run in new.items()
    }
    # An error of Python's `create` loses all runs, so failed items are part of the state
    # (pulumi-facts 0.3).
    unclear: dict[str, str] = {}
    for key, error in started.failed.items():
        (unclear if error.maybe_accepted else rejected)[key] = failure_reason(error, news)
    rejected |= started.skipped
    new_runs = {**adopted, **own}
    runs = {**runs, **new_runs}
    if has_secret_inputs(news):
        session.secret_runs.update(run["runId"] for run in runs.values())
    if rejected or unclear:
        total = len(plan.start) + len(plan.adopt)
        warning = runner_journal_warning(session.runner_journal)
        report = failure_report(rejected, unclear, total, warning)
        # Without a new run there is nothing to lose, and an error stops the update.
        if not runs or (started.abort_error and not new_runs):
            raise BatchError(f"{stop_report(limit, started)}{report}")
        host.logger.warning(report)
    state = _state(
        session,
        {**news, **recorded},
        runs,
        rejected=without_request_ids(rejected),
        unclear=without_request_ids(unclear),
        not_sent=started.not_sent,
    )
    _raise_if_stopped(host, limit, started, id_, state)
    return state


async def _plan_and_reuse(
    session: Session, host: Host, olds: Properties, news: Properties
) -> tuple[BatchPlan, Runs, Recorders]:
    """
    Return the plan, the runs of the journal that it reuses, and a recorder for each start; free.

    Raises:
        CallError: when the provider must not send starts.
        BatchError: when items that start again break a rule, or a run of the journal is unreadable.

    """
    plan, recovery, recorders = plan_with_recovery(session, host, olds, news)
    if recovery.given_away:
        hand_over(session, [each.run for each in recovery.given_away.values() if each.run])
        plan, recovery, recorders = plan_with_recovery(session, host, olds, news)
    reused = await _reuse_runs(session, recovery.reused, news)
    # An emulator has lost some of these runs. Their items start, or reuse runs of other records.
    while len(reused) < len(recovery.reused):
        plan, recovery, recorders = plan_with_recovery(session, host, olds, news)
        reused = await _reuse_runs(session, recovery.reused, news)
    hand_over(session, reused.values())
    return plan, reused, recorders


def _raise_if_stopped(
    host: Host, limit: FailureLimit | None, started: StartResults, id_: str, state: Properties
) -> None:
    """
    Raise an error with the state if starts were not sent; a warning if the state is too large.

    Raises:
        BatchStoppedError: for starts that were not sent.

    """
    if not started.not_sent:
        return
    report = stop_report(limit, started) + STOPPED_HINTS
    if len(json.dumps(state, default=str)) <= MAX_STATE_OF_ERROR:
        raise BatchStoppedError(report, id_, state)
    host.logger.warning(report)


def _failure_limit(
    session: Session, host: Host, news: Properties, reused: Runs
) -> FailureLimit | None:
    """Return the limit of failures of this update; `None` without one."""
    max_failures = news.get("maxFailures")
    if max_failures is None:
        return None
    limit = FailureLimit(max_failures, session.run_ref, host.deadline)
    # An interrupted update has started these runs: their failures count as if it had continued.
    for key, run in reused.items():
        limit.add(key, run)
    return limit


async def _reuse_runs(session: Session, reused: Mapping[str, Run], news: Properties) -> Runs:
    """
    Read the runs of the journal; free.

    The result has no runs that an emulator has lost: these were free.

    Raises:
        BatchError: when the read of another run fails.

    """
    if not reused:
        return {}
    refs = {key: session.run_ref(run) for key, run in reused.items()}
    found, errors = await session.call(read_many, refs)
    lost = [
        reused[key]["runId"]
        for key, error in errors.items()
        if is_lost_emulated(reused[key]["runId"], error)
    ]
    if len(lost) < len(errors):
        reasons = {key: failure_reason(error, news) for key, error in errors.items()}
        summary = (
            f"{len(errors):,} runs that an earlier update started cannot be read "
            f"(journal: {session.settings.journal}):"
        )
        options = (
            "No run was started.\n"
            f"hint: if a run no longer exists, choose for its item\n{UNKNOWN_START_OPTIONS}"
        )
        raise BatchError("\n".join([summary, *group_by_reason(reasons), options]))
    drop_reuse(session, lost)
    return {
        key: {**execution.submitted_outputs(reused[key]), **read_now.outputs}
        for key, read_now in found.items()
    }


async def _start(
    session: Session, host: Host, recorders: Recorders, limit: FailureLimit | None
) -> StartResults:
    if not recorders:
        return StartResults()
    return await session.call(
        start_many,
        session.client(),
        recorders,
        on_progress=host.report,
        is_cancelled=host.is_cancelled,
        limit=limit,
    )


async def _adopt(
    session: Session, host: Host, news: Properties, plan: BatchPlan
) -> tuple[Runs, dict[str, str]]:
    """Read the runs to adopt; free. Return the adopted runs, and the reasons of all others."""
    items = items_of(news)
    if not plan.adopt:
        return {}, {}
    client = session.client()
    refs = {key: RunRef(client, items[key]["existingRunId"]) for key in plan.adopt}
    found, errors = await session.call(read_many, refs, host.is_cancelled)
    runs: Runs = {}
    failed = {key: failure_reason(error, news) for key, error in errors.items()}
    for key, read_now in found.items():
        run_id, start = refs[key].run_id, execution.start_inputs_of(read_now.record)
        try:
            check_adopted_run(run_id, items[key], start)
        except AdoptionError as error:
            failed[key] = as_one_line(str(error))
        else:
            location = session.endpoint_outputs()
            own = {"runId": run_id, **location}
            runs[key] = {**start, **items[key], **read_now.outputs, **own}
    others = await settle_adoptions(session, {key: items[key] for key in runs})
    for key, earlier in [*others.items()][:MAX_REASONS_LISTED]:
        which = "the adopted run" if has_secret_inputs(news) else runs[key]["runId"]
        host.logger.warning(f"{key}: {other_run_warning(which, earlier)}")
    return runs, failed


def _state(
    session: Session,
    declared: Properties,
    runs: Runs,
    *,
    rejected: Mapping[str, str],
    unclear: Mapping[str, str],
    not_sent: Collection[str],
) -> Properties:
    location = session.endpoint_outputs()
    site = {name: declared.get(name) or location[name] for name in location}
    inputs: Properties = {name: declared[name] for name in BATCH_FIELDS if name in declared}
    state = to_batch_state(
        inputs, runs, rejected=rejected, unclear=unclear, not_sent=not_sent, site=site
    )
    return with_secrets(state)
