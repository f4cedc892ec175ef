"""The tables and the statements of the journal in an SQLite file."""

from __future__ import annotations

import sqlite3
from typing import Final

# Version 1 had no claims, and version 2 had no backends. A release of an older version rejects the
# file, because it would overwrite or miss the records of other updates.
VERSION: Final = 3
"""The version of the schema."""

APPLICATION_ID: Final = 0x766F646A  # "vodj"
"""The application id of the provider's SQLite files."""

# Older releases recorded no backend: such a record has an empty one, and every backend sees it.
SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS starts (
    backend TEXT NOT NULL,
    key TEXT NOT NULL,
    resource TEXT NOT NULL,
    request_key TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT,
    PRIMARY KEY (backend, key)
);
CREATE INDEX IF NOT EXISTS starts_by_run ON starts (run_id);
CREATE INDEX IF NOT EXISTS starts_by_resource ON starts (resource);
CREATE INDEX IF NOT EXISTS starts_by_request ON starts (request_key);
CREATE TABLE IF NOT EXISTS claims (
    backend TEXT NOT NULL,
    key TEXT NOT NULL,
    owner TEXT,
    process TEXT,
    released_at TEXT,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT,
    is_settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backend, key)
);
CREATE TABLE IF NOT EXISTS stacks (
    backend TEXT NOT NULL,
    project TEXT NOT NULL,
    stack TEXT NOT NULL,
    met_at TEXT NOT NULL,
    PRIMARY KEY (backend, project, stack)
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""

RENAME_OLDER_STARTS: Final = """
DROP INDEX IF EXISTS starts_by_run;
DROP INDEX IF EXISTS starts_by_resource;
ALTER TABLE starts RENAME TO older_starts;
"""

COPY_OLDER_STARTS: Final = """
INSERT INTO starts SELECT '', key, resource, '', sent_at, run_id, request_id, submitted_at
FROM older_starts;
DROP TABLE older_starts;
"""

RENAME_OLDER_CLAIMS: Final = "ALTER TABLE claims RENAME TO older_claims;"

COPY_OLDER_CLAIMS: Final = """
INSERT INTO claims
SELECT '', key, owner, NULL, released_at, run_id, request_id, submitted_at, 0 FROM older_claims;
DROP TABLE older_claims;
"""

# `is_settled`: the number of pending creates of this start that `import_pending` has seen, or 1 if
# the user has deleted the start. The engine keeps a pending create until a user clears it
# (journal-facts 6), so such a row stays.
PRUNE_RELEASED: Final = """
DELETE FROM claims WHERE NOT is_settled AND (released_at IS NULL OR released_at < :since)
AND NOT EXISTS (
    SELECT 1 FROM starts WHERE starts.backend = claims.backend AND starts.key = claims.key
)
"""

SET_BACKEND_OF_START: Final = """
UPDATE OR IGNORE starts SET backend = :backend WHERE backend = '' AND key = :key
"""

SET_BACKEND_OF_CLAIM: Final = """
UPDATE OR IGNORE claims SET backend = :backend WHERE backend = '' AND key = :key
"""

SELECT_VERSIONS: Final = """
WITH wanted (key) AS (SELECT value FROM json_each(:keys)),
visible (backend) AS (VALUES (''), (:backend))
SELECT wanted.key, starts.sent_at, starts.run_id, claims.owner, claims.released_at,
    claims.run_id, claims.request_id, claims.submitted_at
FROM wanted JOIN visible
LEFT JOIN starts ON starts.backend = visible.backend AND starts.key = wanted.key
LEFT JOIN claims ON claims.backend = visible.backend AND claims.key = wanted.key
WHERE visible.backend = :backend OR starts.key IS NOT NULL OR claims.key IS NOT NULL
"""

SELECT_CLAIM: Final = """
SELECT starts.sent_at, starts.run_id, starts.request_id, starts.submitted_at, claims.owner,
    claims.process, claims.released_at, claims.run_id, claims.request_id, claims.submitted_at
FROM (SELECT 1)
LEFT JOIN starts ON starts.backend = :backend AND starts.key = :key
LEFT JOIN claims ON claims.backend = :backend AND claims.key = :key
"""

INSERT_SENT: Final = """
INSERT INTO starts (backend, key, resource, request_key, sent_at)
VALUES (:backend, :key, :resource, :request, :now)
ON CONFLICT (backend, key) DO UPDATE SET
    resource = excluded.resource, request_key = excluded.request_key
"""

UPSERT_OWNER: Final = """
INSERT INTO claims (backend, key, owner, process) VALUES (:backend, :key, :owner, :process)
ON CONFLICT (backend, key) DO UPDATE SET owner = excluded.owner, process = excluded.process
"""

DELETE_REJECTED: Final = """
DELETE FROM starts WHERE backend = :backend AND key = :key AND run_id IS NULL
AND EXISTS (SELECT 1 FROM claims WHERE backend = :backend AND key = :key AND owner = :owner)
"""

UPDATE_ACCEPTED: Final = """
INSERT INTO starts
VALUES (:backend, :key, :resource, :request, :now, :runId, :requestId, :submittedAt)
ON CONFLICT (backend, key) DO UPDATE SET
    request_key = excluded.request_key,
    run_id = excluded.run_id,
    request_id = excluded.request_id,
    submitted_at = excluded.submitted_at
"""

DELETE_UNDECIDED: Final = """
DELETE FROM starts WHERE backend IN (:backend, '') AND resource = :resource AND key <> :key
AND run_id IS NULL
"""

DELETE_RECORD: Final = """
DELETE FROM starts WHERE backend IN (:backend, '') AND key = :key AND sent_at = :sent
AND run_id IS :run
"""

MARK_SETTLED: Final = """
INSERT INTO claims (backend, key, is_settled) VALUES (:backend, :key, :creates)
ON CONFLICT (backend, key) DO UPDATE SET is_settled = max(is_settled, excluded.is_settled)
"""

MARK_RELEASED: Final = """
INSERT INTO claims (backend, key, released_at, run_id, request_id, submitted_at)
SELECT backend, key, :now, run_id, request_id, submitted_at FROM starts
WHERE backend IN (:backend, '') AND run_id IN (SELECT value FROM json_each(:runs))
ON CONFLICT (backend, key) DO UPDATE SET
    owner = NULL,
    process = NULL,
    released_at = excluded.released_at,
    run_id = excluded.run_id,
    request_id = excluded.request_id,
    submitted_at = excluded.submitted_at
"""

DELETE_RELEASED: Final = """
DELETE FROM starts
WHERE backend IN (:backend, '') AND run_id IN (SELECT value FROM json_each(:runs))
"""

# A start after the release of the same one is another: its resource was destroyed in between. The
# engine dates a state in local time, so only times compare, not texts.
INSERT_FOREIGN: Final = """
INSERT INTO starts SELECT :backend, :key, :resource, :request, :sent, :runId, :requestId,
    :submittedAt
WHERE NOT EXISTS (SELECT 1 FROM starts WHERE backend IN (:backend, '') AND key = :key)
AND NOT EXISTS (
    SELECT 1 FROM claims WHERE backend IN (:backend, '') AND key = :key
    AND (is_settled >= max(:creates, 1) OR julianday(released_at) >= julianday(:sent))
)
"""

DELETE_MOVED: Final = """
DELETE FROM starts WHERE backend = :backend AND key = :key AND sent_at = :sent AND run_id IS :run
"""

# A record of an older release may be that of another backend, so it stays. The claim of this one
# has the process `moved`: otherwise each operation would move the record again.
MARK_MOVED: Final = """
INSERT INTO claims (backend, key, process, is_settled)
SELECT :backend, key, 'moved', 1 FROM starts WHERE backend = '' AND :backend <> '' AND key = :key
ON CONFLICT (backend, key) DO UPDATE SET process = excluded.process, is_settled = 1
"""

MARK_MET: Final = "INSERT OR IGNORE INTO stacks VALUES (:backend, :project, :stack, :now)"

SELECT_MET: Final = """
SELECT 1 FROM stacks WHERE backend = :backend AND project = :project AND stack = :stack
"""

DELETE_MET: Final = """
DELETE FROM stacks WHERE backend = :backend AND project = :project AND stack = :stack
"""

VISIBLE_STARTS: Final = """
(
    SELECT starts.*, claims.process FROM starts LEFT JOIN claims
    ON claims.backend = starts.backend AND claims.key = starts.key
    WHERE starts.backend IN (:backend, '')
)
"""

OLDER_STARTS: Final = "(SELECT *, '' AS request_key, NULL AS process FROM starts)"
"""The starts of a file of version 1 or 2, which is only read."""

SELECT_RECORDS: Final = """
SELECT sent_at, key, resource, request_key, process, run_id, request_id, submitted_at
FROM {starts} WHERE {condition} ORDER BY sent_at
"""

IS_WANTED: Final = """
key IN (SELECT value FROM json_each(:keys))
OR resource IN (SELECT value FROM json_each(:resources))
OR request_key IN (SELECT value FROM json_each(:requests))
"""

IS_OF_STACK: Final = """
json_extract(resource, '$.project') = :project AND json_extract(resource, '$.stack') = :stack
"""

IS_UNMOVED: Final = """
json_extract(resource, '$.project') = :project AND json_extract(resource, '$.stack') = :stack
AND (backend <> '' OR key NOT IN (
    SELECT claims.key FROM claims WHERE claims.backend = :backend AND claims.process = 'moved'
))
"""

SELECT_RUN_IDS: Final = "SELECT run_id FROM {starts} WHERE run_id IS NOT NULL"


def create(connection: sqlite3.Connection) -> None:
    """Create the tables, or change those of an older version, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    version = version_of(connection)
    has_starts, has_claims = 0 < version < VERSION, 1 < version < VERSION
    for script in (
        RENAME_OLDER_STARTS if has_starts else "",
        RENAME_OLDER_CLAIMS if has_claims else "",
        SCHEMA,
        COPY_OLDER_STARTS if has_starts else "",
        COPY_OLDER_CLAIMS if has_claims else "",
    ):
        # `executescript` would end the transaction.
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement)
    connection.execute("COMMIT")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the schema; 0 for an empty file."""
    [[version]] = connection.execute("PRAGMA user_version")
    return int(version)


def source_of(connection: sqlite3.Connection) -> str:
    """Return the query of all visible starts; empty for a file without a table."""
    version = version_of(connection)
    if version == 0:
        return ""
    return OLDER_STARTS if version < VERSION else VISIBLE_STARTS
