"""The journal in a PostgreSQL database, on a real server."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.core.recovery import StartIntent
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.opening import open_journal
from pulumi_vod_workflow.journal.store import RecordVersion
from tests.journal.conformance import BACKEND, JournalConformance
from tests.servers.postgres import (
    PASSWORD,
    QUOTED_PASSWORD,
    PostgresServer,
    postgres_server,
)
from tests.servers.process import free_port
from tests.servers.relay import Relay

# The import of the server skips these tests if the driver is missing.
import psycopg  # isort: skip

from pulumi_vod_workflow.journal import postgres_database  # isort: skip
from pulumi_vod_workflow.journal.postgres import PostgresJournal  # isort: skip
from pulumi_vod_workflow.journal.postgres_database import Tick  # isort: skip

__all__ = ["postgres_server"]  # the fixture

RUN = {"runId": "lb:1", "requestId": "r1", "submittedAt": "2026-05-06T07:08:09Z"}
ME, OTHER = "mine", "another's"


def resource(name: str) -> str:
    return json.dumps({"name": name, "project": "p", "stack": "s"})


def order(key: str = "k", name: str = "r") -> StartIntent:
    return StartIntent({"vid": "a secret input"}, "a token", resource(name), key, f"request-{key}")


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    database = postgres_server.new_database()
    yield database
    postgres_server.release(database)


@pytest.fixture
def url(postgres_server: PostgresServer, database: str) -> str:
    return postgres_server.url(database)


@pytest.fixture
def journal(url: str) -> PostgresJournal:
    return PostgresJournal(url)


@pytest.fixture
def relay(postgres_server: PostgresServer) -> Iterator[Relay]:
    with Relay(postgres_server.port) as relay:
        yield relay


def through(relay: Relay, url: str, server: PostgresServer) -> str:
    return url.replace(f":{server.port}/", f":{relay.port}/")


def assert_unusable(use: Callable[[], object], why: str, remedy: str) -> None:
    with pytest.raises(JournalError) as raised:
        use()
    text = str(raised.value)
    assert why in text
    assert f"hint: {remedy}" in text
    assert "No run was started." in text
    assert PASSWORD not in text
    assert QUOTED_PASSWORD not in text


READ_ONLY = (
    "the journal {} is read-only for its role. A preview works. An update starts no run until the "
    "role may write."
)
UNUSABLE = "check that this machine can connect to the server"


def open_at(url: str, backend: str = BACKEND, _clock: Clock | None = None) -> PostgresJournal:
    """Open a journal. The clock of this machine dates nothing."""
    return PostgresJournal(url, backend)


class TestConformance(JournalConformance):
    opener = "tests.journal.test_postgres:open_at"
    knows_living_owners = False  # of many machines
    has_a_clock = True

    @pytest.fixture
    def location(self, url: str) -> str:
        return url

    @pytest.fixture
    def unreachable(self) -> str:
        return f"postgresql://u:{QUOTED_PASSWORD}@127.0.0.1:{free_port()}/vod"

    @pytest.fixture
    def denied(self, postgres_server: PostgresServer, database: str) -> str:
        return postgres_server.reader_url(database)


# -- what the database has ------------------------------------------------------------------------


def test_the_tables_have_names_times_and_run_ids_and_no_inputs_or_tokens(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    journal.claim(order(), ME).result()
    journal.record_accepted(order(), RUN).result()
    journal.import_pending("p", "s", [])
    assert journal.warnings == ()
    rows = str(
        [
            postgres_server.execute(database, f"SELECT * FROM {table}")
            for table in ("vod_starts", "vod_stacks", "vod_journal")
        ]
    )
    assert "lb:1" in rows
    assert "secret" not in rows
    assert "token" not in rows


def test_the_clock_of_the_database_dates_the_records(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    """The clocks of two machines differ, so the age of a record would be wrong by one of them."""
    postgres_server.execute(
        database,
        "CREATE SCHEMA slow",
        # The clock of this server is an hour behind.
        "CREATE FUNCTION slow.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
        "AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 hour' $$",
        "CREATE FUNCTION slow.now() RETURNS timestamptz LANGUAGE sql "
        "AS $$ SELECT pg_catalog.now() - interval '1 hour' $$",
        f"ALTER DATABASE {database} SET search_path = slow, public, pg_catalog",
    )
    before = journal.now()
    sent_at = journal.claim(order(), ME).result().record.sent_at
    assert timedelta(0) <= sent_at - before < timedelta(minutes=1)
    machine = PostgresJournal(postgres_server.url(postgres_server.new_database())).now()
    assert machine - sent_at > timedelta(minutes=50)


def test_a_machine_that_has_slept_or_whose_clock_is_set_back_makes_no_record_younger(
    journal: PostgresJournal,
) -> None:
    """Only one of its two clocks counts the sleep, and only the other one cannot be set back."""
    sent_at = journal.claim(order(), ME).result().record.sent_at
    now, hour = Tick(), 3600
    back = journal._database.time_at(Tick(now.monotonic, now.wall - hour))
    assert timedelta(0) <= back - sent_at < timedelta(minutes=1)
    slept = journal._database.time_at(Tick(now.monotonic, now.wall + hour))
    assert timedelta(minutes=59) < slept - sent_at < timedelta(minutes=61)


def test_a_slow_answer_of_the_clock_makes_no_record_younger(
    journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database read its clock before the answer arrived."""
    slow = f"WITH clock AS MATERIALIZED ({postgres_database.SELECT_NOW}), wait AS MATERIALIZED "
    slow += "(SELECT pg_sleep(0.2)) SELECT clock.* FROM clock, wait"
    monkeypatch.setattr(postgres_database, "SELECT_NOW", slow)
    assert journal.now() <= journal.claim(order(), ME).result().record.sent_at <= journal.now()


