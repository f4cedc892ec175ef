"""
A PostgreSQL server that tests start: data in a temporary folder, TCP on a loopback port.

`tools/find-postgres` finds or installs its programs. Without them, a test is skipped.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

import pytest

from tests.servers.process import free_port

psycopg: Any = pytest.importorskip("psycopg", reason="no psycopg: install the extra `postgres`")

SUPERUSER: Final = "journal"
PASSWORD: Final = "a-pass/word@of:tests"
QUOTED_PASSWORD: Final = "a-pass%2Fword%40of%3Atests"

# Nothing of these servers survives a power failure, so no write waits for the disk.
SETTINGS: Final = {
    "autovacuum": "off",
    "deadlock_timeout": "50ms",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "50",
    "max_wal_senders": "0",
    "shared_buffers": "16MB",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
    "wal_level": "minimal",
}

# To create a database takes 0.15 s of processor time: the server copies 300 files. The first
# statement is for a database that a test has made read-only.
EMPTY: Final = (
    "SET default_transaction_read_only = off",
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """,
    """
    DO $$ DECLARE name text; BEGIN
        FOR name IN
            SELECT nspname FROM pg_namespace
            WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', name);
        END LOOP;
        EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
    END $$
    """,
    "CREATE SCHEMA public",
    "GRANT USAGE ON SCHEMA public TO PUBLIC",
)
"""Statements that make a database as a new one is."""

# The pipe closes when the test process ends, even by a kill: no server stays behind.
SUPERVISED: Final = """
folder=$1; shift
"$@" >>"$folder/log" 2>&1 & server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$folder"
"""


def find_programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`; `None` without them."""
    # Debian keeps them off PATH, one folder for each major version.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major_version)
    found = shutil.which("initdb") or (str(debian[-1]) if debian else None)
    return Path(found).resolve().parent if found else None


def _major_version(initdb: Path) -> float:
    return float(initdb.parent.parent.name)


class PostgresServer:
    """A running server: `with PostgresServer() as server: server.new_database()`."""

    def __init__(self) -> None:
        programs = find_programs()
        if programs is None:
            pytest.skip("no PostgreSQL server: tools/find-postgres names what to install")
        self._programs = programs
        self._numbers = count()
        self._released: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix="vod-postgres-"))
        self.port = free_port()

    def __enter__(self) -> Self:
        account = _unprivileged_account()
        (self._folder / "password").write_text(PASSWORD)
        if account:
            for path in (self._folder, self._folder / "password"):
                shutil.chown(path, account["user"], account["group"])
        data = self._folder / "data"
        subprocess.run(
            [self._programs / "initdb", f"--pgdata={data}", f"--username={SUPERUSER}",
             "--auth=scram-sha-256", f"--pwfile={self._folder / 'password'}",
             "--no-sync", "--locale=C", "--encoding=UTF8"],
            check=True, capture_output=True, cwd=self._folder, **account,
        )  # fmt: skip
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISED, "postgres", self._folder,
             self._programs / "postgres", "-D", data, f"--port={self.port}", *settings],
            stdin=subprocess.PIPE, cwd=self._folder, **account,
        )  # fmt: skip
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(
        self, database: str, user: str = SUPERUSER, password: str = QUOTED_PASSWORD, **more: str
    ) -> str:
        """Return the URL of a database."""
        query = "&".join(f"{name}={value}" for name, value in more.items())
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}?{query}"

    def reader_url(self, database: str) -> str:
        """Create a role that may only read the tables of a database, and return its URL."""
        role = f"reader_{next(self._numbers)}"
        self.execute(
            database,
            f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        )
        return self.url(database, user=role)

    def new_database(self) -> str:
        """Return the name of an empty database: a new one, or one that was released."""
        if self._released:
            return self._released.pop()
        name = f"test_{next(self._numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return name

    def release(self, database: str) -> None:
        """Make a database empty, and keep it for who wants one next."""
        self.execute(database, *EMPTY)
        self._released.append(database)

    def execute(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the superuser, and return the rows of the last one."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            return rows

    def disconnect(self, database: str) -> None:
        """End each connection to a database, as a restart of the server does."""
        self.execute(
            "postgres",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
        )

    def suspend(self) -> None:
        """Suspend every process of the server: connections stay open without an answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a suspended server."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        postmaster = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
        for pid in (postmaster, *map(int, children.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait_until_ready(self) -> None:
        for _ in range(600):
            with contextlib.suppress(psycopg.OperationalError):
                self.execute("postgres", "SELECT 1")
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())


def _unprivileged_account() -> Mapping[str, Any]:
    """Return the account for a server of root, as arguments of `Popen`: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("no account for a PostgreSQL server of root: neither `postgres` nor `nobody`")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for the tests of one process."""
    with PostgresServer() as server:
        yield server
