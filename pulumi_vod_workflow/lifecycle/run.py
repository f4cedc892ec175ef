"""The lifecycle of a `WorkflowRun`. Only `create` starts a run, which is paid; all else is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.changes import (
    SAME_WORK_WARNING,
    check_adopted_run,
    plan_change,
    token_collides_with_recorded_run,
    work_digest,
)
from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    Items,
    Operation,
    PlanMessage,
    StartGroup,
    declaration_fingerprint,
)
from pulumi_vod_workflow.core.recovery import REUSES_RUN, RecoveryPlan, resource_key_of
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.start_reason import (
    EMULATED_RUN_TEXT,
    NEW,
    REPLACED,
    UNKNOWN_ADOPTION,
    restart_reason,
)
from pulumi_vod_workflow.core.state import (
    is_unchanged,
    to_state,
    updated_state,
    with_derived_inputs,
)
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import (
    UNKNOWN_START_OPTIONS,
    CallError,
    NotFoundError,
    Problem,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.lifecycle.announcements import a_run
from pulumi_vod_workflow.lifecycle.host import (
    Checked,
    Diff,
    Host,
    Properties,
    Recorded,
    has_lost_inputs,
    has_secret_inputs,
    require_all_inputs,
)
from pulumi_vod_workflow.lifecycle.session import FirstOfItsWork, Session, known_resource_key
from pulumi_vod_workflow.lifecycle.start_records import (
    drop_reuse,
    plan_recovery,
    release,
    superseded_warnings,
    unknown_outcome_error,
)

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.preflight import GroupedFindings

COLLISION: Final = (
    "clientToken: must change, too: with the same one, source, workflow and input, the service may "
    "answer with the recorded run instead of starting the new one that is asked for"
)


PAID_OPERATIONS: Final[frozenset[str]] = frozenset({"create"})
"""Names of the operations that may start runs."""


async def check(session: Session, host: Host, olds: Properties, news: Properties) -> Checked:
    """
    Validate a declaration and add its token; free. It makes calls only with `vod:preflight`.

    Raises:
        CallError: when the start must not be sent, because an earlier send has no answer.

    """
    if has_lost_inputs(news):
        return Checked(news)
    recorded, declared = normalise(olds), normalise(news)
    if is_unchanged(recorded, declared):
        session.checked_resources.add(known_resource_key(declared))
        _warn_of_same_work(session, host, recorded, starts=False)
        return Checked(to_state(recorded), session.failures(()))
    from pulumi_vod_workflow.core.inputs.validation import (  # noqa: PLC0415 - loads pydantic
        check_inputs,
    )

    checked = check_inputs(declared)
    problems = [*checked.problems]
    if not problems and token_collides_with_recorded_run(recorded, checked.values):
        problems.append(Problem("", COLLISION))
    failures = session.failures(problems)
    if failures:
        return Checked(checked.values, failures)
    session.checked_resources.add(known_resource_key(checked.values))
    inputs = with_derived_inputs(recorded, checked.values)
    if "clientToken" not in inputs and inputs.get("existingRunId", UNKNOWN) is UNKNOWN:
        inputs["clientToken"] = UNKNOWN  # otherwise the engine shows it as removed
    rejected = [] if recorded else await _announce_create(session, host, inputs)
    if rejected:
        return Checked(checked.values, session.failures(rejected))
    return Checked(to_state(inputs))


async def diff(
    session: Session, host: Host, run_id: str, olds: Properties, news: Properties
) -> Diff:
    """Decide whether a change starts a run, adopts a run, or is only recorded; offline and free."""
    if has_lost_inputs(news):
        return Diff(changes=True)
    release(session, _own_run_ids(olds))
    ended_now = run_id in session.ended_runs
    plan = plan_change(olds, news, service=session.service_url, just_ended=ended_now)
    # A refresh compares the state with itself, and nothing there is declared.
    resource = known_resource_key(news)
    declared = resource in session.checked_resources
    if declared:
        reason = restart_reason(plan.new_run, olds, news) if plan.new_run else REPLACED
        session.restarts[resource] = reason
    if "emulated" in plan.new_run and declared:
        host.logger.info(f"{EMULATED_RUN_TEXT}: {a_run(session.settings)} is started")
    if "rerunOnFailure" in plan.new_run and declared:
        host.logger.info(
            f"failed with {olds.get('status')}; rerun_on_failure asks for a new run, which is paid"
        )
    if "existingRunId" in plan.free:
        names = "names" if "existingRunId" in news else "no longer names"
        host.logger.info(f"{names} its run as an existing one, which is free: nothing is started")
    replaces = (*plan.new_run, *plan.adopt)
    return Diff(changes=bool(replaces or plan.free), replaces=replaces)


async def create(session: Session, host: Host, props: Properties) -> Recorded:
    """
    Start the declared run, which is paid, or adopt an existing run, which is free.

    In a preview it does neither.

    Raises:
        AdoptionError: when the existing run has another source or workflow.
        CallError: when the run could not be started or read.

    """
    require_all_inputs(props)
    inputs = normalise(props)
    existing = inputs.get("existingRunId")
    if host.preview:
        return Recorded("", to_state({**inputs, "runId": UNKNOWN}))
    if existing is not None:
        found = await _look_up(session, existing)
        check_adopted_run(existing, inputs, found)
        session.journal.discard_undecided(resource_key_of(inputs))
        return Recorded(existing, to_state({**found, **inputs}))
    run = await _start(session, host, inputs)
    # The service has accepted. Nothing below may raise, or the run's id would be lost.
    outputs = {**execution.empty_result_lists(), **run, **_location(session, run["runId"])}
    return Recorded(run["runId"], to_state({**inputs, **outputs}))


async def read(session: Session, host: Host, run_id: str, props: Properties) -> Recorded:
    """
    Read the run's status, and its results once it has ended; free.

    A run that has ended is not read again.

    Raises:
        CallError: when the run cannot be read.

    """
    state = normalise(props)
    if "runId" not in state:  # `WorkflowRun.get` knows only the id
        return Recorded(run_id, to_state(await _look_up(session, run_id)))
    release(session, _own_run_ids(state))
    if not execution.is_terminal(state):
        state = execution.merge_outputs(state, await _read_progress(session, host, state))
    return Recorded(run_id, to_state(state))


async def update(
    _session: Session, _host: Host, _id: str, olds: Properties, news: Properties
) -> Properties:
    """Record settings that are not sent to the service; free."""
    require_all_inputs(news)
    return updated_state(normalise(olds), normalise(news))


async def delete(session: Session, host: Host, run_id: str, props: Properties) -> None:
    """Remove the run from the state. An unfinished run continues, and VOD bills it."""
    release(session, _own_run_ids(props), wait=True)
    if not execution.is_terminal(props) and props.get("emulated") is not True:
        host.logger.info(
            f"{run_id} is forgotten, not cancelled: it was not known to have ended, goes on, and "
            "is billed (the service has no call that cancels a run)"
        )


# -- announcing a create -----------------------------------------------------------------------


async def _announce_create(
    session: Session, host: Host, inputs: Mapping[str, Any]
) -> list[Problem]:
    """
    Announce, in a preview too, a paid start, or that nothing is started.

    Returns:
        The problems that the preflight rejects the start for.

    Raises:
        CallError: when the start must not be sent.

    """
    existing = inputs.get("existingRunId")
    if existing is not None and existing is not UNKNOWN:
        which = "a run" if has_secret_inputs(inputs) else existing
        _send_plan(host, inputs, adopts=ONE_RUN)
        host.logger.info(f"adopts {which}, which is free: nothing is started")
        return []
    from pulumi_vod_workflow.core.inputs.validation import (  # noqa: PLC0415 - `check` loads it
        find_doubts,
    )

    try:
        recovery, recorders = _plan_recovery(session, inputs)
    except UnknownStartOutcomeError:
        _send_plan(host, inputs, refuses=ONE_RUN)
        raise
    for run in recovery.reused.values():
        _send_plan(host, inputs, reuses=ONE_RUN, run=run["runId"])
        host.logger.info(
            f"{REUSES_RUN.format(run['runId'])}: an earlier update has started it, and no "
            f"state is known to hold it, says the journal {session.settings.journal} (for a "
            "new, paid run change a trigger)"
        )
    if recovery.reused:
        return []
    session.announce_starts(inputs, 1)
    for line in (
        *superseded_warnings(recovery.superseded.values()),
        *map(str, find_doubts(inputs)),
    ):
        host.logger.warning(line)
    _warn_of_same_work(session, host, inputs, starts=True)
    resent = any(recorder.resent for recorder in recorders.values())
    _send_plan(
        host,
        inputs,
        starts=(_start_group(session, inputs, resent=resent),),
        resends=ONE_RUN if resent else Items(),
    )
    if resent:
        # A repeated start has no time for a preflight.
        host.logger.info("was sent before and never answered: it is sent again as the same start")
        return []
    log = host.logger.status if session.announcements.has_many_starts else host.logger.info
    log(f"starts {a_run(session.settings)}")
    if session.settings.preflight == "off":
        return []
    from pulumi_vod_workflow.lifecycle.preflight import (  # noqa: PLC0415 - only with the setting
        preflight_problems,
    )

    return await preflight_problems(
        session, host, {"": inputs}, _problems_of, secret=has_secret_inputs(inputs)
    )


def _send_plan(host: Host, inputs: Mapping[str, Any], **plan: Any) -> None:
    """Send the plan message of a run that is created; the engine's step has all else."""
    message = PlanMessage(Operation.CREATE, declaration_fingerprint(host.urn, inputs), **plan)
    # Only the journal has these two.
    host.logger.plan(message.to_json(), lasting=bool(message.reuses.count or message.resends.count))