def test_a_released_run_is_kept_for_two_days(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    """A slower update that runs at the same time finds it."""
    for key in "abc":
        journal.record_accepted(order(key, key), {"runId": f"lb:{key}"}).result()
    for key, hours in (("a", 49), ("b", 47)):
        journal.release([f"lb:{key}"])
        journal.list_stack("p", "s")  # after the release
        older = f"released_at = now() - interval '{hours} hours' WHERE key = '{key}'"
        postgres_server.execute(database, f"UPDATE vod_starts SET {older}")
    journal.release(["lb:c"])
    journal.list_stack("p", "s")
    rows = postgres_server.execute(database, "SELECT key FROM vod_starts ORDER BY key")
    assert rows == [("b",), ("c",)]


def test_a_reader_makes_no_tables(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    assert journal.lookup([order()]).records == {}
    assert journal.release(["lb:1"]) is None
    assert not journal.has_met("p", "s")
    journal.discard_undecided(resource("r"))
    assert journal.list_stack("p", "s") == []
    assert postgres_server.execute(database, "SELECT to_regclass('vod_starts')") == [(None,)]


def test_processes_that_meet_a_new_database_at_once_create_it_once(url: str) -> None:
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        journal = PostgresJournal(url)
        journal.now()
        barrier.wait()
        return journal.claim(order(f"{number}"), ME).result().won

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(claim, range(8)))


def test_removed_tables_are_created_again(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    journal.claim(order(), ME).result()
    postgres_server.execute(database, "DROP TABLE vod_starts, vod_stacks, vod_journal")
    assert journal.lookup([order()]).records == {}
    assert journal.claim(order("b"), ME).result().won
    assert [record.record_key for record in journal.list_stack("p", "s")] == ["b"]


def test_tables_of_a_newer_release_are_refused(
    url: str, postgres_server: PostgresServer, database: str
) -> None:
    PostgresJournal(url).claim(order(), ME).result()
    postgres_server.execute(database, "UPDATE vod_journal SET schema_version = 9")
    newer = "a newer version of pulumi_vod_workflow has written it"
    assert_unusable(lambda: PostgresJournal(url).lookup([order()]), newer, "use that version")
    assert_unusable(PostgresJournal(url).claim(order(), ME).result, newer, "use that version")


def test_a_table_of_another_program_is_not_touched(
    url: str, postgres_server: PostgresServer, database: str
) -> None:
    postgres_server.execute(
        database, "CREATE TABLE vod_starts (id integer)", "CREATE SCHEMA journal"
    )
    assert_unusable(
        PostgresJournal(url).claim(order(), ME).result,
        "its table vod_starts belongs to another program",
        "set `vod:journal` to another database, or add another schema to the URL: "
        "`?options=-csearch_path%3DSCHEMA`",
    )
    elsewhere = postgres_server.url(database, options="-csearch_path%3Djournal")
    assert PostgresJournal(elsewhere).claim(order(), ME).result().won
    assert postgres_server.execute(database, "SELECT count(*) FROM journal.vod_starts") == [(1,)]


def test_the_url_of_a_backend_of_pulumi_is_a_url_of_a_journal(
    postgres_server: PostgresServer, database: str
) -> None:
    """The backend's parameter `table` names the table of the states."""
    url = postgres_server.url(database, table="pulumi_state", connect_timeout="9")
    journal = PostgresJournal(url.replace("postgresql:", "postgres:"))
    assert journal.claim(order(), ME).result().won


# -- names, and what is not in them ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (
            "postgresql://u:p@db.example:5432/vod?sslmode=require",
            "postgresql://db.example:5432/vod",
        ),
        ("postgres://u@a:1,b:2/vod", "postgres://a:1,b:2/vod"),
        ("postgresql://[::1]:5432/vod", "postgresql://[::1]:5432/vod"),
        ("postgresql:///vod?host=/run/postgresql", "postgresql:///vod"),
        ("postgresql://db/vod?user=u&password=p", "postgresql://db/vod"),
        # The password is not encoded, so a part of it stands where the host is.
        ("postgresql://u:pa/ss@db/vod", "postgresql://..."),
        ("postgresql://u:123/ss@db/vod", "postgresql://..."),
        ("postgresql://u:pa?ss@db/vod", "postgresql://..."),
        ("postgresql://u:12?ss@db/vod", "postgresql://..."),
        ("postgresql://u:pa#ss@db/vod", "postgresql://..."),
        ("postgresql://u:pa@ss@db/vod", "postgresql://..."),
    ],
)
def test_the_name_of_a_journal_has_no_credentials(url: str, location: str) -> None:
    journal = PostgresJournal(url)
    assert journal.location == str(JournalLocation("postgres", url=url)) == location
    if location.endswith("..."):
        with pytest.raises(JournalError, match="its URL is not valid") as raised:
            journal.lookup([order()])
        assert "ss@" not in str(raised.value)


