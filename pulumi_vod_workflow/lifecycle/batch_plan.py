"""The plan of a batch: which items start a run, and what a preview announces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from pulumi_vod_workflow.core.batch.changes import (
    BatchPlan,
    plan_batch,
    same_work,
    same_work_warnings,
    start_inputs,
)
from pulumi_vod_workflow.core.batch.inputs import (
    check_restarted_items,
    find_item_doubts,
    group_problems,
    items_of,
)
from pulumi_vod_workflow.core.batch.state import runs_of
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
from pulumi_vod_workflow.core.recovery import RecoveryPlan, resource_key_of, resource_label
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.start_reason import StartCause
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import UNKNOWN, as_mapping, is_known
from pulumi_vod_workflow.errors import BatchError, Problem
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.lifecycle.announcements import kind_of_run
from pulumi_vod_workflow.lifecycle.host import Host, Properties, has_secret_inputs
from pulumi_vod_workflow.lifecycle.lookups import look_up_starts, preflight_problems
from pulumi_vod_workflow.lifecycle.pending_starts import meet_stack
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.lifecycle.start_records import (
    plan_starts,
    superseded_warnings,
    unknown_outcome_error,
    wait_text,
)

if TYPE_CHECKING:
    from pulumi_vod_workflow.lifecycle.preflight import Facts


Recorders = dict[str, StartRecorder]

CORRECT_ITEMS: Final = "No run was started.\nhint: correct the items"
REJECTED_BY_PREFLIGHT: Final = (
    f"{CORRECT_ITEMS}\nhint: or set `vod:preflight` to `warn`, so that the service decides"
)


def plan_without_recovery(session: Session, olds: Properties, news: Properties) -> BatchPlan:
    """Return the plan from the state and the declaration alone; free."""
    return plan_batch(olds, news, service=session.service_url, just_ended=session.ended_runs)


def plan_with_recovery(
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
    plan = plan_without_recovery(session, olds, news)
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


async def announce_plan(
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
    lookups = await look_up_starts(session, starts, are_resent=bool(recovery.resent))
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
    return preflight_problems(
        session, host, starts, lookups, group_problems, secret=has_secret_inputs(news)
    )


def _durations(
    session: Session, news: Properties, starts: Mapping[str, Properties], lookups: Facts
) -> tuple[DurationGroup, ...]:
    """Return the known durations of the sources of starts; those of the service come first."""
    stated = session.manifest_seconds.get(resource_key_of(news), {})
    if not (stated or lookups) or has_secret_inputs(news):  # a duration is a fact about a video
        return ()
    # No preview without durations loads these modules.
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
