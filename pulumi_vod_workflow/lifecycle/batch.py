"""The lifecycle of a `WorkflowBatch`. `create` and `update` start items (paid)."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.batch.changes import (
    BatchPlan,
    kept_runs,
    plan_batch,
    same_work,
    same_work_warnings,
    start_inputs,
)
from pulumi_vod_workflow.core.batch.inputs import (
    BATCH_FIELDS,
    check_batch,
    check_restarted_items,
    find_item_doubts,
    group_problems,
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
from pulumi_vod_workflow.core.plan_message import (
    DurationBasis,
    DurationGroup,
    Items,
    Operation,
    PlanMessage,
    declaration_fingerprint,
    positions_of,
    start_groups,
)
from pulumi_vod_workflow.core.recovery import (
    RecoveryPlan,
    Run,
    resource_key_of,
    resource_label,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.start_reason import StartCause
from pulumi_vod_workflow.core.text import as_one_line, list_names, pluralise
from pulumi_vod_workflow.core.values import UNKNOWN, as_mapping, is_known
from pulumi_vod_workflow.errors import (
    UNKNOWN_START_OPTIONS,
    AdoptionError,
    BatchError,
    BatchStoppedError,
    CallError,
    PreflightError,
    Problem,
    runner_journal_warning,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.lifecycle.announcements import kind_of_run
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
    plan_starts,
    release,
    settle_adoptions,
    superseded_warnings,
    unknown_outcome_error,
    wait_text,
)
from pulumi_vod_workflow.lifecycle.starter import StartResults, start_many

if TYPE_CHECKING:
    from pulumi_vod_workflow.lifecycle.preflight import Facts

UNKNOWN_OUTCOMES: Final = (
    "The journal has these starts. The next update sends them again only within "
    "`vod:resendWithin` seconds."
)
UNKNOWN_OUTCOME_HINTS: Final = (
    "hint: look for their runs in the VOD console, then choose for each item\n"
    f"{UNKNOWN_START_OPTIONS}"
)
CORRECT_ITEMS: Final = "No run was started.\nhint: correct the items"
REJECTED_BY_PREFLIGHT: Final = (
    f"{CORRECT_ITEMS}\nhint: or set `vod:preflight` to `warn`, so that the service decides"
)
STOPPED_HINTS: Final = (
    "The state has each run that was started. It is not paid again.\n"
    "hint: correct the cause, then run `pulumi up` again: it sends the other items, tries the "
    "rejected ones again, and counts failures from zero\n"
    "hint: a failed run starts again only after a change, by a trigger or by `rerun_on` (paid)\n"
    "hint: or set a larger `max_failures`"
)
# The engine reads the state of a failed operation from a header of at most 16 MiB, in which a text
# of JSON is up to 1.9 times longer.
MAX_STATE_OF_ERROR: Final = 6_000_000  # characters of JSON
MAX_REASONS_LISTED: Final = 20  # reasons in one message
Runs = dict[str, dict[str, Any]]
Recorders = dict[str, StartRecorder]


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
        plan, recovery, _ = _plan_with_recovery(session, host, {}, inputs, is_preparing=True)
        rejected = await _announce_plan(session, host, {}, inputs, plan=plan, recovery=recovery)
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
        return Diff(changes=_plan(session, recorded, declared).changes)
    plan, recovery, _ = _plan_with_recovery(session, host, recorded, declared, is_preparing=True)
    rejected = await _announce_plan(session, host, recorded, declared, plan=plan, recovery=recovery)
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
        reasons = {key: _reason(error, state) for key, error in errors.items()}
        lines = [
            f"{len(errors):,} of {len(unfinished):,} runs could not be read:",
            *_group_by_reason(reasons),
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


# -- planning and announcing -------------------------------------------------------------------


def _plan(session: Session, olds: Properties, news: Properties) -> BatchPlan:
    return plan_batch(olds, news, service=session.service_url, just_ended=session.ended_runs)


def _plan_with_recovery(
    session: Session,
    host: Host,
    olds: Properties,
    news: Properties,
    *,
    is_preparing: bool = False,
) -> tuple[BatchPlan, RecoveryPlan, Recorders]:
    """
    Return the plan, its part from the journal, and a recorder for each start to send.

    Args:
        session: the engine operation.
        host: the call of the engine.
        olds: the recorded state.
        news: the declaration.
        is_preparing: whether the engine has not yet begun to create or update the batch.

    Raises:
        CallError: when the provider must not send starts.
        BatchError: when items that start again break a rule of this version.

    """
    plan = _plan(session, olds, news)
    if not plan.start:
        return plan, RecoveryPlan(), {}
    problems = [f"  - {problem}" for problem in check_restarted_items(olds, news, plan.start)]
    if problems:
        raise BatchError(
            "\n".join(["items that start again break a rule:", *problems, CORRECT_ITEMS])
        )
    items = items_of(news)
    starts = start_inputs(olds, news, plan.start)
    known = {key: start for key, start in starts.items() if is_known(start)}
    if is_preparing:
        meet_stack(session, host, news)
    recovery, recorders = plan_starts(session, known)
    if recovery.undecided:
        _send_plan(session, host, olds, news, plan=plan, refuses=recovery.undecided)
        secret = has_secret_inputs(news)
        names = [
            key if secret else f"{key}: {describe_start(items[key])}" for key in recovery.undecided
        ]
        subject = f"the start of {len(names):,} of {plan.total:,} items"
        raise unknown_outcome_error(session, subject, recovery, news["scope"], names)
    # The service may join a start to the run that another resource reuses, and an update that waits
    # for the answer to a start in flight reuses its run.
    sent_before = {*recovery.resent, *recovery.given_away, *recovery.in_flight}
    return plan.with_recovery(recovery.reused, sent_before), recovery, recorders


async def _announce_plan(
    session: Session,
    host: Host,
    olds: Properties,
    news: Properties,
    *,
    plan: BatchPlan,
    recovery: RecoveryPlan,
) -> list[Problem]:
    """
    Announce, also in a preview, the starts, their cost, and probable mistakes.

    Returns:
        The problems for which the preflight rejects starts.

    """
    items = items_of(news)
    starts = {key: items[key] for key in plan.start if items[key] is not UNKNOWN}
    # `vod:resendWithin` limits the time of repeated starts: a preflight would use it up.
    is_looked_up = session.settings.preflight != "off" and not recovery.resent
    lookups = await _look_up_starts(session, starts) if is_looked_up else {}
    if plan.start:
        session.announce_starts(news, len(plan.start))
    if plan.changes or plan.drop:
        durations = _durations(session, news, starts, lookups)
        _send_plan(session, host, olds, news, plan=plan, durations=durations)
    for line in (
        *superseded_warnings(recovery.superseded.values()),
        *map(str, find_item_doubts(news, plan.start)),
    ):
        host.logger.warning(line)
    if plan.start and not has_secret_inputs(news):  # equality would reveal a secret
        for line in same_work_warnings(same_work(items, plan.start)):
            host.logger.warning(line)
    if recovery.taken_over:
        own = resource_key_of(news)
        names = [resource_label(each.resource_key, own) for each in recovery.taken_over.values()]
        host.logger.info(
            f"finds runs that an earlier update started for {list_names(names, 20)} (free)"
        )
    if recovery.in_flight:
        waiting = list_names([*recovery.in_flight])
        host.logger.info(f"{waiting}: {wait_text(len(recovery.in_flight))}")
    for line in plan.summary_lines(kind_of_run(session.settings)):
        host.logger.info(line)
    return _preflight_problems(session, host, news, starts, lookups) if lookups else []


# The service's answers and the durations need modules that no preview without them loads.


async def _look_up_starts(session: Session, starts: Mapping[str, Properties]) -> Facts:
    from pulumi_vod_workflow.lifecycle.preflight import (  # noqa: PLC0415 - only with the setting
        look_up_starts,
    )

    return await look_up_starts(session, starts)


def _preflight_problems(
    session: Session,
    host: Host,
    news: Properties,
    starts: Mapping[str, Properties],
    lookups: Facts,
) -> list[Problem]:
    from pulumi_vod_workflow.lifecycle.preflight import (  # noqa: PLC0415 - only with the setting
        preflight_problems,
    )

    secret = has_secret_inputs(news)
    return preflight_problems(session, host, starts, lookups, group_problems, secret=secret)


def _durations(
    session: Session, news: Properties, starts: Mapping[str, Properties], lookups: Facts
) -> tuple[DurationGroup, ...]:
    """Return the known durations of the sources of starts; those of the service come first."""
    stated = session.manifest_seconds.get(resource_key_of(news), {})
    if not (stated or lookups) or has_secret_inputs(news):  # a duration is a fact about a video
        return ()
    from pulumi_vod_workflow.core.durations import duration_groups  # noqa: PLC0415 - see above
    from pulumi_vod_workflow.core.preflight import source_durations  # noqa: PLC0415 - see above

    found = {key: (seconds, DurationBasis.MANIFEST) for key, seconds in stated.items()}
    for key, seconds in source_durations(starts, lookups).items():
        found[key] = (seconds, DurationBasis.SERVICE)
    return duration_groups(starts, found)


def _send_plan(
    session: Session,
    host: Host,
    olds: Properties,
    news: Properties,
    *,
    plan: BatchPlan,
    refuses: Collection[str] = (),
    durations: tuple[DurationGroup, ...] = (),
) -> None:
    """Send the plan message of a batch."""
    starts = [
        (reason, [key for key in keys if key not in refuses])
        for reason, keys in plan.starts_by_reason()
    ]
    positions = positions_of(as_mapping(news.get("items")))
    message = PlanMessage(
        Operation.UPDATE if olds else Operation.CREATE,
        declaration_fingerprint(host.urn, news),
        total=plan.total,
        starts=start_groups(((reason, keys) for reason, keys in starts if keys), positions),
        resends=Items.of(plan.resend, positions),
        reuses=Items.of(plan.reuse, positions),
        adopts=Items.of(plan.adopt, positions),
        drops=Items.of(plan.drop),  # these are not declared any more
        refuses=Items.of(refuses, positions),
        durations=durations,
        limit=plan.max_failures,
    )
    own_runs = (run["runId"] for run in runs_of(olds).values())
    is_missing_in_steps = (
        plan.reuse  # only the journal has these two
        or plan.resend
        or has_secret_inputs(news)  # the engine masks them
        # An endpoint from the environment is in no preview.
        or any(StartCause.EMULATED_RUN in reason.causes for reason in plan.start.values())
        # A rerun waits until a later preview has shown the failure.
        or not session.ended_runs.isdisjoint(own_runs)
        # Beside durations, the estimate of an update needs its message, too.
        or (session.settings.has_prices and durations)
    )
    # A refused start fails the preview, and no program reads a failed one.
    host.logger.plan(message.to_json(), lasting=bool(is_missing_in_steps and not refuses))


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
        outputs = ["runs", "rejected", "unclear", *(["notSent"] if "maxFailures" in news else [])]
        unknown = dict.fromkeys(outputs, UNKNOWN)
        return {**session.endpoint_outputs(), **recorded, **with_secrets(news), **unknown}
    plan, recovery, recorders = _plan_with_recovery(session, host, olds, news)
    if recovery.given_away:
        hand_over(session, [each.run for each in recovery.given_away.values() if each.run])
        plan, recovery, recorders = _plan_with_recovery(session, host, olds, news)
    reused = await _reuse_runs(session, recovery.reused, news)
    # An emulator has lost some of these runs. Their items start, or reuse runs of other records.
    while len(reused) < len(recovery.reused):
        plan, recovery, recorders = _plan_with_recovery(session, host, olds, news)
        reused = await _reuse_runs(session, recovery.reused, news)
    hand_over(session, reused.values())
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
        (unclear if error.maybe_accepted else rejected)[key] = _reason(error, news)
    rejected |= started.skipped
    new_runs = {**adopted, **own}
    runs = {**runs, **new_runs}
    if has_secret_inputs(news):
        session.secret_runs.update(run["runId"] for run in runs.values())
    if rejected or unclear:
        total = len(plan.start) + len(plan.adopt)
        warning = runner_journal_warning(session.runner_journal)
        report = _failure_report(rejected, unclear, total, warning)
        # Without a new run there is nothing to lose, and an error stops the update.
        if not runs or (started.abort_error and not new_runs):
            raise BatchError(f"{_stop_report(limit, started)}{report}")
        host.logger.warning(report)
    state = _state(
        session,
        {**news, **recorded},
        runs,
        rejected=_without_request_ids(rejected),
        unclear=_without_request_ids(unclear),
        not_sent=started.not_sent,
    )
    _raise_if_stopped(host, limit, started, id_, state)
    return state


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
    report = _stop_report(limit, started) + STOPPED_HINTS
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
        reasons = {key: _reason(error, news) for key, error in errors.items()}
        summary = (
            f"{len(errors):,} runs that an earlier update started cannot be read "
            f"(journal: {session.settings.journal}):"
        )
        options = (
            "No run was started.\n"
            f"hint: if a run no longer exists, choose for its item\n{UNKNOWN_START_OPTIONS}"
        )
        raise BatchError("\n".join([summary, *_group_by_reason(reasons), options]))
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
    failed = {key: _reason(error, news) for key, error in errors.items()}
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


# -- reporting failures ------------------------------------------------------------------------


def _reason(error: CallError, declared: Properties) -> str:
    if has_secret_inputs(declared):
        error.redact_service_message()
    if error.maybe_accepted:
        return error.description
    return as_one_line(str(error))


def _without_request_ids(reasons: Mapping[str, str]) -> dict[str, str]:
    """Return reasons without RequestIds, so that an equal reason does not change the state."""
    return {key: re.sub(r", RequestId [^\]]*", "", reason) for key, reason in reasons.items()}


def _failure_report(
    rejected: Mapping[str, str], unclear: Mapping[str, str], total: int, journal_warning: str
) -> str:
    lines: list[str] = []
    if rejected:
        lines += [
            f"not started or adopted: {len(rejected):,} of {total:,} items:",
            *_group_by_reason(rejected),
            "The next `pulumi up` tries these items again with their new declaration.",
        ]
    if unclear:
        lines += [
            f"A RUN MAY EXIST, but no RunId came back: {len(unclear):,} of {total:,} items:",
            *_group_by_reason(unclear),
            UNKNOWN_OUTCOMES,
            f"{journal_warning}{UNKNOWN_OUTCOME_HINTS}",
        ]
    return "\n".join(lines)


def _stop_report(limit: FailureLimit | None, started: StartResults) -> str:
    """Return the lines about starts that the limit did not admit; empty without such starts."""
    if limit is None or not started.not_sent:
        return ""
    accepted = pluralise(len(started.accepted), "item")
    not_sent = pluralise(len(started.not_sent), "item")
    summary = (
        f"stopped {limit.stop_reason}: this update started {accepted} and did not send {not_sent}: "
        f"{list_names(sorted(started.not_sent), 10)}"
    )
    lines = _group_by_reason(limit.failed)
    if lines:
        lines.insert(0, f"{pluralise(len(limit.failed), 'run')} did not succeed:")
    return "\n".join([summary, *lines, ""])


def _group_by_reason(reasons: Mapping[str, str]) -> list[str]:
    """Return one line for each reason with the keys of its items, the most frequent first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, reason in sorted(reasons.items()):
        groups[reason].append(key)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
    shown, more = ordered[:MAX_REASONS_LISTED], ordered[MAX_REASONS_LISTED:]
    lines = [
        f"  - {list_names(keys, 10)}: {reason}".replace(" hint: ", "\n    hint: ")
        for reason, keys in shown
    ]
    if more:
        lines.append(f"  - and {sum(len(keys) for _, keys in more):,} more")
    return lines