def test_a_url_that_libpq_refuses_is_not_in_the_message() -> None:
    for url in ("postgresql://u:pa%%ss@db/vod", "postgresql://u:pass@db/vod?passs=pass"):
        with pytest.raises(JournalError, match="percent-encoded, and only with") as raised:
            PostgresJournal(url).lookup([order()])
        assert "ss" not in str(raised.value).replace("password", "").replace("PASSWORD", "")


def test_a_missing_driver_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if ".journal.postgres" in name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert_unusable(
        lambda: open_journal(JournalLocation("postgres", url=url)),
        "the driver psycopg is not installed",
        "install the extra `postgres`: `pip install 'pulumi-vod-workflow[postgres]'`",
    )


def test_a_location_of_the_kind_opens_it(url: str) -> None:
    location = JournalLocation("postgres", url=url, backend="s3://states")
    assert open_journal(location).claim(order(), ME).result().won
    assert open_journal(location) is open_journal(location)
    assert not PostgresJournal(url, "s3://others").list_stack("p", "s")


# -- a server that is not there, or refuses -------------------------------------------------------


def test_a_server_that_is_not_there_or_refuses_says_so(
    postgres_server: PostgresServer, database: str
) -> None:
    urls = {
        "Connection refused": f"postgresql://u:{QUOTED_PASSWORD}@127.0.0.1:{free_port()}/vod",
        "password authentication failed": postgres_server.url(database, user="nobody"),
        'database "absent" does not exist': postgres_server.url("absent"),
    }
    for why, url in urls.items():
        journal = PostgresJournal(url)
        assert journal.release(["lb:1"]) is None, "what costs nothing goes on"
        uses: tuple[Callable[[], object], ...] = (
            partial(journal.lookup, [order()], create=True),
            partial(journal.has_met, "p", "s"),
            journal.claim(order(), ME).result,
            journal.now,
        )
        for use in uses:
            assert_unusable(use, why, UNUSABLE)


