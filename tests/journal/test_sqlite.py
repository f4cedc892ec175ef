"""The file that remembers what was sent until a state does."""

from __future__ import annotations

import gc
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from pulumi_vod_workflow.config.clock import Clock as ClockOf
from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.moving import move_stack
from pulumi_vod_workflow.journal.opening import open_journal
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import ClaimResult, RecordVersion
from tests.journal.conformance import BACKEND, JournalConformance

RUN = {"runId": "lb:1", "requestId": "r1", "submittedAt": "2026-05-06T07:08:09Z", "phase": "x"}
ME, OTHER = "mine", "another's"
KEPT = {name: RUN[name] for name in ("runId", "requestId", "submittedAt")}


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def order(key: str = "k", resource: str = "r") -> StartIntent:
    return StartIntent({"vid": "v"}, "token", resource, key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "journal.sqlite3"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(path: Path, clock: Clock) -> SqliteJournal:
    return SqliteJournal(path, clock=clock)


def open_at(location: str, backend: str = BACKEND, clock: ClockOf | None = None) -> SqliteJournal:
    return SqliteJournal(Path(location), backend, clock)


class TestTheFile(JournalConformance):
    """The suite of all stores."""

    opener = "tests.journal.test_sqlite:open_at"

    @pytest.fixture
    def location(self, path: Path) -> str:
        return str(path)

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> str:
        (tmp_path / "file").write_text("")
        return str(tmp_path / "file" / "journal")

    @pytest.fixture
    def denied(self, path: Path) -> str:
        """SQLite's own mark in the file: root may write where the permissions say no."""
        with path.open("r+b") as raw:
            raw.seek(18)
            raw.write(b"\x03")
        return str(path)


def look(journal: SqliteJournal, *keys: str) -> dict[str, StartRecord]:
    """What a journal has of starts."""
    return dict(journal.lookup([order(key) for key in keys or ("k",)]).records)


def send(
    journal: SqliteJournal, key: str = "k", resource: str = "r", owner: str = ME
) -> ClaimResult:
    """Claim a start as an operation does that looks right before."""
    wanted = order(key, resource)
    seen = journal.lookup([wanted], create=True).versions[key]
    return journal.claim(wanted, owner, seen).result()


def seen(path: Path, *keys: str) -> dict[str, StartRecord]:
    """What another process would read."""
    return look(SqliteJournal(path), *keys)


def test_a_send_is_written_before_and_its_run_after(
    journal: SqliteJournal, path: Path, clock: Clock
) -> None:
    """Each is in the file once it is said to be."""
    send(journal)
    assert seen(path) == {"k": StartRecord(clock.time)}
    journal.record_accepted(order(), RUN).result()
    assert seen(path) == {"k": StartRecord(clock.time, KEPT)} == look(journal)


def test_a_refused_start_leaves_nothing(journal: SqliteJournal, path: Path) -> None:
    send(journal)
    journal.record_rejected(order(), ME).result()
    assert seen(path) == {}


def test_a_refusal_does_not_take_a_run_back(journal: SqliteJournal, path: Path) -> None:
    send(journal)
    journal.record_accepted(order(), RUN).result()
    journal.record_rejected(order(), ME).result()
    assert seen(path)["k"].run == KEPT


def test_a_repeat_keeps_the_time_of_the_first_send(
    journal: SqliteJournal, path: Path, clock: Clock
) -> None:
    """How long ago the first was is what counts, whoever repeats it."""
    first = clock.time
    for owner in (ME, ME, OTHER):
        assert send(journal, owner=owner) == ClaimResult(won=True, record=StartRecord(first))
        clock.time += timedelta(minutes=5)
    assert seen(path) == {"k": StartRecord(first)}


def test_of_two_who_have_looked_one_claims(
    journal: SqliteJournal, path: Path, clock: Clock
) -> None:
    """The other is given what is recorded instead: that it is sent, then its run."""
    theirs = SqliteJournal(path, clock=clock)
    version = theirs.lookup([order()], create=True).versions["k"]
    assert version == RecordVersion()
    assert send(journal).won
    sent = ClaimResult(won=False, record=StartRecord(clock.time))
    assert theirs.claim(order(), OTHER, version).result() == sent
    journal.record_accepted(order(), RUN).result()
    lost = theirs.claim(order(), OTHER, version).result()
    assert lost == ClaimResult(won=False, record=StartRecord(clock.time, KEPT))
    assert seen(path)["k"].run == KEPT, "a run is never lost to a claim"
    assert send(theirs, owner=OTHER) == lost, "nor to one that has just looked"
    journal.release(["lb:1"])
    journal.lookup([], create=True)
    late = theirs.claim(order(), OTHER, version).result()
    assert not late.won, "a state holds its run since"
    assert late.record.run == KEPT
    assert seen(path) == {}
    assert send(theirs, owner=OTHER).won, "who looks now starts it again, as after a destroy"


def test_a_run_that_another_update_has_brought_into_a_state_meanwhile_is_reused(
    journal: SqliteJournal, path: Path, clock: Clock
) -> None:
    """This one was begun before: its view of the state is older, even if it looks only now."""
    older = SqliteJournal(path, clock=clock)
    send(journal)
    journal.record_accepted(order(), RUN).result()
    clock.time += timedelta(seconds=1)
    journal.release(["lb:1"])
    assert look(journal) == {}, "its own release is no news"
    journal.lookup([], create=True)
    assert older.lookup([order()], create=True).records["k"].run == KEPT
    assert send(SqliteJournal(path, clock=clock)).won, "who begins now has seen that state"


def test_the_first_owner_does_not_go_on_once_another_has_claimed(
    journal: SqliteJournal, path: Path
) -> None:
    """Within the window another operation may repeat a start; then that one alone does."""
    version = journal.lookup([order()], create=True).versions["k"]
    assert journal.claim(order(), ME, version).result().won
    assert send(SqliteJournal(path), owner=OTHER).won
    assert not journal.claim(order(), ME, version).result().won
    journal.record_rejected(order(), ME).result()
    assert [*seen(path)] == ["k"], (
        "and what it hears of its own attempt says nothing of the other's"
    )
    SqliteJournal(path).record_rejected(order(), OTHER).result()
    assert journal.claim(order(), ME, version).result().won, "nobody has it any more"


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_older_layout_goes_on(
    path: Path, clock: Clock, journal: SqliteJournal, version: int
) -> None:
    """What an older release has written is claimed by the same rules; then it refuses the file."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(OLDER_LAYOUTS[version])
        for key, run in (("k", None), ("done", "lb:1")):
            connection.execute(
                "INSERT INTO starts VALUES (?, 'r', ?, ?, 'r1', ?)",
                [key, clock.time.isoformat(), run, RUN["submittedAt"]],
            )
    assert [*look(journal, "k", "done")] == ["k", "done"], "without a change to the file"
    assert not journal.has_met("p", "s")
    assert layout_of(path) == version
    assert send(journal).won
    assert not send(journal, "done").won
    assert seen(path, "done")["done"].run == KEPT
    assert layout_of(path) == 3


def test_each_backend_sees_what_an_older_release_has_sent(path: Path, clock: Clock) -> None:
    """Its file names no backend. The first one that goes on with a start has it from then on."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(OLDER_LAYOUTS[2])
        connection.execute(
            "INSERT INTO starts VALUES ('k', 'r', ?, NULL, NULL, NULL)", [clock.time.isoformat()]
        )
        connection.execute("INSERT INTO claims (key, owner) VALUES ('k', 'older')")
    one, two = (SqliteJournal(path, backend, clock) for backend in ("one", "two"))
    assert [*look(one)] == [*look(two)] == ["k"]
    assert send(one).won
    one.record_accepted(order(), RUN).result()
    assert look(one)["k"].run == KEPT
    assert look(two) == {}


@pytest.mark.parametrize("run", [None, "lb:1"])
def test_what_an_older_release_has_sent_moves_for_each_backend(
    path: Path, clock: Clock, run: str | None
) -> None:
    """The stacks of two backends may have one name. A repetition moves nothing."""
    path.parent.mkdir()
    resource = json.dumps({"project": "shop", "stack": "dev"})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(OLDER_LAYOUTS[2])
        row = resource, clock.time.isoformat(), run
        connection.execute("INSERT INTO starts VALUES ('k', ?, ?, ?, NULL, NULL)", row)
    for number, backend in enumerate(["one", "two"]):
        file, target = (
            SqliteJournal(name, backend, clock) for name in (path, path.with_name(f"{number}"))
        )
        for count in (1, 0):
            assert move_stack(file, "shop", "dev", target) == count
            assert [record.record_key for record in target.list_stack("shop", "dev")] == ["k"]
        assert look(file), "it is still visible here, if the setting is changed back"


FIRST_LAYOUT = """
CREATE TABLE starts (
    key TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT
);
PRAGMA application_id = 0x766F646A;
PRAGMA user_version = 1;
"""
"""As 0.1.0 makes it."""

SECOND_LAYOUT = """
CREATE INDEX starts_by_run ON starts (run_id);
CREATE INDEX starts_by_resource ON starts (resource);
CREATE TABLE claims (
    key TEXT PRIMARY KEY,
    owner TEXT,
    released_at TEXT,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT
);
PRAGMA user_version = 2;
"""
"""Its changes, as the first release with claims made them."""

OLDER_LAYOUTS = {1: FIRST_LAYOUT, 2: FIRST_LAYOUT + SECOND_LAYOUT}


def layout_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [[version]] = connection.execute("PRAGMA user_version")
    return int(version)


def test_what_a_state_holds_is_forgotten(journal: SqliteJournal, path: Path) -> None:
    send(journal)
    journal.record_accepted(order(), RUN).result()
    later = SqliteJournal(path)
    assert later.release(["lb:other"]) is None
    written = later.release(["lb:1", "lb:other"])
    assert look(later) == {}, "at once, for this process"
    assert written is not None
    written.result()
    assert seen(path) == {}
    assert later.release(["lb:1"]) is None


def test_a_released_run_is_kept_for_two_days(
    journal: SqliteJournal, path: Path, clock: Clock
) -> None:
    """A slower update that runs at the same time finds it."""
    journal.record_accepted(order(), RUN).result()
    released = journal.release(["lb:1"])
    assert released
    released.result()
    for hours, kept in ((47, 1), (2, 0)):
        clock.time += timedelta(hours=hours)
        SqliteJournal(path, clock=clock).lookup([], create=True)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM claims").fetchall() == [(kept,)]


def test_a_run_that_is_joined_again_is_remembered_again(journal: SqliteJournal, path: Path) -> None:
    """As when a replacement is forced: the service may answer with the run of the state."""
    send(journal)
    journal.record_accepted(order(), RUN).result()
    journal.release(["lb:1"])
    send(journal)
    journal.record_accepted(order(), RUN).result()
    assert look(journal)["k"].run == seen(path)["k"].run == KEPT


def test_a_decision_is_about_its_resource(journal: SqliteJournal, path: Path) -> None:
    """Another start of the same resource, or a run that is named for it, answers the question."""
    for key, resource in (("a", "r"), ("b", "r"), ("c", "other")):
        send(journal, key, resource)
    journal.record_accepted(order("b"), RUN).result()
    assert [*seen(path, "a", "b", "c")] == ["b", "c"]
    journal.discard_undecided("other")
    send(journal, "d")
    assert [*seen(path, "a", "b", "c", "d")] == ["b", "d"]


def test_other_starts_of_a_resource_are_found(journal: SqliteJournal, clock: Clock) -> None:
    """The latest, and none that a state holds."""

    def found(*orders: StartIntent) -> tuple[object, object]:
        look = journal.lookup(orders)
        return look.records, look.superseded

    for key in "ab":
        send(journal, key)
        clock.time += timedelta(seconds=1)
    first, second = (StartRecord(clock.time - timedelta(seconds=ago)) for ago in (2, 1))
    assert found(order("a"), order("c", "other")) == ({"a": first}, {"r": second})
    assert found(order("a"), order("b")) == ({"a": first, "b": second}, {})
    assert found(order("", "r")) == ({}, {"r": second}), "a start that is not all known"
    journal.record_accepted(order("b"), RUN).result()
    assert journal.lookup([order("c")]).superseded["r"].run == KEPT
    journal.release(["lb:1"])
    assert found(order("c")) == ({}, {})


def test_reading_makes_no_file(journal: SqliteJournal, path: Path) -> None:
    """What has nothing to remember leaves nothing behind."""
    assert look(journal) == {}
    assert journal.release(["lb:1"]) is None
    journal.discard_undecided("r")
    assert not path.parent.exists()


def test_only_its_owner_reads_it(journal: SqliteJournal, path: Path) -> None:
    journal.lookup([], create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_removed_is_made_again(journal: SqliteJournal, path: Path) -> None:
    """What is written to a file that is gone would be lost."""
    send(journal)
    path.unlink()
    assert look(journal) == {}
    send(journal, "b")
    assert [*seen(path, "k", "b")] == ["b"]


def test_there_is_one_for_each_location(path: Path) -> None:
    first, second = (JournalLocation("file", Path(str(path))) for _ in range(2))
    assert open_journal(first) is open_journal(second)
    assert open_journal(first) is not open_journal(JournalLocation("file", path, backend="s3://b"))


def test_many_writes_share_few_transactions(path: Path) -> None:
    """Those that come while one is written are the next one; none waits for more than two."""
    commits: list[str] = []

    class Traced(SqliteJournal):
        def _connect(self) -> sqlite3.Connection | None:
            connection = super()._connect()
            if connection:
                connection.set_trace_callback(
                    lambda text: commits.append(text) if text == "COMMIT" else None
                )
            return connection

    journal = Traced(path)
    journal.lookup([], create=True)
    commits.clear()  # that of the new file
    with journal._file_lock:  # a transaction that takes its time
        first = journal.claim(order("first"), ME)
        rest = [journal.claim(order(str(number)), ME) for number in range(500)]
    for written in (first, *rest):
        written.result()
    assert len(commits) <= 2
    assert len(seen(path, *map(str, range(500)))) == 500


def test_a_transaction_that_is_killed_leaves_the_file_whole(
    path: Path, journal: SqliteJournal
) -> None:
    """What was said to be written is there, and the rest is not half there."""
    send(journal)
    code = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "for n in range(400):\n"
        "    row = ['', n, 'x' * 99, '', n, 1, 1, 1]\n"
        '    connection.execute(f\'INSERT INTO starts VALUES ({", ".join("?" * 8)})\', row)\n'
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.with_name(path.name + "-journal").exists(), "cut short in the middle"
    assert [*seen(path, "k", "1")] == ["k"]


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 200)


def torn(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (id)")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (garbage, "it is damaged (file is not a database)\nNo run was started"),
        (torn, "it is damaged ("),
        (foreign, "it is a file of another program"),
        (newer, "a newer version of pulumi_vod_workflow has written it"),
    ],
)
def test_a_file_that_cannot_be_used_says_so(
    path: Path, damage: Callable[[Path], None], told: str
) -> None:
    """No start is sent, and the person is told which file, why, and what to do."""
    send(SqliteJournal(path))
    damage(path)
    journal = SqliteJournal(path)
    uses: tuple[Callable[[], object], ...] = (
        lambda: journal.lookup([], create=True),
        lambda: journal.lookup([order()]),
        lambda: send(journal),
    )
    for use in uses:
        with pytest.raises(JournalError) as raised:
            use()
        assert str(path) in str(raised.value)
        assert told in str(raised.value)
        assert "No run was started" in str(raised.value)
    assert journal.release(["lb:1"]) is None, "what costs nothing goes on"


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="make the file writable, or set `vod:journal`"):
        SqliteJournal(tmp_path / "file" / "journal").lookup([], create=True)