def _start_group(session: Session, inputs: Mapping[str, Any], *, resent: bool) -> StartGroup:
    """Return the reason of the start, of which a replacement's check itself knows nothing."""
    resource = known_resource_key(inputs)
    if "existingRunId" in inputs:
        reason = UNKNOWN_ADOPTION
    else:
        reason = session.restarts.get(resource, NEW) if resource else NEW
    if resent:
        reason = reason.sent_before()
    return StartGroup(reason.causes, reason.properties, reason.unknown, ONE_RUN)


def _problems_of(findings: GroupedFindings) -> list[Problem]:
    return [Problem(field, reason) for field, reason in findings]


def _warn_of_same_work(
    session: Session, host: Host, inputs: Mapping[str, Any], *, starts: bool
) -> None:
    """Warn when this operation starts a run whose source, workflow and input another run has."""
    work = work_digest(inputs) if is_known(inputs.get("scope", UNKNOWN)) else None
    if work is None or has_secret_inputs(inputs):  # equality would reveal a secret
        return
    this = FirstOfItsWork(str(inputs["scope"].get("name")), str(inputs.get("clientToken")), starts)
    first = session.works.setdefault(work, this)
    if first.name == this.name:
        session.works[work] = this  # a replacement is checked twice
    elif first.token != this.token and (first.starts or starts):
        host.logger.warning(f"{SAME_WORK_WARNING}{first.name}")