def test_a_server_that_does_not_answer_a_connection_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_database, "CONNECT_TIMEOUT", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://u:{QUOTED_PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/vod"
        assert_unusable(
            PostgresJournal(url).claim(order(), ME).result, "connection timeout expired", UNUSABLE
        )


def test_a_server_that_stops_to_answer_is_given_up_and_found_again(
    journal: PostgresJournal, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "TRANSACTION_TIMEOUT", 0.2)
    assert journal.claim(order(), ME).result().won
    postgres_server.suspend()
    try:
        assert_unusable(journal.claim(order("b"), ME).result, "it has not answered for", UNUSABLE)
    finally:
        postgres_server.resume()
    monkeypatch.undo()
    assert journal.claim(order("c"), ME).result().won


def test_a_role_that_may_only_read_previews_and_starts_nothing(
    postgres_server: PostgresServer, database: str, journal: PostgresJournal
) -> None:
    journal.claim(order(), ME).result()
    reader = PostgresJournal(postgres_server.reader_url(database))
    assert [*reader.lookup([order()], create=True).records] == ["k"]
    assert reader.warnings == (READ_ONLY.format(reader.location),)
    assert_unusable(
        reader.claim(order("b"), ME).result,
        "the role has no permission (permission denied for table vod_starts)",
        "grant the role SELECT, INSERT, UPDATE and DELETE on the tables `vod_starts`",
    )
    assert [record.record_key for record in journal.list_stack("p", "s")] == ["k"]


def test_a_role_that_may_not_create_the_tables_previews_and_starts_nothing(
    postgres_server: PostgresServer, database: str
) -> None:
    postgres_server.execute(database, f"CREATE ROLE guest_{database} LOGIN PASSWORD '{PASSWORD}'")
    guest = PostgresJournal(postgres_server.url(database, user=f"guest_{database}"))
    assert guest.lookup([order()]).records == {}
    assert guest.lookup([order()], create=True).versions == {"k": RecordVersion()}
    assert guest.warnings == (READ_ONLY.format(guest.location),)
    assert_unusable(
        guest.claim(order(), ME).result,
        "the role has no permission (permission denied for schema public)",
        "grant the role SELECT",
    )


def test_a_standby_says_that_it_is_read_only(
    postgres_server: PostgresServer, database: str, journal: PostgresJournal
) -> None:
    journal.claim(order(), ME).result()
    postgres_server.execute(
        database, f"ALTER DATABASE {database} SET default_transaction_read_only = on"
    )
    standby = PostgresJournal(postgres_server.url(database))
    assert [*standby.lookup([order()], create=True).records] == ["k"]
    assert standby.warnings == (READ_ONLY.format(standby.location),)
    assert_unusable(
        standby.claim(order("b"), ME).result,
        "the database is read-only",
        "set `vod:journal` to the primary server",
    )


# -- connections, transactions, round trips -------------------------------------------------------


