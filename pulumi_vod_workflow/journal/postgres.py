"""
The journal in a PostgreSQL database: the tables `vod_starts`, `vod_stacks` and `vod_journal`.

The first write creates the tables in the first schema of the role's search path. The journal has no
inputs, tokens or keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from pulumi_vod_workflow.core.recovery import OwnerState, StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.owners import UnknownProcesses
from pulumi_vod_workflow.journal.postgres_database import (
    Execute,
    PostgresDatabase,
    Rows,
    Statement,
    TableAccess,
    Tick,
    UnusableDatabaseError,
    Write,
)
from pulumi_vod_workflow.journal.store import (
    RELEASED_RETENTION,
    RUN_FIELDS,
    ClaimResult,
    Journal,
    JournalLookup,
    PendingStart,
    RecordVersion,
    imported_process,
    intent_of,
    journal_lookup,
    lookup_keys,
    stack_of,
)
from pulumi_vod_workflow.journal.unreleased_runs import UnreleasedRuns

SCHEMA_VERSION: Final = 1
"""The version of the tables."""

# Two processes that create a table at the same time fail without this lock, in spite of
# IF NOT EXISTS.
SCHEMA_LOCK: Final = 0x766F646A  # "vodj"
"""The key of the advisory lock that the creation of the tables takes."""

SELECT_TABLES: Final = """
SELECT starts IS NOT NULL, to_regclass('vod_journal') IS NOT NULL,
    current_setting('transaction_read_only') = 'off'
    AND has_table_privilege(starts, 'INSERT') AND has_table_privilege(starts, 'UPDATE')
FROM (SELECT to_regclass('vod_starts')::oid) AS found (starts)
"""

SELECT_SCHEMA_VERSION: Final = "SELECT max(schema_version) FROM vod_journal"

CREATE_SCHEMA: Final = (
    "SELECT pg_advisory_xact_lock(%(lock)s)",
    """
CREATE TABLE IF NOT EXISTS vod_starts (
    backend text NOT NULL,
    key text NOT NULL,
    resource text NOT NULL,
    project text NOT NULL,
    stack text NOT NULL,
    request text NOT NULL,
    sent_at timestamptz,
    run jsonb,
    owner text,
    process text,
    released_at timestamptz,
    released_run jsonb,
    is_settled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (backend, key)
)""",
    "CREATE INDEX IF NOT EXISTS vod_starts_by_resource ON vod_starts (backend, resource)",
    "CREATE INDEX IF NOT EXISTS vod_starts_by_request ON vod_starts (backend, project, request)",
    "CREATE INDEX IF NOT EXISTS vod_starts_by_run ON vod_starts (backend, (run ->> 'runId'))",
    """
CREATE INDEX IF NOT EXISTS vod_starts_without_record ON vod_starts (backend, released_at)
WHERE sent_at IS NULL AND NOT is_settled""",
    """
CREATE TABLE IF NOT EXISTS vod_stacks (
    backend text NOT NULL,
    project text NOT NULL,
    stack text NOT NULL,
    PRIMARY KEY (backend, project, stack)
)""",
    "CREATE TABLE IF NOT EXISTS vod_journal (schema_version integer NOT NULL)",
    """
INSERT INTO vod_journal SELECT %(version)s
WHERE NOT EXISTS (SELECT 1 FROM vod_journal WHERE schema_version >= %(version)s)
""",
)

# One statement compares and records, so one process wins. It locks the row even if it does not
# change it, so the SELECT after it returns what the claim was compared with.
CLAIM: Final = """
INSERT INTO vod_starts AS starts
    (backend, key, resource, project, stack, request, sent_at, owner, process)
VALUES (%(backend)s, %(key)s, %(resource)s, %(project)s, %(stack)s, %(request)s,
    now(), %(owner)s, %(process)s)
ON CONFLICT (backend, key) DO UPDATE SET
    resource = excluded.resource,
    request = excluded.request,
    sent_at = coalesce(starts.sent_at, excluded.sent_at),
    owner = excluded.owner,
    process = excluded.process