def test_those_who_share_a_failure_have_their_own_error(path: Path) -> None:
    """An error is completed with what is known of its own start."""
    path.parent.mkdir()
    garbage(path)
    journal = SqliteJournal(path)
    errors: list[JournalError] = []

    async def send(key: str) -> None:
        try:
            await StartRecorder(journal, order(key), ME).claim()
        except JournalError as error:
            errors.append(error)

    async def go() -> None:
        async with anyio.create_task_group() as tasks:
            for key in "abc":
                tasks.start_soon(send, key)

    anyio.run(go)
    assert len({id(error) for error in errors}) == 3


def test_the_failure_of_one_write_does_not_undo_the_others(
    journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a transaction, and a run that is paid stays recorded."""
    send(journal)
    send(journal, "damaged", "other")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE starts SET sent_at = 'never' WHERE key = 'damaged'")

    def no_lock() -> str:
        raise OSError("no lock file")

    monkeypatch.setattr(journal._owners, "own_id", no_lock)
    with journal._file_lock:  # a transaction that takes its time
        journal.record_rejected(order("nothing"), ME)
        damaged = journal.claim(order("damaged", "other"), OTHER)
        unlocked = journal.claim(order("b"), ME)
        accepted = journal.record_accepted(order(), RUN)
    with pytest.raises(JournalError, match=r"it is damaged \(.*never"):
        damaged.result()
    with pytest.raises(JournalError, match=r"it is not usable \(no lock file\)"):
        unlocked.result()
    accepted.result()
    assert seen(path)["k"].run == KEPT
    assert "b" not in seen(path, "b")


def test_a_forgotten_journal_closes_its_file(path: Path) -> None:
    """Python 3.13 warns of those that are left open."""
    journal = SqliteJournal(path)
    journal.lookup([], create=True)
    connection = journal._connection
    assert connection is not None
    connection.execute("SELECT 1")
    del journal
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