def test_a_claim_and_a_record_cost_one_round_trip_each(
    journal: PostgresJournal, relay: Relay, url: str, postgres_server: PostgresServer
) -> None:
    far = PostgresJournal(through(relay, url, postgres_server))
    expected = far.lookup([order()], create=True).versions["k"]
    before = relay.round_trips
    assert far.claim(order(), ME, expected).result().won
    far.record_accepted(order(), RUN).result()
    assert relay.round_trips == before + 2
    far.release(["lb:1"])
    far.lookup([order()], create=True)
    assert relay.round_trips == before + 4


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each transaction."""
    found: list[Any] = []
    execute = postgres_database._transaction

    def counted(*arguments: Any) -> Any:
        found.append(arguments)
        return execute(*arguments)

    monkeypatch.setattr(postgres_database, "_transaction", counted)
    return found


def test_many_writes_share_few_transactions(
    journal: PostgresJournal, transactions: list[Any]
) -> None:
    """Those that come while one is written are the next one; none waits for more than two."""
    journal.lookup([], create=True)
    transactions.clear()
    is_free = threading.Event()
    journal._database._worker.submit(is_free.wait)  # a transaction that takes its time
    claims = [journal.claim(order(str(number), str(number)), ME) for number in range(500)]
    is_free.set()
    assert all(claim.result().won for claim in claims)
    assert len(transactions) <= 2
    assert len(journal.list_stack("p", "s")) == 500


def test_the_failure_of_one_write_does_not_undo_the_others(
    journal: PostgresJournal, transactions: list[Any]
) -> None:
    """They share a transaction, and a run that is paid stays recorded."""
    journal.lookup([], create=True)
    journal.claim(order(), ME).result()
    transactions.clear()
    is_free = threading.Event()
    journal._database._worker.submit(is_free.wait)  # a transaction that takes its time
    refused = journal.claim(order("no\0text", "a"), ME)
    undone = journal.record_accepted(order("b", "b"), {**RUN, "runId": "no\0json"})
    others = [journal.claim(order(str(number), str(number)), ME) for number in range(60)]
    accepted = journal.record_accepted(order(), RUN)
    is_free.set()
    assert_unusable(refused.result, "cannot contain NUL", UNUSABLE)
    with pytest.raises(JournalError, match="unsupported Unicode escape sequence"):
        undone.result()
    accepted.result()
    assert all(other.result().won for other in others)
    assert journal.lookup([order()]).records["k"].run == RUN
    assert len(journal.list_stack("p", "s")) == 61
    assert len(transactions) < 30, "halves are tried again, not each alone"


def test_a_claim_whose_answer_is_lost_is_won_once(
    journal: PostgresJournal, relay: Relay, url: str, postgres_server: PostgresServer
) -> None:
    """The database has recorded it, and the connection broke before it could say so."""
    far = PostgresJournal(through(relay, url, postgres_server))
    expected = far.lookup([order()], create=True).versions["k"]
    relay.answers_to_lose = 1
    claimed = far.claim(order(), ME, expected).result()
    assert claimed.won
    assert relay.answers_to_lose == 0
    [record] = journal.list_stack("p", "s")
    assert record == claimed.record
    assert not journal.claim(order(), OTHER, expected).result().won


def test_a_connection_that_ends_meanwhile_is_made_again(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    """As after a restart of the server, or a firewall that drops idle connections."""
    journal.claim(order(), ME).result()
    postgres_server.disconnect(database)
    journal.record_accepted(order(), RUN).result()
    postgres_server.disconnect(database)
    assert journal.lookup([order()]).records["k"].run == RUN


def test_a_transaction_that_loses_a_deadlock_is_tried_again(
    journal: PostgresJournal, postgres_server: PostgresServer, database: str
) -> None:
    for key in "ab":
        journal.claim(order(key, key), ME).result()
        journal.record_accepted(order(key, key), {"runId": f"lb:{key}"}).result()
    # The server finds a real deadlock a second after the wait has begun, or never.
    postgres_server.execute(
        database,
        "CREATE SEQUENCE updates",
        "CREATE FUNCTION lose_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('updates') = 1 THEN RAISE deadlock_detected; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER lose_first BEFORE UPDATE ON vod_starts "
        "FOR EACH ROW EXECUTE FUNCTION lose_first()",
    )
    released = journal.release(["lb:a", "lb:b"])
    assert released
    released.result()
    assert postgres_server.execute(database, "SELECT last_value FROM updates") == [(3,)]
    assert journal.list_stack("p", "s") == []


def test_another_transaction_that_keeps_a_record_is_not_waited_for_forever(
    journal: PostgresJournal,
    postgres_server: PostgresServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal.claim(order(), ME).result()
    shorter = postgres_database.SET_LOCK_TIMEOUT.replace("10s", "50ms")
    monkeypatch.setattr(postgres_database, "SET_LOCK_TIMEOUT", shorter)
    with psycopg.connect(postgres_server.url(database)) as other:
        other.execute("SELECT 1 FROM vod_starts FOR UPDATE")
        assert_unusable(
            journal.claim(order(), ME).result,
            "another process blocks it",
            "run the same command again",
        )
        assert journal.claim(order("b", "b"), ME).result().won


def test_a_forgotten_journal_closes_its_connection(
    postgres_server: PostgresServer, database: str
) -> None:
    journal = PostgresJournal(postgres_server.url(database))
    journal.lookup([], create=True)
    connection = journal._database._connection
    assert connection
    del journal
    assert connection.closed