WHERE starts.run IS NULL AND (
    starts.owner = excluded.owner
    OR CASE WHEN starts.sent_at IS NULL
        THEN starts.released_at IS NULL OR starts.released_at = %(released_at)s::timestamptz
        ELSE starts.sent_at = %(sent_at)s::timestamptz
            AND starts.owner IS NOT DISTINCT FROM %(expected_owner)s
    END
)
RETURNING key
"""

SELECT_ROWS: Final = """
SELECT resource, key, request, sent_at, run, owner, process, released_at, released_run
FROM vod_starts
"""

SELECT_CLAIMED: Final = SELECT_ROWS + "WHERE backend = %(backend)s AND key = %(key)s"

# The row stays: a later claim compares its release.
REMOVE_REJECTED: Final = """
UPDATE vod_starts SET sent_at = NULL
WHERE backend = %(backend)s AND key = %(key)s AND run IS NULL AND owner = %(owner)s
"""

RECORD_ACCEPTED: Final = """
INSERT INTO vod_starts AS starts (backend, key, resource, project, stack, request, sent_at, run)
VALUES (%(backend)s, %(key)s, %(resource)s, %(project)s, %(stack)s, %(request)s,
    now(), %(run)s::jsonb)
ON CONFLICT (backend, key) DO UPDATE SET
    request = excluded.request,
    sent_at = coalesce(starts.sent_at, excluded.sent_at),
    run = excluded.run
"""

REMOVE_UNDECIDED: Final = """
UPDATE vod_starts SET sent_at = NULL
WHERE backend = %(backend)s AND resource = %(resource)s AND key <> %(key)s AND run IS NULL
"""

DELETE_RECORD: Final = """
UPDATE vod_starts SET sent_at = NULL, run = NULL, is_settled = true
WHERE backend = %(backend)s AND key = %(key)s AND sent_at = %(sent_at)s::timestamptz
    AND run ->> 'runId' IS NOT DISTINCT FROM %(run_id)s
"""

RELEASE: Final = """
UPDATE vod_starts SET sent_at = NULL, run = NULL, owner = NULL, process = NULL,
    released_at = now(), released_run = run
WHERE backend = %(backend)s AND run ->> 'runId' = ANY(%(runs)s)
"""

ADD_RECORD: Final = """
INSERT INTO vod_starts AS starts
    (backend, key, resource, project, stack, request, sent_at, run, process)
VALUES (%(backend)s, %(key)s, %(resource)s, %(project)s, %(stack)s, %(request)s,
    %(sent_at)s::timestamptz, %(run)s::jsonb, %(process)s)
ON CONFLICT (backend, key) DO UPDATE SET
    sent_at = excluded.sent_at, run = excluded.run, owner = NULL, process = excluded.process
WHERE starts.sent_at IS NULL AND starts.released_at IS NULL AND NOT starts.is_settled
RETURNING key
"""

MARK_SETTLED: Final = """
INSERT INTO vod_starts (backend, key, resource, project, stack, request, is_settled)
VALUES (%(backend)s, %(key)s, %(resource)s, %(project)s, %(stack)s, %(request)s, true)
ON CONFLICT (backend, key) DO UPDATE SET is_settled = true
"""

ADD_STACK: Final = """
INSERT INTO vod_stacks VALUES (%(backend)s, %(project)s, %(stack)s) ON CONFLICT DO NOTHING
"""

# `is_settled`: the user has deleted the start, or `import_pending` has seen it. The engine keeps a
# pending operation until a user clears it (journal-facts 6), so such a row stays.
PRUNE_RELEASED: Final = """
DELETE FROM vod_starts
WHERE backend = %(backend)s AND sent_at IS NULL AND NOT is_settled AND (
    released_at IS NULL
    OR released_at < now() - %(retention)s::interval
)
"""

SELECT_STARTS: Final = f"""
{SELECT_ROWS}
WHERE backend = %(backend)s AND (
    key = ANY(%(keys)s)
    OR sent_at IS NOT NULL AND (
        resource = ANY(%(resources)s)
        OR project = ANY(%(projects)s) AND request = ANY(%(requests)s)
    )
)
ORDER BY sent_at
"""

SELECT_STACK: Final = f"""
{SELECT_ROWS}
WHERE backend = %(backend)s AND project = %(project)s AND stack = %(stack)s
    AND sent_at IS NOT NULL
