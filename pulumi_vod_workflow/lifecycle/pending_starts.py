"""
The meeting of a journal with a stack: starts that another journal or another machine has sent.

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
from typing import Any, Final

from pulumi_vod_workflow.config.endpoint import EMULATOR
from pulumi_vod_workflow.config.engine_command import EngineCommandError, read_exported_stack
from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.execution import is_emulated, may_succeed_on_rerun
from pulumi_vod_workflow.core.exported_stack import ExportedStack, Resource
from pulumi_vod_workflow.core.exported_state import declared_starts, has_secrets, recorded_runs
from pulumi_vod_workflow.core.recovery import (
    StartIntent,
    StartRecord,
    resource_key_of,
    start_intent,
)
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.values import as_mapping, as_text
from pulumi_vod_workflow.errors import ConfigurationError, JournalError
from pulumi_vod_workflow.journal.moving import move_stack
from pulumi_vod_workflow.journal.opening import new_journal
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import Journal, PendingStart
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Session

PAST_RESEND: Final = timedelta(seconds=1)
"""The time by which an imported start is older than `vod:resendWithin` allows."""


def meet_stack(session: Session, host: Host, declared: Mapping[str, Any]) -> None:
    """
    Record the starts of the stack's unfinished operations; once for each engine operation, free.

    Call this in `check` or `diff`, before the lookup of a start. In `create` the state already has
    the pending operation of the same update (journal-facts 6).

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
        meeting = session.settings.journal, project, stack
        if project and stack and meeting not in session.meeting.met:
            _meet(session, host, project, stack)
            session.meeting.met.add(meeting)


def _meet(session: Session, host: Host, project: str, stack: str) -> None:
    settings = session.settings
    location = settings.journal
    if location.warning:
        host.logger.warning(location.warning)
    # A start of the embedded emulator is free, and another machine has other runs.
    if settings.site.endpoint == EMULATOR:
        return
    for path, backend in location.former_files:
        _move_records(session, host, SqliteJournal(path, backend), (project, stack))
    # A journal on this machine knows nothing of the updates of other machines. So it meets the
    # stack in each operation.
    has_met = location.is_beside_state and session.journal.has_met(project, stack)
    # `vod:journal` may have changed and changed back. Another journal withdraws this mark only of
    # the default journal, and of the last update's one: see `_forget_former_journals`.
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
        return
    last = _recorded_settings(exported, settings).journal
    if has_met and (last == location or exported.is_secret("vod:journal")):
        return
    _forget_former_journals(session, host, last, (project, stack))
    starts = [*pending_starts(exported, settings, session.journal)]
    if not starts and not location.is_beside_state:
        return
    try:
        session.journal.import_pending(project, stack, starts)
    except JournalError as error:
        # A preview may have no right to write. An update then fails at its first claim.
        session.meeting.unrecorded_starts += [start.record() for start in starts]
        if starts:
            host.logger.warning(
                f"the journal {location} cannot record the unfinished operations of the stack: "
                f"{error.why}\n"
                f"hint: {error.remedy or 'correct the cause before `pulumi up`'}"
            )


def _forget_former_journals(
    session: Session, host: Host, last: JournalLocation, stack: tuple[str, str]
) -> None:
    """
    Withdraw the stack's mark in the journal of the last update, if this is another one.

    So one journal at most has a mark of the stack. When `vod:journal` changes back, the former
    journal reads the unfinished operations again.
    """
    # `up --skip-preview` records its own configuration before this, so the default one is added.
    location = session.settings.journal
    for former in {last, location.default or location} - {location}:
        try:
            journal = new_journal(former)
            if journal.has_met(*stack):
                journal.forget_met(*stack)
        except JournalError as error:
            host.logger.warning(
                f"the journal {former}, which updates of this stack used before, cannot learn that "
                f"they use {location} now: {error.why}\n"
                "hint: do not set `vod:journal` back to that journal"
            )


