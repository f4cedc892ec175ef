"""The use of the journal in an operation: starts to send, runs to reuse, starts to reject."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pulumi_vod_workflow.core.recovery import (
    OwnerState,
    RecoveryAction,
    RecoveryPlan,
    Run,
    StartIntent,
    StartRecord,
    is_fully_known,
    is_start_of_token,
    plan_recovery,
    recovery_action,
    resource_key_of,
    resource_label,
    start_intent,
)
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import as_mapping, as_text
from pulumi_vod_workflow.errors import (
    JournalError,
    StartInProgressError,
    UnknownStartOutcomeError,
    VodWorkflowError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.store import (
    JournalLookup,
    hidden_key,
    journal_lookup,
    stack_of,
)
from pulumi_vod_workflow.lifecycle.session import Session, known_resource_key


def wait_text(count: int) -> str:
    """Return the line for people about starts in flight."""
    if count == 1:
        return (
            "another update is starting this run. This update waits for the answer, and reuses "
            "the run (free). If the service rejects that start, this update sends it (paid: "
            "starts one run)"
        )
    return (
        "another update is starting these runs. This update waits for the answers, and reuses the "
        "runs (free). If the service rejects one of these starts, this update sends it (paid: "
        "starts one run)"
    )


def plan_starts(
    session: Session, starts: Mapping[str, Mapping[str, Any]]
) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
    """
    Compare starts with the records of interrupted operations; free.

    Args:
        session: the engine operation.
        starts: name -> checked inputs. The plan has no starts with unknown values.

    Returns:
        The plan, and a recorder for each start that may be sent.

    Raises:
        JournalError: when the journal cannot record a start.

    """
    site = session.settings.site
    intents = {
        name: start_intent(inputs, endpoint=site.endpoint, region=site.region)
        for name, inputs in starts.items()
        if is_fully_known(inputs)
    }
    journal = session.journal
    lookup = journal.lookup([*intents.values(), *_hidden_batches(starts)], create=True)
    session.announcements.warn_of(journal.warnings)
    unrecorded = journal_lookup([*intents.values()], session.meeting.unrecorded_starts).same_request
    same_request = {
        request: [*lookup.same_request.get(request, ()), *unrecorded.get(request, ())]
        for request in {*lookup.same_request, *unrecorded}
    }
    unclaimed, doubtful = _lost_starts(session, same_request, starts)
    with session.takeover_lock:
        # The journal may release an announced run during this operation, so the session keeps it.
        records = {
            **_unlisted_records(session, [*intents.values()], lookup),
            **lookup.records,
            **session.promised_reuse,
        }
        found = plan_recovery(
            intents,
            records,
            lookup.superseded,
            journal.now(),
            session.settings.resend_within,
            # The program may have declared the resource of a record in the meantime.
            unclaimed={
                request: [each for each in lost if not session.is_declared(each.resource_key)]
                for request, lost in unclaimed.items()
            },
            takeovers={key: intent.record_key for key, intent in session.takeovers.items()},
            doubtful=doubtful,
        )
        records |= {intents[name].record_key: each for name, each in found.taken_over.items()}
        session.promised_reuse |= {
            intents[name].record_key: records[intents[name].record_key] for name in found.reused
        }
        session.takeovers |= {
            records[intents[name].record_key].record_key: intents[name]
            for name in (*found.reused, *found.taken_over)
        }
    return found, _recorders(session, intents, lookup, found)


def _recorders(
    session: Session,
    intents: Mapping[str, StartIntent],
    lookup: JournalLookup,
    plan: RecoveryPlan,
) -> dict[str, StartRecorder]:
    """Return a recorder for each start that may be sent."""
    versions = {name: lookup.versions[intent.record_key] for name, intent in intents.items()}
    # A start in flight may be sent only after its rejection, which removes its record.
    versions |= {name: versions[name].without_claim() for name in plan.in_flight}
    owner = uuid4().hex
    # Repeated starts go first: `vod:resendWithin` limits their time.
    ordered = [*plan.resent, *(name for name in intents if name not in plan.resent)]
    return {
        name: StartRecorder(
            session.journal,
            intents[name],
            owner,
            versions[name],
            resent=name in plan.resent,
            resend_within=session.settings.resend_within,
        )
        for name in ordered
        if name not in plan.reused
    }


def _hidden_batches(starts: Mapping[str, Mapping[str, Any]]) -> list[StartIntent]:
    """Return an intent for each batch as a whole: a secret may hide the keys of its items."""
    keys = {key for inputs in starts.values() if (key := known_resource_key(inputs))}
    batches = {*map(_batch_key, keys)} - {""}
    return [StartIntent({}, "", key, "") for key in batches]


def _batch_key(resource_key: str) -> str:
    """Return the resource key of an item's batch; empty for a run."""
    scope = json.loads(resource_key)
    return resource_key_of({"scope": scope}) if scope.pop("item", None) is not None else ""