ORDER BY sent_at
"""

SELECT_MET: Final = """
SELECT 1 FROM vod_stacks
WHERE backend = %(backend)s AND project = %(project)s AND stack = %(stack)s
"""

DELETE_MET: Final = """
DELETE FROM vod_stacks
WHERE backend = %(backend)s AND project = %(project)s AND stack = %(stack)s
"""

SELECT_RUN_IDS: Final = """
SELECT run ->> 'runId' FROM vod_starts WHERE backend = %(backend)s AND run IS NOT NULL
"""

FOREIGN_REMEDY: Final = (
    "set `vod:journal` to another database, or add another schema to the URL: "
    "`?options=-csearch_path%3DSCHEMA`"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `vod_starts`, its times in UTC. Without `sent_at` it has no record."""

    resource: str
    key: str
    request: str
    sent_at: datetime | None
    run: Any
    owner: str | None
    process: str | None
    released_at: datetime | None
    released_run: Any

    @classmethod
    def of(cls, values: Iterable[Any]) -> _Row:
        """Return the row of the columns of `SELECT_ROWS`."""
        utc: list[Any] = [
            value.astimezone(UTC) if isinstance(value, datetime) else value for value in values
        ]
        return cls(*utc)

    def version(self) -> RecordVersion:
        run_id = self.run["runId"] if self.run else None
        return RecordVersion(_text(self.sent_at), run_id, self.owner, _text(self.released_at))

    def record(self, processes: UnknownProcesses) -> StartRecord | None:
        if self.sent_at is None:
            return None
        return StartRecord(
            self.sent_at,
            self.run,
            self.key,
            self.resource,
            self.request,
            OwnerState.ENDED if self.run else processes.state(self.process),
        )

    def released_record(self) -> StartRecord | None:
        if self.released_at is None:
            return None
        return StartRecord(
            self.released_at, self.released_run, self.key, self.resource, self.request
        )


