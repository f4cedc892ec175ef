"""The lifecycle of a `WorkflowRun`. `create` is paid: starts one run. All else is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.changes import (
    SAME_WORK_WARNING,
    check_adopted_run,
    plan_change,
    token_collides_with_recorded_run,
    with_rerun_token,
    work_digest,
)
from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    DurationBasis,
    DurationGroup,
    Items,
    Operation,
    PlanMessage,
    StartGroup,
    declaration_fingerprint,
)
from pulumi_vod_workflow.core.recovery import (
    REUSES_RUN,
    RecoveryPlan,
    resource_key_of,
    resource_label,
    start_intent,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.start_reason import (
    EMULATED_RUN_TEXT,
    NEW,
    REPLACED,
    SENT_BEFORE_TEXT,
    UNKNOWN_ADOPTION,
    StartCause,
    restart_reason,
)
from pulumi_vod_workflow.core.state import (
    is_unchanged,
    to_hidden_state,
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
    Imported,
    Properties,
    Recorded,
    has_lost_inputs,
    has_secret_inputs,
    require_all_inputs,
)
from pulumi_vod_workflow.lifecycle.lookups import look_up_starts, preflight_problems
from pulumi_vod_workflow.lifecycle.session import FirstRunOfWork, Session, known_resource_key
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

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.preflight import GroupedFindings
    from pulumi_vod_workflow.lifecycle.preflight import Facts

# The service compares source, workflow, input and token, and no other field (vod-api-facts 4).
COLLISION: Final = (
    "clientToken: must change, too: for an equal token, source, workflow and input, the service "
    "may return the recorded run instead of a new run"
)


PAID_OPERATIONS: Final[frozenset[str]] = frozenset({"create"})
"""Names of the operations that may start runs."""


async def check(session: Session, host: Host, olds: Properties, news: Properties) -> Checked:
    """
    Validate a declaration and add its token; free. Only `vod:preflight` makes calls.

    Raises:
        CallError: when the provider must not send the start: an earlier send got no response.

    """
    if has_lost_inputs(news):
        return Checked(news)
    recorded, declared = normalise(olds), normalise(news)
    # An unchanged declaration is valid, and most declarations of an update are unchanged.
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
    replaced = None if recorded else session.replaced.get(known_resource_key(inputs))
    if replaced is not None:
        inputs = with_rerun_token(inputs, replaced)
        inputs.pop("rerunOf", None)
    if "clientToken" not in inputs and inputs.get("existingRunId", UNKNOWN) is UNKNOWN:
        inputs["clientToken"] = UNKNOWN  # otherwise the engine shows it as removed
    # Before a start, the engine calls `check` without olds (pulumi-facts B.4).
    rejected = [] if recorded else await _announce_create(session, host, inputs)
    if rejected:
        return Checked(checked.values, session.failures(rejected))
    return Checked(to_state(inputs))


async def diff(
    session: Session, host: Host, run_id: str, olds: Properties, news: Properties
) -> Diff:
    """Decide whether a change starts a run, adopts a run, or only changes the state; free."""
    if has_lost_inputs(news):
        return Diff(changes=True)
    if has_secret_inputs(news):
        session.secret_runs.add(run_id)
    # The state has this run, so an earlier update has saved it.
    release(session, _declared_run(olds), olds)
    session.note_recorded([olds])
    ended_now = run_id in session.ended_runs
    plan = plan_change(olds, news, service=session.service_url, just_ended=ended_now)
    # `pulumi refresh` compares the state with itself, and declares no resource.
    resource = known_resource_key(news)
    declared = resource in session.checked_resources
    if declared:
        reason = restart_reason(plan.new_run, olds, news) if plan.new_run else REPLACED
        session.restarts[resource] = reason
        if plan.new_run:
            session.replaced[resource] = normalise(olds)
    if "emulated" in plan.new_run and declared:
        host.logger.info(f"{EMULATED_RUN_TEXT}: starts {a_run(session.settings)}")
    if declared and StartCause.RERUN in session.restarts[resource].causes:
        status = f" with {olds.get('status')}" if olds.get("phase") == "failed" else ""
        setting = "rerun_on" if "rerunOn" in plan.new_run else "rerun_on_failure"
        host.logger.info(f"{olds.get('phase')}{status}: {setting} starts a new run (paid)")
    if "existingRunId" in plan.free:
        verb = "declares" if "existingRunId" in news else "no longer declares"
        host.logger.info(f"{verb} its run as existing_run_id: starts no run (free)")
    replaces = (*plan.new_run, *plan.adopt)
    return Diff(changes=bool(replaces or plan.free), replaces=replaces)


async def create(session: Session, host: Host, props: Properties) -> Recorded:
    """
    Start the declared run (paid), or adopt an existing run (free).

    In a preview, start and adopt no run.

    Raises:
        AdoptionError: when the existing run has another source or workflow.
        CallError: when the start or the read of the run fails.

    """
    require_all_inputs(props)
    inputs = normalise(props)
    existing = inputs.get("existingRunId")
    if host.preview:
        # In a preview, each SDK takes a missing output as unknown (pulumi/pulumi#21902). The engine
        # encodes an unknown one again and again: for 300 runs, that takes half a second.
        known = {"runId": existing} if existing is not None else {}
        return Recorded("", to_state({**session.endpoint_outputs(), **known, **inputs}))
    if existing is not None:
        found = await _look_up(session, existing)
        check_adopted_run(existing, inputs, found)
        if has_secret_inputs(inputs):
            session.secret_runs.add(existing)
        others = await settle_adoptions(session, {"": inputs})
        for record in others.values():
            which = "the adopted run" if has_secret_inputs(inputs) else existing
            host.logger.warning(other_run_warning(which, record))
        return Recorded(existing, _found_state(session, existing, {**found, **inputs}, inputs))
    run = await _start(session, host, inputs)
    # The service has accepted the start, so no line below may raise: an error would lose the RunId
    # (pulumi-facts 0.3).
    if has_secret_inputs(inputs):
        session.secret_runs.add(run["runId"])
    outputs = {**execution.empty_result_lists(), **run, **_location(session, run["runId"])}
    return Recorded(run["runId"], to_state({**inputs, **outputs}))


async def read(session: Session, host: Host, run_id: str, props: Properties) -> Recorded:
    """
    Read the run's status and, after its end, its results; free.

    A run with a recorded end never changes, so the provider does not read it again.

    Raises:
        CallError: when the read fails.

    """
    state = normalise(props)
    if "runId" not in state:  # `WorkflowRun.get` knows only the id
        return Recorded(run_id, _found_state(session, run_id, await _look_up(session, run_id), {}))
    release(session, _declared_run(state), state)
    if not execution.is_terminal(state):
        state = execution.merge_outputs(state, await _read_progress(session, host, state))
    return Recorded(run_id, to_state(state))


async def update(
    _session: Session, _host: Host, _id: str, olds: Properties, news: Properties
) -> Properties:
    """Record settings that the service does not receive; free."""
    require_all_inputs(news)
    return updated_state(normalise(olds), normalise(news))


async def delete(session: Session, host: Host, run_id: str, props: Properties) -> None:
    """Remove the run from the state. An unfinished run continues, and VOD bills it."""
    release(session, _declared_run(props), props, wait=True)
    # Neither SDK nor documentation has a call that cancels a run (vod-api-facts 3).
    if not execution.is_terminal(props) and props.get("emulated") is not True:
        host.logger.info(
            f"{run_id} removed from state; the run keeps running until its end and is billed (VOD "
            "has no cancel API)"
        )


async def import_(session: Session, _host: Host, run_id: str, scope: Properties) -> Imported:
    """
    Read a run that no state has, as an adopted run; free.

    Raises:
        CallError: when the read fails.

    """
    inputs = {"existingRunId": run_id, "scope": scope}
    found = {**await _look_up(session, run_id), **inputs}
    return Imported(inputs, _found_state(session, run_id, found, inputs))


def may_change_by_read(state: Mapping[str, Any]) -> bool:
    """Return whether a read may change a state: its run has not ended."""
    return not execution.is_terminal(state)


# -- announcing a create -----------------------------------------------------------------------


async def _announce_create(
    session: Session, host: Host, inputs: Mapping[str, Any]
) -> list[Problem]:
    """
    Announce, also in a preview, a start (paid), an adoption (free) or a reuse (free).

    Returns:
        The problems for which the preflight rejects the start.

    Raises:
        CallError: when the provider must not send the start.

    """
    existing = inputs.get("existingRunId")
    if existing is not None and existing is not UNKNOWN:
        which = "a run" if has_secret_inputs(inputs) else existing
        _send_plan(host, inputs, adopts=ONE_RUN)
        host.logger.info(f"adopts {which}: starts no run (free)")
        return []
    from pulumi_vod_workflow.lifecycle.pending_starts import (  # noqa: PLC0415 - loads pydantic
        meet_stack,
    )

    meet_stack(session, host, inputs)
    try:
        recovery, recorders = _plan_start(session, inputs)
    except UnknownStartOutcomeError:
        _send_plan(host, inputs, refuses=ONE_RUN)
        raise
    if recovery.reused:
        _announce_reuse(session, host, inputs, recovery)
        return []
    return await _announce_start(session, host, inputs, recovery, recorders)


async def _announce_start(
    session: Session,
    host: Host,
    inputs: Mapping[str, Any],
    recovery: RecoveryPlan,
    recorders: Mapping[str, StartRecorder],
) -> list[Problem]:
    """Announce a start (paid), and return the problems for which the preflight rejects it."""
    from pulumi_vod_workflow.core.inputs.validation import (  # noqa: PLC0415 - `check` loads it
        find_doubts,
    )

    _keep_plan(session, recovery, recorders)
    session.announce_starts(inputs, 1)
    for line in (
        *superseded_warnings(recovery.superseded.values()),
        *map(str, find_doubts(inputs)),
    ):
        host.logger.warning(line)
    _warn_of_same_work(session, host, inputs, starts=True)
    resent = any(recorder.resent for recorder in recorders.values())
    # The service may join the start to the run that another resource reuses, and an update that
    # waits for the answer to a start in flight reuses its run.
    sent_before = resent or bool(recovery.given_away or recovery.in_flight)
    starts = {"": inputs}
    lookups = await look_up_starts(session, starts, are_resent=resent)
    durations = _durations(inputs, lookups) if lookups else ()
    # Beyond that the stack's row has their number, and the engine's steps show each start. A call
    # of the engine for each row takes as long as all else that a check does.
    has_row = not session.announcements.has_many_starts
    if sent_before or durations or has_row:
        _send_plan(
            host,
            inputs,
            lasting=session.settings.has_prices and bool(durations),
            starts=(_start_group(session, inputs, resent=sent_before),),
            resends=ONE_RUN if sent_before else Items(),
            durations=durations,
        )
    if resent:
        host.logger.info("sends the start again: an earlier send got no response")
        return []
    if sent_before or has_row:
        host.logger.info(_start_text(session, recovery))
    return preflight_problems(
        session, host, starts, lookups, _problems_of, secret=has_secret_inputs(inputs)
    )


def _durations(inputs: Mapping[str, Any], lookups: Facts) -> tuple[DurationGroup, ...]:
    from pulumi_vod_workflow.core.preflight import (  # noqa: PLC0415 - only with the setting
        source_durations,
    )

    if has_secret_inputs(inputs):  # a duration would be a fact about a secret video
        return ()
    found = source_durations({"": inputs}, lookups).values()
    return tuple(DurationGroup(DurationBasis.SERVICE, ONE_RUN, f"{seconds:f}") for seconds in found)


def _start_text(session: Session, recovery: RecoveryPlan) -> str:
    if recovery.in_flight:
        return wait_text(1)
    before = f": {SENT_BEFORE_TEXT}" if recovery.given_away else ""
    return f"starts {a_run(session.settings)}{before}"


def _announce_reuse(
    session: Session, host: Host, inputs: Mapping[str, Any], recovery: RecoveryPlan
) -> None:
    """Announce that the resource reuses a run of the journal; free."""
    [(name, run)] = recovery.reused.items()
    _send_plan(host, inputs, reuses=ONE_RUN, run=run["runId"])
    started = "an earlier update started it"
    if name in recovery.taken_over:
        earlier = recovery.taken_over[name].resource_key
        started += f" for {resource_label(earlier, resource_key_of(inputs))}"
    host.logger.info(
        f"{REUSES_RUN.format(run['runId'])}: {started}, and no known state has it "
        f"(journal: {session.settings.journal})\n"
        "hint: for a new run (paid), change a trigger"
    )


def _send_plan(
    host: Host, inputs: Mapping[str, Any], *, lasting: bool = False, **plan: Any
) -> None:
    """Send the plan message of a run that is created; the engine's step has all else."""
    message = PlanMessage(Operation.CREATE, declaration_fingerprint(host.urn, inputs), **plan)
    # Only the journal has these two.
    is_missing_in_steps = bool(message.reuses.count or message.resends.count)
    host.logger.plan(message.to_json(), lasting=lasting or is_missing_in_steps)


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
    """Warn when this operation starts a run with the source, workflow and input of another run."""
    work = work_digest(inputs) if is_known(inputs.get("scope", UNKNOWN)) else None
    if work is None or has_secret_inputs(inputs):  # equality would reveal a secret
        return
    this = FirstRunOfWork(str(inputs["scope"].get("name")), str(inputs.get("clientToken")), starts)
    first = session.first_of_work.setdefault(work, this)
    if first.name == this.name:
        session.first_of_work[work] = this  # the engine checks a replacement twice
    elif first.token != this.token and (first.starts or starts):
        host.logger.warning(f"{SAME_WORK_WARNING}{first.name}")


