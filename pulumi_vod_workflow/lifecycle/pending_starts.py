"""
The meeting of a journal with a stack: starts that another update has sent without this journal.

The records of a former file move to the journal that is configured now.

Before a create begins, the engine records it in the state as a pending operation, with the inputs.
The operation survives a kill, `pulumi cancel` and later updates. A journal without a record of the
start learns of it here. Otherwise the provider would send the start a second time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.config.endpoint import EMULATOR
from pulumi_vod_workflow.config.engine_command import EngineCommandError, read_exported_stack
from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.changes import reruns
from pulumi_vod_workflow.core.execution import is_emulated
from pulumi_vod_workflow.core.exported_state import declared_starts, has_secrets, recorded_runs
from pulumi_vod_workflow.core.recovery import StartRecord, resource_key_of, start_intent
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.values import as_mapping, as_text
from pulumi_vod_workflow.errors import ConfigurationError, JournalError
from pulumi_vod_workflow.journal.moving import copy_records, move_stack
from pulumi_vod_workflow.journal.opening import new_journal
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import Journal, PendingStart, intent_of
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Session

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.exported_stack import ExportedStack, Operation, Resource

PAST_RESEND: Final = timedelta(seconds=1)
"""The age of an imported start above `vod:resendWithin`."""


def meet_stack(session: Session, host: Host, declared: Mapping[str, Any]) -> None:
    """
    Record the starts of the stack's unfinished operations; free.

    An engine operation does this once for each journal and stack. Call it in `check` or `diff`,
    before the lookup of a start. In `create` it is too late: the state already has the pending
    operation of the same update, and that looks like an interrupted one (journal-facts 6).

    Args:
        session: the engine operation.
        host: the call of the first resource that declares a start.
        declared: its checked inputs.

    Raises:
        JournalError: when the journal is not readable.

    """
    with session.meeting.lock:
        scope = as_mapping(declared.get("scope"))
        project, stack = as_text(scope.get("project")), as_text(scope.get("stack"))
        key = session.settings.journal, project, stack
        if project and stack and key not in session.meeting.met:
            _meet(session, host, project, stack)
            session.meeting.met.add(key)


def _meet(session: Session, host: Host, project: str, stack: str) -> None:
    settings = session.settings
    location = settings.journal
    if location.warning:
        host.logger.warning(location.warning)
    # A start of the embedded emulator is free, and another machine has other runs.
    if settings.site.endpoint == EMULATOR:
        return
    key = project, stack
    if location.default is None:
        _move_records(session, host, key)
    # A journal on this machine knows nothing of the updates of other machines. So it meets the
    # stack in each operation.
    has_met = location.is_shared and session.journal.has_met(*key)
    # `vod:journal` may have changed and changed back. Another journal withdraws this mark only of
    # the default journal, and of the last update's one: see `_leave_former_journals`.
    if has_met and location.default is None:
        return
    try:
        exported = read_exported_stack(
            project,
            stack,
            os.environ,
            Path(),
            is_cloud=not location.backend or location.backend.startswith("https://"),
        )
    except EngineCommandError as error:
        host.logger.warning(
            "the provider cannot read the unfinished operations of the stack, so a start of an "
            f"interrupted update on another machine may be paid again: {error}\n"
            "hint: run `vod-workflow recover` before `pulumi up`"
        )
        _leave_former_journals(session, host, location, key)
        return
    if _continue_journal(session, host, exported, key, has_met=has_met):
        return
    _import_pending(session, host, exported, project, stack)


def _import_pending(
    session: Session, host: Host, exported: ExportedStack, project: str, stack: str
) -> None:
    """Record the starts of unfinished operations, and that a shared journal has met the stack."""
    location = session.settings.journal
    starts = [*pending_starts(exported, session.settings, session.journal)]
    if not starts and not location.is_shared:
        return
    try:
        session.journal.import_pending(project, stack, starts)
    except JournalError as error:
        unrecorded = [start.record() for start in starts if not start.is_unsent]
        session.meeting.unrecorded_starts += unrecorded
        if unrecorded:
            what = f"the journal {location} cannot record the unfinished operations of the stack"
            _warn_of_write(host, what, error)


def _warn_of_write(host: Host, what: str, error: JournalError) -> None:
    """Warn of a failed write, which is no error yet."""
    # A preview may have no right to write. An update then fails at its first claim.
    host.logger.warning(
        f"{what}: {error.why}\nhint: {error.remedy or 'correct the cause before `pulumi up`'}"
    )


def _continue_journal(
    session: Session, host: Host, exported: ExportedStack, stack: tuple[str, str], *, has_met: bool
) -> bool:
    """Read the former journals if needed; return whether the journal lacks nothing of the state."""
    location = session.settings.journal
    last = _recorded_settings(exported, session.settings).journal
    is_hidden = exported.is_secret("vod:journal")
    if location.default is None and is_hidden:
        host.logger.warning(
            "the `vod:journal` of the last update is a secret, so the provider cannot read that "
            "journal. A start that only that journal has may be paid again.\n"
            "hint: set `vod:journal` back, or run `vod-workflow recover --journal` with its URL"
        )
    # A preview may be the only operation with a journal: only an update moves the records to it.
    if location.default is not None and (last == location or is_hidden):
        _move_records(session, host, stack)
        if has_met:
            return True
    _leave_former_journals(session, host, last, stack)
    return False


def _leave_former_journals(
    session: Session, host: Host, last: JournalLocation, stack: tuple[str, str]
) -> None:
    """
    Copy the stack's records from the journals before a change of `vod:journal`.

    The state has no pending operation of a start that failed without a kill. A former journal keeps
    its records, because an update may still use that journal.

    This also withdraws the stack's mark there, so one journal at most has a mark of the stack. When
    `vod:journal` changes back, the former journal reads the unfinished operations again.
    """
    # `up --skip-preview` records its own configuration before this, so the default one is added.
    location = session.settings.journal
    former = {last, location.default or location} - {location}
    files = {place.path for place in former}
    if location.default is not None:
        former |= {
            JournalLocation("file", path, backend=backend)
            for path, backend in location.former_files
            if path not in files
        }
    for place in former:
        if place.path and _is_own_file(location, place.path):
            continue
        try:
            journal = new_journal(place)
            records = journal.list_stack(*stack)
        except JournalError as error:
            host.logger.warning(
                f"the provider cannot read the journal {place}, which updates of this stack used "
                f"before: {error.why}. A start that only that journal has may be paid again.\n"
                "hint: make that journal readable, or run `vod-workflow recover --journal` with it"
            )
            continue
        _copy_records(session, host, place, records)
        try:
            if journal.has_met(*stack):
                journal.forget_met(*stack)
        except JournalError as error:
            host.logger.warning(
                f"the journal {place}, which updates of this stack used before, cannot learn that "
                f"they use {location} now: {error.why}\n"
                "hint: do not set `vod:journal` back to that journal"
            )


def _copy_records(
    session: Session, host: Host, source: JournalLocation, records: list[StartRecord]
) -> None:
    """Copy the records of a former journal."""
    if not records:
        return
    location = session.settings.journal
    try:
        added = copy_records(records, session.journal)
        if added:
            host.logger.info(f"copied the records of {added:,} starts from {source} to {location}")
    except JournalError as error:
        _keep_unrecorded(session, host, source, records, error)


def _keep_unrecorded(
    session: Session, host: Host, source: object, records: list[StartRecord], error: JournalError
) -> None:
    """Keep the records of a former journal for this operation only."""
    session.meeting.unrecorded_starts += records
    what = f"the records of starts in the journal {source} cannot move to"
    _warn_of_write(host, f"{what} {session.settings.journal}", error)


def _is_own_file(location: JournalLocation, path: Path) -> bool:
    """Return whether a former file is the journal itself; a hard link is."""
    own = location.path
    return own is not None and own.exists() and path.exists() and path.samefile(own)


def _move_records(session: Session, host: Host, stack: tuple[str, str]) -> None:
    """Move the stack's records from former files to the journal."""
    location = session.settings.journal
    for path, backend in location.former_files:
        # A move deletes the records of the former file.
        if not path.exists() or _is_own_file(location, path):
            continue
        file = SqliteJournal(path, backend)
        records: list[StartRecord] = []
        try:
            records = file.list_unmoved(*stack)
            if records or file.has_met(*stack):
                move_stack(file, *stack, session.journal)
            if records:
                host.logger.info(
                    f"moved the records of {len(records):,} starts from {path} to {location}"
                )
        except JournalError as error:
            _keep_unrecorded(session, host, path, records, error)


