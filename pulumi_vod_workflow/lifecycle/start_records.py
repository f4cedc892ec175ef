"""The journal in an operation: which starts to send, which runs to reuse, what to reject."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    RecoveryPlan,
    StartRecord,
    is_fully_known,
    recovery_action,
    start_intent,
)
from pulumi_vod_workflow.core.recovery import plan_recovery as plan
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import UnknownStartOutcomeError, VodWorkflowError
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.lifecycle.session import Session


def plan_recovery(
    session: Session, starts: Mapping[str, Mapping[str, Any]]
) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
    """
    Compare starts with the records that an interrupted operation has left; free.

    Args:
        session: the engine operation.
        starts: name -> checked inputs. Starts with unknown values are left out.

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
    lookup = session.journal.lookup(intents.values(), create=True)
    # A run whose reuse is announced stays: the journal may release it during this operation.
    records = {**lookup.records, **session.promised_reuse}
    found = plan(intents, records, lookup.superseded, SystemClock().now(), within)
    session.promised_reuse |= {
        intents[name].record_key: records[intents[name].record_key] for name in found.reused
    }
    owner = uuid4().hex
    # Repeated starts go first: they have the least time.
    ordered = [*found.resent, *(name for name in intents if name not in found.resent)]
    recorders = {
        name: StartRecorder(
            session.journal,
            intents[name],
            owner,
            lookup.versions[intents[name].record_key],
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
    Return the error for starts that were sent and have no answer.

    Args:
        session: the engine operation.
        subject: the starts, with their verb.
        records: their records.
        scope: of the resource that declares them; it names the project and the stack.

    """
    times = sorted({f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ}" for record in records})
    when = times[0] if len(times) == 1 else f"between {times[0]} and {times[-1]}"
    gone = any(record.run for record in records)
    why = "and is too old to be found" if gone else "and never answered"
    mine, now = {record.record_key for record in records}, SystemClock().now()
    others = sum(
        recovery_action(record, now, session.settings.resend_within) is RecoveryAction.REFUSE
        for _, record in session.journal.list_stack(scope["project"], scope["stack"])
        if record.record_key not in mine
    )
    where = session.settings.journal
    return UnknownStartOutcomeError(
        f"{subject} sent {when} {why}, says the journal {where}", others
    )


def drop_reuse(session: Session, run_ids: Collection[str]) -> None:
    """Drop runs from the announced reuse, because the service does not know them."""
    release(session, run_ids, wait=True)
    for key, record in [*session.promised_reuse.items()]:
        if record.run and record.run["runId"] in run_ids:
            del session.promised_reuse[key]


def release(session: Session, run_ids: Iterable[str], *, wait: bool = False) -> None:
    """
    Remove the records of runs that a state holds; never raises.

    Args:
        session: the engine operation.
        run_ids: of runs that this provider started. Adopted runs have no record of their own.
        wait: wait for the journal, because the state is about to lose these runs.

    """
    with suppress(VodWorkflowError):
        written = session.journal.release(run_ids)
        if written and wait:
            written.result()


def superseded_warnings(records: Iterable[StartRecord]) -> Iterator[str]:
    """Yield a warning for each earlier, other start of resources that now start a run."""
    records = [*records]
    answered = [record.run["runId"] for record in records if record.run]
    unanswered = sum(record.run is None for record in records)
    if answered:
        names = list_names(answered)
        yield f"an earlier update has started {names} for it, which is not cancelled"
    if unanswered:
        times = "once" if unanswered == 1 else f"{unanswered:,} times"
        yield f"an earlier update has sent {times} what was never answered: it may be a run, too"