# -- starting and reading ----------------------------------------------------------------------


def _plan_recovery(
    session: Session, inputs: Mapping[str, Any]
) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
    """
    Return the recovery of the start, and its recorder, both under an empty name.

    Raises:
        CallError: when the start must not be sent.

    """
    recovery, recorders = plan_recovery(session, {"": inputs})
    if recovery.undecided:
        subject = "it" if has_secret_inputs(inputs) else f"it ({describe_start(inputs)})"
        raise unknown_outcome_error(
            session, f"{subject} was", recovery.undecided.values(), inputs["scope"]
        )
    return recovery, recorders


async def _start(session: Session, host: Host, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from pulumi_vod_workflow.lifecycle.starter import start_run  # noqa: PLC0415 - loads httpx

    recovery, recorders = _plan_recovery(session, inputs)
    while recovery.reused:
        [run] = recovery.reused.values()
        reused = await _reuse(session, run)
        if reused is not None:
            return reused
        recovery, recorders = _plan_recovery(session, inputs)
    try:
        return await session.call(
            start_run,
            session.client(),
            recorders[""],
            say=host.report,
            is_cancelled=host.is_cancelled,
        )
    except CallError as error:
        if has_secret_inputs(inputs):
            error.redact_service_message()
        raise


async def _reuse(session: Session, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the run of the journal as the service knows it; `None` if an emulator lost it."""
    from pulumi_vod_workflow.lifecycle.reader import read_run  # noqa: PLC0415 - loads httpx

    try:
        _, outputs = await session.call(read_run, session.run_ref(run))
    except NotFoundError as error:
        if execution.is_emulated(run["runId"]):  # the emulator was reset, and nothing was paid
            drop_reuse(session, [run["runId"]])
            return None
        error.remedy = (
            f"The journal {session.settings.journal} says that this run was started for it. "
            f"{error.remedy} If it is gone for good, choose:\n{UNKNOWN_START_OPTIONS}"
        )
        raise
    return {**execution.submitted_outputs(run), **outputs}


async def _read_progress(session: Session, host: Host, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs of a recorded run, as the service now has them."""
    from pulumi_vod_workflow.lifecycle.reader import read_run  # noqa: PLC0415 - loads httpx

    try:
        _, outputs = await session.call(read_run, session.run_ref(run))
    except CallError as error:
        if has_secret_inputs(run):
            error.redact_service_message()
        raise
    if execution.is_terminal(outputs):
        session.ended_runs.add(run["runId"])
    if outputs["phase"] != run.get("phase"):
        host.logger.info(f"{outputs['phase']} ({outputs['statusReason']})")
    return outputs


async def _look_up(session: Session, run_id: str) -> dict[str, Any]:
    """Return the state of a run that only its id names."""
    from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run  # noqa: PLC0415 - loads httpx

    record, outputs = await session.call(read_run, RunRef(session.client(), run_id))
    return {
        **execution.start_inputs_of(record),
        **execution.empty_result_lists(),
        **outputs,
        "runId": run_id,
        **_location(session, run_id),
    }


def _location(session: Session, run_id: str) -> dict[str, Any]:
    return {**session.endpoint_outputs(), "emulated": execution.is_emulated(run_id)}


def _own_run_ids(run: Mapping[str, Any]) -> list[str]:
    """Return the id of a recorded run, unless it was adopted or looked up."""
    own = run.get("clientToken") and not run.get("existingRunId")
    return [run["runId"]] if own and "runId" in run else []