def pending_starts(
    exported: ExportedStack, settings: Settings, journal: Journal
) -> Iterator[PendingStart]:
    """
    Yield the starts of unfinished operations, of which this journal has no record.

    A start may have been sent without this journal, or it is unsent. A start with a recorded run is
    not among them.

    Args:
        exported: the state.
        settings: the current settings.
        journal: the journal.

    Raises:
        JournalError: when the journal is not readable.

    """
    interrupted = _starts_by_operation(exported, settings, journal.now())
    all_starts = [start for _, starts in interrupted for start in starts]
    if not all_starts:
        return
    known = journal.lookup(
        intent_of(start.record()) for start in all_starts if start.record_key
    ).records
    urns = Counter(operation.resource.urn for operation, _ in interrupted)
    creates = Counter(
        (start.record_key, start.resource_key)
        for operation, starts in interrupted
        if operation.type == "creating"
        for start in starts
    )
    for operation, starts in interrupted:
        # The journal records each start before its send. If it has a start of the only interrupted
        # create, it has all starts of that create that were sent. A released record proves
        # nothing: another machine may have created a destroyed resource again.
        is_only_create = operation.type == "creating" and urns[operation.resource.urn] == 1
        own = [known[start.record_key] for start in starts if start.record_key in known]
        # An older record is that of an earlier create, which has failed. The clocks of two machines
        # differ, but a failed create leaves no run: with one, a batch has a state.
        has_run = any(record.run is not None for record in own)
        is_own = has_run and (
            exported.written is None or max(record.sent_at for record in own) >= exported.written
        )
        is_complete = is_only_create and is_own
        for start in starts:
            if not (is_complete and start.record_key in known):
                count = creates[start.record_key, start.resource_key]
                yield replace(start, creates=count, is_unsent=is_complete)


