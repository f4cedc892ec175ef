"""The use of the journal in an operation: starts to send, runs to reuse, starts to reject."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from pulumi_vod_workflow.core.recovery import (
    OwnerState,
    RecoveryAction,
    RecoveryPlan,
    StartRecord,
    is_fully_known,
    plan_recovery,
    recovery_action,
    start_intent,
)
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import (
    StartInProgressError,
    UnknownStartOutcomeError,
    VodWorkflowError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.store import RecordVersion
from pulumi_vod_workflow.lifecycle.session import Session

WAITS_FOR_OTHER_UPDATE: Final = (
    "another update is starting this run. This update waits for the answer, and reuses the run "
    "(free). If the service rejects that start, this update sends it (paid: starts one run)"
)
"""The line for people about a start in flight."""


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
    settings = session.settings
    site, within = settings.site, settings.resend_within
    intents = {
        name: start_intent(inputs, endpoint=site.endpoint, region=site.region)
        for name, inputs in starts.items()
        if is_fully_known(inputs)
    }
    journal = session.journal
    lookup = journal.lookup(intents.values(), create=True)
    # The journal may release an announced run during this operation, so the session keeps it.
    records = {**lookup.records, **session.promised_reuse}
    found = plan_recovery(intents, records, lookup.superseded, journal.now(), within)
    session.promised_reuse |= {
        intents[name].record_key: records[intents[name].record_key] for name in found.reused
    }
    versions = {name: lookup.versions[intent.record_key] for name, intent in intents.items()}
    # A start in flight may be sent only after its rejection, which removes its record.
    versions |= {
        name: RecordVersion(released_at=versions[name].released_at) for name in found.in_flight
    }
    owner = uuid4().hex
    # Repeated starts go first: `vod:resendWithin` limits their time.
    ordered = [*found.resent, *(name for name in intents if name not in found.resent)]
    recorders = {
        name: StartRecorder(
            journal,
            intents[name],
            owner,
            versions[name],
            resent=name in found.resent,
            resend_within=within,
        )
        for name in ordered
        if name not in found.reused
    }
    return found, recorders


def unknown_outcome_error(
    session: Session, subject: str, records: Collection[StartRecord], scope: Mapping[str, Any]
) -> UnknownStartOutcomeError:
    """
    Return the error for starts that were sent, and have no run that can be read.

    Args:
        session: the engine operation.
        subject: the starts, as the subject of a sentence.
        records: their start records.
        scope: the declaring resource, with its project and stack.

    """
    times = sorted({f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ}" for record in records})
    when = f"at {times[0]}" if len(times) == 1 else f"between {times[0]} and {times[-1]}"
    outcomes = {
        "started a run that is too old to be read" if record.run else "got no response"
        for record in records
    }
    record_keys, now = {record.record_key for record in records}, session.journal.now()
    others = sum(
        recovery_action(record, now, session.settings.resend_within) is RecoveryAction.REFUSE
        for record in session.journal.list_stack(scope["project"], scope["stack"])
        if record.record_key not in record_keys
    )
    summary = (
        f"{subject}, sent {when}, {' or '.join(sorted(outcomes))} "
        f"(journal: {session.settings.journal})"
    )
    if any(record.owner_state is OwnerState.LIVING for record in records):
        return StartInProgressError(f"another update is starting this run: {summary}")
    return UnknownStartOutcomeError(summary, others)


def drop_reuse(session: Session, run_ids: Collection[str]) -> None:
    """Drop runs from the announced reuse, because the service does not know them."""
    _release(session, run_ids, wait=True)
    for key, record in [*session.promised_reuse.items()]:
        if record.run and record.run["runId"] in run_ids:
            del session.promised_reuse[key]


def release(session: Session, runs: Iterable[Mapping[str, Any]], *, wait: bool = False) -> None:
    """
    Remove the start records of runs that a state has; never raises.

    Args:
        session: the engine operation.
        runs: runs as a state has them. An adopted run has no start record of this resource.
        wait: wait for the journal, because the state is about to lose these runs.

    """
    own = [run["runId"] for run in runs if "runId" in run and not run.get("existingRunId")]
    _release(session, own, wait=wait)


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