class PostgresJournal(Journal):
    """
    A journal in a PostgreSQL database; usable from any thread.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters of libpq. The
            variables of libpq (`PGPASSWORD`, `PGSSLROOTCERT`, ...) give what the URL omits. The
            parameter `table` of Pulumi's backend has no effect.
        backend: the identity of the state backend whose starts the journal records.

    """

    def __init__(self, url: str, backend: str = "") -> None:
        self._database = PostgresDatabase(url, _find_tables)
        self._backend = backend
        self._processes = UnknownProcesses()
        self._opened_at = Tick()
        self._runs = UnreleasedRuns(self._read_run_ids)

    @property
    @override
    def location(self) -> str:
        return self._database.location

    @property
    @override
    def warnings(self) -> Sequence[str]:
        text = (
            f"the journal {self.location} is read-only for its role. A preview works. An update "
            "starts no run until the role may write."
        )
        return (text,) if self._database.is_read_only else ()

    @override
    def now(self) -> datetime:
        return self._database.time_at(Tick())

    @override
    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        wanted = [*intents]
        keys = {intent.record_key for intent in wanted}
        projects = sorted({stack_of(intent.resource_key)[0] for intent in wanted})
        values = self._values({**lookup_keys(wanted), "projects": projects})
        rows = self._read_rows(SELECT_STARTS, values, create=create)
        if create:
            self._runs.load()  # read now: an accepted run must not wait for it
        records = [
            record
            for row in rows
            if (record := self._record_of(row, released=create and row.key in keys))
        ]
        versions = dict.fromkeys(keys, RecordVersion()) if create else {}
        versions |= {row.key: row.version() for row in rows if row.key in versions}
        return journal_lookup(wanted, records, versions)

    def _read_rows(
        self, statement: str, values: Mapping[str, Any], *, create: bool = False
    ) -> list[_Row]:
        try:
            [found] = self._database.read((statement, values), create=create)
        except JournalError:
            if not (create and self._database.is_read_only):
                raise
            # A preview needs no right to create the tables.
            [found] = self._database.read((statement, values))
        return [_Row.of(row) for row in found]

    def _record_of(self, row: _Row, *, released: bool = False) -> StartRecord | None:
        """
        Return the record of a row, unless this process has scheduled its release.

        Args:
            row: the row.
            released: whether to return a run that another process has released since this object
                was made. A concurrent update has started it, and a newer state has it.

        """
        found = row.record(self._processes)
        if found is None and released and row.released_at:
            opened_at = self._database.time_at(self._opened_at)
            found = row.released_record() if row.released_at > opened_at else None
        is_released = found and found.run and self._runs.is_released(found.run["runId"])
        return None if is_released else found

    @override
    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        rows = self._read_rows(SELECT_STACK, self._values({"project": project, "stack": stack}))
        return [record for row in rows if (record := self._record_of(row))]

    @override
    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        version = expected or RecordVersion()
        values = {
            **self._intent_values(intent),
            "owner": owner,
            "process": self._processes.own_id(),
            "sent_at": version.sent_at,
            "expected_owner": version.owner,
            "released_at": version.released_at,
        }

        def to_result(results: Sequence[Rows]) -> ClaimResult:
            won, [current] = bool(results[0]), results[1]
            row = _Row.of(current)
            record = row.record(self._processes) or row.released_record()
            assert record, "a claimed row has a time"  # noqa: S101 - for mypy
            return ClaimResult(won, record)

        statements = [(CLAIM, values), (SELECT_CLAIMED, values)]
        return self._database.write(Write(statements, to_result, intent.resource_key))

    @override
    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        values = self._values({"key": intent.record_key, "owner": owner})
        return self._change((REMOVE_REJECTED, values), resource=intent.resource_key)

    @override
    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        self._runs.add(run["runId"])
        values = {**self._intent_values(intent), "run": _json(run)}
        return self._change(
            (RECORD_ACCEPTED, values), (REMOVE_UNDECIDED, values), resource=intent.resource_key
        )

    @override
    def discard_undecided(self, *resources: str) -> None:
        for resource in resources:
            values = self._values({"key": "", "resource": resource})
            self._change((REMOVE_UNDECIDED, values), resource=resource, create=False)

    @override
    def delete(self, records: Iterable[StartRecord]) -> None:
        changes = [
            (
                DELETE_RECORD,
                self._values(
                    {
                        "key": record.record_key,
                        "sent_at": record.sent_at,
                        "run_id": record.run["runId"] if record.run else None,
                    }
                ),
            )
            for record in records
        ]
        self._change(*changes).result()

    @override
    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        runs = self._runs.release(run_ids)
        if not runs:
            return None
        values = self._values({"runs": list(runs), "retention": RELEASED_RETENTION})
        return self._change((RELEASE, values), (PRUNE_RELEASED, values))

    @override
    def import_records(self, records: Iterable[StartRecord]) -> int:
        additions = [self._addition(record) for record in records]
        added = self._database.write(Write(additions, _count_rows)).result()
        self._runs.forget()
        return added

    @override
    def has_met(self, project: str, stack: str) -> bool:
        [found] = self._database.read(
            (SELECT_MET, self._values({"project": project, "stack": stack}))
        )
        return bool(found)

    @override
    def forget_met(self, project: str, stack: str) -> None:
        deletion = DELETE_MET, self._values({"project": project, "stack": stack})
        self._database.write(Write([deletion], lambda _: None, create=False)).result()

    @override
    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        met = ADD_STACK, self._values({"project": project, "stack": stack})
        found = [(start, self._addition(start.record())) for start in starts]
        additions = [addition for start, addition in found if not start.is_unsent]
        settled = [(MARK_SETTLED, values) for _, (_, values) in found]
        return self._database.write(Write([met, *additions, *settled], _count_rows)).result()

    def _addition(self, record: StartRecord) -> Statement:
        run = _json(record.run) if record.run else None
        values = {"sent_at": record.sent_at, "run": run, "process": imported_process(record)}
        return ADD_RECORD, {**self._intent_values(intent_of(record)), **values}

    def _change(
        self, *statements: Statement, resource: str | None = None, create: bool = True
    ) -> Future[None]:
        """Schedule statements without a result."""
        return self._database.write(Write(statements, lambda _: None, resource, create))

    # -- the database -------------------------------------------------------------------------

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"backend": self._backend, **values}

    def _intent_values(self, intent: StartIntent) -> dict[str, Any]:
        project, stack = stack_of(intent.resource_key)
        return self._values(
            {
                "key": intent.record_key,
                "resource": intent.resource_key,
                "project": project,
                "stack": stack,
                "request": intent.request_key,
            }
        )

    def _read_run_ids(self) -> list[str]:
        """Return the ids of the runs in the journal."""
        [rows] = self._database.read((SELECT_RUN_IDS, self._values({})))
        return [run_id for (run_id,) in rows]


def _find_tables(execute: Execute, create: bool) -> TableAccess:  # noqa: FBT001 - a callback
    """Return the access to the tables; creates them on demand."""
    [[(has_starts, has_version, is_writable)]] = execute([(SELECT_TABLES, {})])
    if has_starts and not has_version:
        raise UnusableDatabaseError(
            "its table vod_starts belongs to another program", FOREIGN_REMEDY
        )
    if not has_starts:
        if not create:
            return TableAccess.NONE
        values = {"lock": SCHEMA_LOCK, "version": SCHEMA_VERSION}
        execute((statement, values) for statement in CREATE_SCHEMA)
    [[(version,)]] = execute([(SELECT_SCHEMA_VERSION, {})])
    if version > SCHEMA_VERSION:
        raise UnusableDatabaseError(
            "a newer version of pulumi_vod_workflow has written it", "use that version"
        )
    return TableAccess.READ if is_writable is False else TableAccess.WRITE


def _count_rows(results: Sequence[Rows]) -> int:
    return sum(map(len, results))


def _json(run: Mapping[str, Any]) -> str:
    return json.dumps({name: run.get(name) for name in RUN_FIELDS})


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