# -- starting and reading ----------------------------------------------------------------------


def _plan_start(
    session: Session, inputs: Mapping[str, Any]
) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
    """
    Return the recovery of the start, and its recorder, both under an empty name.

    Raises:
        CallError: when the provider must not send the start.

    """
    recovery, recorders = plan_starts(session, {"": inputs})
    if recovery.undecided:
        secret = has_secret_inputs(inputs)
        subject = "the start" if secret else f"the start ({describe_start(inputs)})"
        raise unknown_outcome_error(session, subject, recovery, inputs["scope"])
    return recovery, recorders


def _keep_plan(
    session: Session, recovery: RecoveryPlan, recorders: Mapping[str, StartRecorder]
) -> None:
    """Keep the recorder of a start without a record, so that `create` looks up nothing."""
    if recovery == RecoveryPlan(superseded=recovery.superseded):
        session.checked_starts |= {each.intent.record_key: each for each in recorders.values()}


def _plan_to_send(
    session: Session, inputs: Mapping[str, Any]
) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
    """Return the plan of the check if the journal had no record, else a new plan."""
    # A lookup is a round trip to a store (journal-facts 5). With a record that is newer than the
    # check, the start loses its claim, and the update waits for the other answer.
    site = session.settings.site
    intent = start_intent(inputs, endpoint=site.endpoint, region=site.region)
    recorder = session.checked_starts.pop(intent.record_key, None)
    return (RecoveryPlan(), {"": recorder}) if recorder else _plan_start(session, inputs)