def _unlisted_records(
    session: Session, intents: Collection[StartIntent], lookup: JournalLookup
) -> dict[str, StartRecord]:
    """Return the records that the lookup does not have under the key of their start."""
    found = {**journal_lookup(intents, session.meeting.unrecorded_starts).records}
    for intent in intents:
        batch = _batch_key(intent.resource_key)
        record = lookup.superseded.get(batch)
        if record is not None and record.record_key == hidden_key(batch):
            found[intent.record_key] = record
    return found


def _lost_starts(
    session: Session,
    same_request: Mapping[str, Collection[StartRecord]],
    starts: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, list[StartRecord]], frozenset[str]]:
    """
    Return the records of the same requests that neither a state nor a declaration claims.

    Returns:
        The records, and the keys of those that a state may claim: the engine cannot read the
        stacks.

    """
    found = {
        request: [each for each in records if not session.is_declared(each.resource_key)]
        for request, records in same_request.items()
    }
    if not any(found.values()):
        return {}, frozenset()
    scope = next(iter(starts.values()))["scope"]
    # Only now, because the engine's command takes longer than all else in a check.
    evidence = session.evidence(scope["project"], scope["stack"])
    lost = {
        request: [record for record in records if evidence.is_lost(record) is not False]
        for request, records in found.items()
    }
    doubtful = frozenset(
        record.record_key
        for records in lost.values()
        for record in records
        if evidence.is_lost(record) is None
    )
    return lost, doubtful


async def settle_adoptions(
    session: Session, adopted: Mapping[str, Mapping[str, Any]]
) -> dict[str, StartRecord]:
    """
    Remove starts without an answer that adoptions answer; free.

    An adoption is the user's decision about the starts of its resource. But the journal keeps a
    start if the ClientToken of the adopted run proves that the run is another one.

    Args:
        session: the engine operation.
        adopted: name -> checked inputs, with `existingRunId`.

    Returns:
        Name -> the record of a start whose run is not the adopted one.

    """
    site = session.settings.site
    waiting: dict[str, list[StartRecord]] = {}
    with suppress(JournalError):  # an adoption needs no journal
        waiting = _unanswered_starts(session, adopted)
    tokens: dict[str, str] = {}
    if waiting:
        from pulumi_vod_workflow.lifecycle.reader import (  # noqa: PLC0415 - loads anyio
            RunRef,
            read_client_tokens,
        )

        client = session.client()
        refs = {name: RunRef(client, adopted[name]["existingRunId"]) for name in waiting}
        tokens = await session.call(read_client_tokens, refs)
    others: dict[str, StartRecord] = {}
    answered: list[StartRecord] = []
    for name, records in waiting.items():
        own = resource_key_of(adopted[name])
        for record in records:
            is_its_run = name in tokens and is_start_of_token(
                record, adopted[name], tokens[name], endpoint=site.endpoint, region=site.region
            )
            if is_its_run:
                answered.append(record)
            elif is_its_run is False and name in tokens and record.resource_key == own:
                others[name] = record
    with suppress(VodWorkflowError):  # a record that stays costs nothing
        session.journal.delete(answered)
    resources = [resource_key_of(each) for name, each in adopted.items() if name not in others]
    session.journal.discard_undecided(*resources)
    return others