def _starts_by_operation(
    exported: ExportedStack, settings: Settings, now: datetime
) -> list[tuple[Operation, list[PendingStart]]]:
    """Return each unfinished operation with its starts without a recorded run."""
    # `pulumi destroy` leaves the pending creates without the configuration of their update.
    site = (_recorded_settings(exported, settings) if exported.is_configured else settings).site
    if site.endpoint == EMULATOR:
        return []
    # The time of a state is that of its last write, and the start may have been sent before. So
    # the provider never sends such a start again without a decision of the user.
    latest = now - timedelta(seconds=settings.resend_within) - PAST_RESEND
    sent_at = min(exported.written or latest, latest)
    # The engine keeps a pending create after a later success (journal-facts 6).
    runs_of = [
        (resource, recorded_runs(resource.type, resource.outputs))
        for resource in exported.resources
        if resource.type in {RUN_TYPE, BATCH_TYPE}
    ]
    recorded = {run.get("clientToken"): run for _, runs in runs_of for run in runs.values()}
    own_runs = {resource.urn: runs for resource, runs in runs_of if not resource.delete}

    def starts(resource: Resource, *, is_replacement: bool) -> Iterator[PendingStart]:
        own = own_runs.get(resource.urn, {})
        for inputs in declared_starts(resource.type, resource.inputs, own).values():
            token = inputs.get("clientToken")
            if "existingRunId" in inputs or has_secrets(inputs.get("scope")):
                continue  # an adoption starts nothing
            if isinstance(token, str) and token in recorded:
                run = recorded[token]
                # A rerun has the token of the recorded run, also by `up --replace`.
                is_rerun = is_replacement or reruns(run, inputs)
                if not (is_rerun or (site.service and is_emulated(run["runId"]))):
                    continue
            if not isinstance(token, str) or has_secrets(inputs):
                yield PendingStart("", "", resource_key_of(inputs), sent_at)
                continue
            intent = start_intent(inputs, endpoint=site.endpoint, region=site.region)
            yield PendingStart(intent.record_key, intent.request_key, intent.resource_key, sent_at)

    return [
        (
            operation,
            [*starts(operation.resource, is_replacement=exported.is_replacement(operation))],
        )
        for operation in exported.interrupted
    ]


def _recorded_settings(exported: ExportedStack, settings: Settings) -> Settings:
    """
    Return the settings of the last update, whose configuration is in the state.

    If that configuration is not valid, return the current settings.
    """
    try:
        return load_settings(exported.setting, os.environ, home_folder(), trusts_login=False)
    except ConfigurationError:
        return settings