async def _start(session: Session, host: Host, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from pulumi_vod_workflow.lifecycle.starter import start_run  # noqa: PLC0415 - loads anyio

    recovery, recorders = _plan_to_send(session, inputs)
    if recovery.given_away:
        hand_over(session, [each.run for each in recovery.given_away.values() if each.run])
        recovery, recorders = _plan_start(session, inputs)
    while recovery.reused:
        [run] = recovery.reused.values()
        reused = await _reuse(session, run)
        if reused is not None:
            hand_over(session, [run])
            return reused
        recovery, recorders = _plan_start(session, inputs)
    try:
        return await session.call(
            start_run,
            session.client(),
            recorders[""],
            on_progress=host.report,
            is_cancelled=host.is_cancelled,
        )
    except CallError as error:
        error.runner_journal = session.runner_journal
        if has_secret_inputs(inputs):
            error.redact_service_message()
        raise


async def _reuse(session: Session, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a run of the journal; return `None` if it was an emulator's, which has lost it."""
    from pulumi_vod_workflow.lifecycle.reader import read_run  # noqa: PLC0415 - loads anyio

    try:
        outputs = (await session.call(read_run, session.run_ref(run))).outputs
    except NotFoundError as error:
        if execution.is_emulated(run["runId"]):  # the emulator was reset; its runs are free
            drop_reuse(session, [run["runId"]])
            return None
        error.remedy = (
            f"{error.remedy}\n"
            f"if this run of the journal {session.settings.journal} no longer exists, choose\n"
            f"{UNKNOWN_START_OPTIONS}"
        )
        raise
    return {**execution.submitted_outputs(run), **outputs}


async def _read_progress(session: Session, host: Host, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the current outputs of a recorded run; empty if an emulator has lost it."""
    from pulumi_vod_workflow.lifecycle.reader import (  # noqa: PLC0415 - loads anyio
        is_lost_emulated,
        read_run,
    )

    try:
        found = await session.call(read_run, session.run_ref(run), host.is_cancelled)
    except CallError as error:
        if has_secret_inputs(run):
            error.redact_service_message()
        # The run was free, and its loss must not block a preview or a destroy.
        if host.reads_first and is_lost_emulated(run["runId"], error):
            host.logger.warning(str(error))
            return {}
        raise
    outputs = found.outputs
    session.note_end(run["runId"], found)
    if outputs["phase"] != run.get("phase"):
        host.logger.info(f"{outputs['phase']} ({outputs['statusReason']})")
    return outputs


async def _look_up(session: Session, run_id: str) -> dict[str, Any]:
    """Read the state of a run by its id."""
    from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run  # noqa: PLC0415 - loads anyio

    found = await session.call(read_run, RunRef(session.client(), run_id))
    return {
        **execution.start_inputs_of(found.record),
        **execution.empty_result_lists(),
        **found.outputs,
        "runId": run_id,
        **_location(session, run_id),
    }


def _found_state(
    session: Session, run_id: str, found: Mapping[str, Any], declared: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the state of a run that was looked up, which another resource may have as a secret."""
    is_secret = run_id in session.secret_runs and not has_secret_inputs(declared)
    return to_hidden_state(found, declared) if is_secret else to_state(found)


def _location(session: Session, run_id: str) -> dict[str, Any]:
    return {**session.endpoint_outputs(), "emulated": execution.is_emulated(run_id)}


def _declared_run(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a declared run in a list. A run of `WorkflowRun.get` has no token and no record."""
    return [state] if state.get("clientToken") else []