def _unanswered_starts(
    session: Session, adopted: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[StartRecord]]:
    """Return the starts without an answer of the same resources, or of the same requests."""
    site = session.settings.site
    intents = {
        name: start_intent(
            {**inputs, "clientToken": ""}, endpoint=site.endpoint, region=site.region
        )
        for name, inputs in adopted.items()
    }
    lookup = session.journal.lookup(intents.values())
    lost, doubtful = _lost_starts(session, lookup.same_request, adopted)
    found: dict[str, list[StartRecord]] = {}
    for name, intent in intents.items():
        own = lookup.superseded.get(intent.resource_key)
        records = [*([own] if own else []), *lost.get(intent.request_key, ())]
        unanswered = [
            record for record in records if record.run is None and record.record_key not in doubtful
        ]
        if unanswered:
            found[name] = unanswered
    return found


def other_run_warning(run: str, record: StartRecord) -> str:
    """Return the warning that an adopted run is not the one of the resource's earlier start."""
    return (
        f"{run} is not the run of the start that was sent at "
        f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ} and got no response: its ClientToken is another. A "
        "run of that start may exist, and the journal keeps the start.\n"
        "hint: compare another run of the VOD console: `vod-workflow recover --run RUNID`\n"
        "hint: or discard the start: `vod-workflow recover --forget NAME`"
    )


def hand_over(session: Session, runs: Iterable[Run]) -> None:
    """
    Record reused runs under the resources that reuse them, and no longer under their old ones.

    Otherwise, the old resource could not start its own run, if the program declares it after all.

    Raises:
        JournalError: when the journal is not writable.

    """
    run_ids = {run["runId"] for run in runs}
    for key, record in [*session.promised_reuse.items()]:
        if record.run is None or record.run["runId"] not in run_ids or record.record_key == key:
            continue
        intent = session.takeovers[record.record_key]
        # In this order: a kill between the two leaves both records, and loses none.
        session.journal.record_accepted(intent, record.run).result()
        session.journal.delete([record])
        session.promised_reuse[key] = replace(
            record, record_key=key, resource_key=intent.resource_key
        )