def _move_records(
    session: Session, host: Host, file: SqliteJournal, stack: tuple[str, str]
) -> None:
    """Move the stack's records from a former file to the journal."""
    path, location = Path(file.location), session.settings.journal
    # A hard link is the journal itself, too, and a move deletes the records of the former file.
    own = location.path
    if not path.exists() or (own and own.exists() and path.samefile(own)):
        return
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
        # A preview may have no right to write. An update then fails at its first claim.
        session.meeting.unrecorded_starts += records
        host.logger.warning(
            f"the records of starts in the journal {path} cannot move to {location}: {error.why}\n"
            f"hint: {error.remedy or 'correct the cause before `pulumi up`'}"
        )


def pending_starts(
    exported: ExportedStack, settings: Settings, journal: Journal
) -> Iterator[PendingStart]:
    """
    Yield the starts of unfinished operations that may have been sent without this journal.

    A start with a recorded run is not among them.

    Args:
        exported: the state.
        settings: the current settings.
        journal: the journal.

    Raises:
        JournalError: when the journal is not readable.

    """
    groups = _starts_by_operation(exported, settings, journal.now())
    if not any(groups):
        return
    known = journal.lookup(
        StartIntent({}, "", start.resource_key, start.record_key)
        for starts in groups
        for start in starts
        if start.record_key
    ).records
    urns = Counter(operation.resource.urn for operation in exported.interrupted)
    creates = Counter(
        (start.record_key, start.resource_key)
        for operation, starts in zip(exported.interrupted, groups, strict=True)
        if operation.type == "creating"
        for start in starts
    )
    for operation, starts in zip(exported.interrupted, groups, strict=True):
        # The journal records each start before its send. If it has a start of the only interrupted
        # create, it has all starts of that create that were sent. A released record proves
        # nothing: another machine may have created a destroyed resource again.
        is_only_create = operation.type == "creating" and urns[operation.resource.urn] == 1
        own = [known[start.record_key].sent_at for start in starts if start.record_key in known]
        # An older record is that of an earlier create, which has failed.
        is_own = bool(own) and (exported.written is None or max(own) >= exported.written)
        if not (is_only_create and is_own):
            for start in starts:
                yield replace(start, creates=creates[start.record_key, start.resource_key])


def _starts_by_operation(
    exported: ExportedStack, settings: Settings, now: datetime
) -> list[list[PendingStart]]:
    """Return, for each unfinished operation, its starts without a recorded run."""
    site = _recorded_settings(exported, settings).site
    if site.endpoint == EMULATOR:
        return []
    # The time of a state is that of its last write, and the start may have been sent before. So
    # the provider never sends such a start again without a decision of the user.
    latest = now - timedelta(seconds=settings.resend_within) - PAST_RESEND
    sent_at = min(exported.written or latest, latest)
    # The engine keeps a pending create after a later success (journal-facts 6).
    recorded = {
        run.get("clientToken"): run
        for resource in exported.resources
        if resource.type in {RUN_TYPE, BATCH_TYPE}
        for run in recorded_runs(resource.type, resource.outputs).values()
    }

    def starts(resource: Resource) -> Iterator[PendingStart]:
        for inputs in declared_starts(resource.type, resource.inputs).values():
            token = inputs.get("clientToken")
            if "existingRunId" in inputs or has_secrets(inputs.get("scope")):
                continue  # an adoption starts nothing
            if isinstance(token, str) and token in recorded:
                run = recorded[token]
                # A rerun has the token of the recorded run.
                is_rerun = inputs.get("rerunOnFailure") is True and may_succeed_on_rerun(run)
                if not (is_rerun or (site.service and is_emulated(run["runId"]))):
                    continue
            if not isinstance(token, str) or has_secrets(inputs):
                yield PendingStart("", "", resource_key_of(inputs), sent_at)
                continue
            intent = start_intent(inputs, endpoint=site.endpoint, region=site.region)
            yield PendingStart(intent.record_key, intent.request_key, intent.resource_key, sent_at)

    return [[*starts(operation.resource)] for operation in exported.interrupted]


def _recorded_settings(exported: ExportedStack, settings: Settings) -> Settings:
    """Return the settings of the last update: its configuration is in the state."""
    try:
        return load_settings(exported.setting, os.environ, home_folder(), trusts_login=False)
    except ConfigurationError:
        return settings