def unknown_outcome_error(
    session: Session,
    subject: str,
    recovery: RecoveryPlan,
    scope: Mapping[str, Any],
    items: Sequence[str] = (),
) -> UnknownStartOutcomeError:
    """
    Return the error for starts that were sent, and have no run that can be read.

    Args:
        session: the engine operation.
        subject: the starts, as the subject of a sentence.
        recovery: the plan with these starts as `undecided`.
        scope: the declaring resource, with its project and stack.
        items: the names of the starts of a batch; the error has 20 of them, after the cause.

    """
    records = recovery.undecided.values()
    times = sorted({f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ}" for record in records})
    when = f"at {times[0]}" if len(times) == 1 else f"between {times[0]} and {times[-1]}"
    now = session.journal.now()

    def outcome(record: StartRecord) -> str:
        if record.run is None:
            return "got no response"
        is_old = recovery_action(record, now, resend_within=0) is RecoveryAction.REFUSE
        cause = "is too old to be read" if is_old else "may belong to another resource"
        return f"started a run that {cause}"

    outcomes = {*map(outcome, records)}
    own = resource_key_of({"scope": scope})
    earlier = [
        record.resource_key
        for name, record in recovery.taken_over.items()
        if name in recovery.undecided
    ]
    if earlier:
        names = list_names([resource_label(key, own) for key in earlier], 20)
        when += f" for {names}" if len(earlier) == len(records) else f", partly for {names}"
    record_keys = {record.record_key for record in records}
    others = sum(
        recovery_action(record, now, session.settings.resend_within) is RecoveryAction.REFUSE
        for record in session.journal.list_stack(scope["project"], scope["stack"])
        if record.record_key not in record_keys
    )
    summary = (
        f"{subject}, sent or possibly sent {when}, {' or '.join(sorted(outcomes))} "
        f"(journal: {session.settings.journal})"
    )
    if items:
        summary += f": {list_names(items, 20)}"
    if any(record.owner_state is OwnerState.LIVING for record in records):
        which = "this run" if len(records) == 1 else "these runs"
        return StartInProgressError(f"another update is starting {which}: {summary}")
    return UnknownStartOutcomeError(
        summary,
        others,
        is_renamed=len(earlier) == len(records),
        former_stacks=sorted({stack_of(key)[1] for key in earlier} - {scope["stack"]}),
        unread_stacks=_unread_stacks(session, recovery, scope),
    )


def _unread_stacks(session: Session, recovery: RecoveryPlan, scope: Mapping[str, Any]) -> str:
    """Return why the engine cannot read the stacks; empty if it can, or if that has no effect."""
    if not recovery.taken_over:
        return ""
    evidence = session.evidence(scope["project"], scope["stack"])
    records = [
        recovery.taken_over[name] for name in recovery.taken_over if name in recovery.undecided
    ]
    return evidence.problem if any(evidence.is_lost(each) is None for each in records) else ""


def drop_reuse(session: Session, run_ids: Collection[str]) -> None:
    """Drop runs from the announced reuse, because the service does not know them."""
    _release(session, run_ids, wait=True)
    for key, record in [*session.promised_reuse.items()]:
        if record.run and record.run["runId"] in run_ids:
            del session.promised_reuse[key]


def release(
    session: Session,
    runs: Iterable[Mapping[str, Any]],
    state: Mapping[str, Any],
    *,
    wait: bool = False,
) -> None:
    """
    Remove the start records of runs that a state has; never raises.

    Args:
        session: the engine operation.
        runs: runs as a state has them. An adopted run has no start record of this resource.
        state: the outputs of their resource.
        wait: wait for the journal, because the state is about to lose these runs.

    """
    own = [run["runId"] for run in runs if "runId" in run and not run.get("existingRunId")]
    _release(session, own, wait=wait)
    with suppress(VodWorkflowError):  # a record that stays costs nothing
        _drop_answered(session, state)


def _drop_answered(session: Session, state: Mapping[str, Any]) -> None:
    """Remove starts of another machine whose run a state has."""
    # A preview during an update of another machine imports its start. A journal beside the state
    # meets the stack once, before its first update.
    scope = as_mapping(state.get("scope"))
    project, stack = as_text(scope.get("project")), as_text(scope.get("stack"))
    if session.settings.journal.is_shared or not (project and stack):
        return
    unanswered = session.unanswered_starts(project, stack)
    if not unanswered:
        return
    from pulumi_vod_workflow.core.exported_state import StateRuns  # noqa: PLC0415 - loads pydantic

    runs = StateRuns.of([(RUN_TYPE if "runId" in state else BATCH_TYPE, state)])
    answered = [
        record
        for record in unanswered
        if (run := runs.run_of(record)) and _is_submitted_after(run, record)
    ]
    if answered:
        session.journal.delete(answered)


def _is_submitted_after(run: Mapping[str, Any], record: StartRecord) -> bool:
    """Return whether a run was submitted after the send of a start, by the same machine's clock."""
    # `up --replace` and a rerun keep the token: an older run is no answer to their start.
    try:
        return datetime.fromisoformat(str(run.get("submittedAt"))) >= record.sent_at
    except (TypeError, ValueError):
        return False


def _release(session: Session, run_ids: Iterable[str], *, wait: bool) -> None:
    with suppress(VodWorkflowError):  # a record that stays costs nothing
        written = session.journal.release(run_ids)
        if written and wait:
            written.result()


def superseded_warnings(records: Iterable[StartRecord]) -> Iterator[str]:
    """Yield warnings about earlier, different starts of resources that now start a run."""
    records = [*records]
    run_ids = [record.run["runId"] for record in records if record.run]
    without_response = sum(record.run is None for record in records)
    if run_ids:
        yield (
            f"an earlier update started {list_names(run_ids)} for this resource; the new start "
            "does not cancel that run (VOD has no cancel API)"
        )
    if without_response:
        starts = "1 start" if without_response == 1 else f"{without_response:,} starts"
        yield (
            f"an earlier update sent {starts} for this resource and got no response. "
            "A run may exist."
        )
