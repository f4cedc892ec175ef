"""The journal in an object store, on a real S3 server."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal import objects
from pulumi_vod_workflow.journal.object_entries import body_of, entry_of
from pulumi_vod_workflow.journal.object_names import Entry, parse_entry, parse_mark, quoted
from pulumi_vod_workflow.journal.object_store import (
    ObjectFolder,
    StoreUrlError,
    open_store,
    parse_location,
)
from pulumi_vod_workflow.journal.objects import ObjectJournal
from tests.journal.conformance import (
    ME,
    OTHER,
    A,
    B,
    C,
    Off,
    accept,
    look,
    release,
    send,
)
from tests.journal.object_conformance import ObjectConformance, open_at
from tests.journal.processes import PROJECT, STACK, intent, run_of
from tests.scale import scaled
from tests.servers.s3 import VIRTUAL_DOMAIN, S3Server, s3

__all__ = ["s3"]


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.bucket(reader=True)


@pytest.fixture
def credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environ().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def location(s3: S3Server, bucket: str, credentials: None) -> str:
    return s3.url(bucket, f"/{uuid4().hex}")


@pytest.fixture
def read_only(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go on with credentials that may only read."""

    def go_on() -> None:
        for name, value in s3.environ(reader=True).items():
            monkeypatch.setenv(name, value)

    return go_on


class TestObjects(ObjectConformance):
    """The suite of all stores."""

    @pytest.fixture
    def location(self, s3: S3Server, bucket: str, credentials: None) -> str:
        return s3.url(bucket, f"/{uuid4().hex}")

    @pytest.fixture
    def unreachable(self, credentials: None) -> str:
        return "s3://bucket?endpoint=http://127.0.0.1:1&s3ForcePathStyle=true"

    @pytest.fixture
    def denied(self, location: str, read_only: Callable[[], None]) -> str:
        read_only()
        return location


def test_a_preview_without_the_right_to_write_only_warns(
    location: str, read_only: Callable[[], None]
) -> None:
    """An update then fails at its first claim."""
    accept(open_at(location), A, "a")
    read_only()
    journal = open_at(location)
    found = journal.lookup([A, B], create=True)
    assert found.records[A.record_key].run == run_of("a")
    [warning] = journal.warnings
    assert "is read-only for these credentials: the store denies the access (HTTP 403" in warning
    with pytest.raises(JournalError, match="to list, get, put and delete"):
        journal.claim(B, ME, found.versions[B.record_key]).result()


def test_a_store_in_order_has_no_warning(location: str) -> None:
    journal = open_at(location)
    journal.lookup([A], create=True)
    assert journal.warnings == ()


# -- the requests -------------------------------------------------------------------------------


class Counted(ObjectFolder):
    """A folder that counts its requests; a list of N thousand names counts once."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(url, path)
        self.made: Counter[str] = Counter()

    def create(self, path: str, body: Any) -> Any:
        self.made["create"] += 1
        return super().create(path, body)

    def read(self, path: str) -> Any:
        self.made["read"] += 1
        return super().read(path)

    def list(self, folder: str) -> list[str]:
        self.made["list"] += 1
        return super().list(folder)


@pytest.fixture
def counted(location: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], ObjectJournal]:
    monkeypatch.setattr(objects, "ObjectFolder", Counted)
    return lambda: open_at(location)


def made(journal: ObjectJournal) -> Counter[str]:
    """The requests since the last call."""
    folder = journal._objects
    assert isinstance(folder, Counted)
    made, folder.made = folder.made, Counter()
    return made


def test_a_start_costs_two_requests(counted: Callable[[], ObjectJournal]) -> None:
    """One before it is sent, and one after its answer."""
    journal = counted()
    start = intent("a", request="film")
    version = journal.lookup([start], create=True).versions[start.record_key]
    made(journal)
    assert journal.claim(start, ME, version).result().won
    assert made(journal) == {"create": 1}
    journal.record_accepted(start, run_of("a")).result()
    assert made(journal) == {"create": 1}
    journal.lookup([intent("b")], create=True)
    assert made(journal) == {"list": 2}, "the resource and the stack's marks, at the same time"


def test_the_release_of_many_runs_is_one_request(counted: Callable[[], ObjectJournal]) -> None:
    journal = counted()
    names = [f"n{number}" for number in range(20)]
    for name in names:
        accept(journal, intent(name), name)
    made(journal)
    runs = [run_of(name)["runId"] for name in names]
    written = journal.release(runs)
    assert written
    written.result()
    assert made(journal) == {"create": 1}
    later = counted()
    assert later.release(runs) is None
    assert made(later) == {"list": 1, "read": 1}


def test_releases_ask_an_unreachable_store_once(
    counted: Callable[[], ObjectJournal], proxy: Proxy, unsigned: str
) -> None:
    """A destroy releases each of its runs. The store is asked again once a lookup has read it."""
    url = url_of(proxy, unsigned)
    accept(open_at(url), A, "a")
    journal = open_at(url)
    made(journal)
    proxy.before = lambda _: (503, "<Error><Code>SlowDown</Code></Error>")
    for _ in range(3):
        assert journal.release(["lb:a"]) is None
    assert made(journal) == {"list": 1}
    proxy.before = lambda _: None
    assert look(journal, A) == {A.record_key: "lb:a"}
    release(journal, "a")
    assert look(open_at(url), A) == {}


@pytest.mark.torture
def test_thousands_of_entries(
    counted: Callable[[], ObjectJournal], s3: S3Server, location: str
) -> None:
    """Names decide: a body is read only for the start itself. A list has pages of 1,000 names."""
    count = scaled(2_500, 10_000)
    accept(counted(), intent("n0", request="r0"), "n0")
    place = parse_location(location)
    folder = s3.folder(place.bucket) / place.prefix / counted()._objects._path
    [seed] = folder.rglob("*.r1.*")
    body = json.loads(seed.read_text())
    for number in range(1, count):
        start = intent(f"n{number}", request=f"r{number}")
        entry = entry_of(start, 1, f"lb:n{number}")
        path = folder / entry.path
        path.parent.mkdir(parents=True)
        keys = {"recordKey": start.record_key, "resourceKey": start.resource_key}
        path.write_text(json.dumps({**body, **keys, "requestKey": start.request_key}))
    journal = counted()
    starts = [intent(f"n{number}", request=f"r{number}") for number in (7, count + 1)]
    assert look(journal, *starts) == {starts[0].record_key: "lb:n7"}
    assert made(journal)["read"] == 1
    many = [intent(f"n{number}", "another") for number in range(20)]
    assert len(journal.lookup(many, create=True).superseded) == 20
    assert made(journal)["read"] <= 2 * 20
    renamed = intent("renamed", request="r9")
    assert len(journal.lookup([renamed]).same_request["r9"]) == 1
    assert made(journal) == {"list": 2, "read": 1}


# -- what is kept, and how long -------------------------------------------------------------------


def test_a_released_run_is_kept_for_two_days(location: str, s3: S3Server, bucket: str) -> None:
    """So a slower update that began before finds it."""
    prefix = parse_location(location).prefix

    def kept() -> list[str]:
        return [path for path in s3.paths(bucket) if path.startswith(prefix)]

    journal = open_at(location)
    accept(journal, A, "a")
    send(journal, B)
    release(journal, "a")
    younger = open_at(location)
    younger._clock._opened_at += timedelta(days=1)
    younger._clock._machine = Off(timedelta(days=1))
    younger.lookup([A])
    younger._calls.shutdown()
    assert sum(".r1." in path for path in kept()) == 1
    older = open_at(location)
    older._clock._machine = Off(timedelta(days=3))
    older.lookup([A])
    older._calls.shutdown()
    left = [path for path in kept() if "/probe/" not in path]
    assert len(left) == 1
    assert look(open_at(location), A, B) == {B.record_key: None}


def test_an_update_that_began_earlier_reuses_a_run_that_a_newer_state_has(location: str) -> None:
    older = open_at(location)
    journal = open_at(location)
    accept(journal, A, "a")
    release(journal, "a")
    assert look(journal, A) == {}, "its own release is no news"
    found = older.lookup([A], create=True).records[A.record_key]
    assert found.run == run_of("a")
    assert send(open_at(location), A, OTHER).won, "who begins now has seen that state"


def test_a_versioned_bucket_works_as_another(s3: S3Server, credentials: None) -> None:
    """A deleted object leaves a marker there, and its name is free again."""
    url = s3.url(s3.bucket(versioned=True))
    journal = open_at(url)
    for _ in range(2):
        assert send(journal, A).won
        journal.record_rejected(A, ME).result()
        assert look(open_at(url), A) == {}
    accept(journal, A, "a")
    send(journal, intent("b", "1"))
    accept(journal, intent("b", "2"), "b")
    assert {record.run["runId"] for record in open_at(url).list_stack(PROJECT, STACK) if record.run}
    assert not send(open_at(url), A, OTHER).won
    release(journal, "a")
    assert send(open_at(url), A, OTHER).won


class NeverFree(ObjectFolder):
    """A folder whose store never creates the name of a deleted object again."""

    deleted: ClassVar[set[str]] = set()

    def _put(self, path: str, body: Any) -> bool:
        return path not in self.deleted and super()._put(path, body)

    def delete(self, paths: Sequence[str]) -> None:
        super().delete(paths)
        self.deleted.update(paths)


def test_a_store_that_never_frees_a_name_takes_any_number_of_attempts(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rejected attempt costs one name. The limit is for one claim."""
    monkeypatch.setattr(objects, "ObjectFolder", NeverFree)
    monkeypatch.setattr(objects, "MAX_SKIPPED_NUMBERS", 2)
    journal = open_at(location)
    version = journal.lookup([A], create=True).versions[A.record_key]
    for _ in range(5):
        assert journal.claim(A, ME, version).result().won
        journal.record_rejected(A, ME).result()
    NeverFree.deleted |= {entry_of(A, number).path for number in range(6, 9)}
    with pytest.raises(JournalError, match="refuses to create"):
        journal.claim(A, ME, version).result()


# -- claims that race -----------------------------------------------------------------------------


def test_a_claim_after_a_rejection_shows_the_next_number(location: str) -> None:
    """Another operation has sent the start again in the meantime, by an older view."""
    journal, theirs = open_at(location), open_at(location)
    version = journal.lookup([A], create=True).versions[A.record_key]
    assert journal.claim(A, ME, version).result().won
    seen = theirs.lookup([A], create=True).versions[A.record_key]
    journal.record_rejected(A, ME).result()
    assert theirs.claim(A, OTHER, seen).result().won
    assert not journal.claim(A, ME, version).result().won
    assert [*look(open_at(location), A).values()] == [None]


def test_a_claim_on_an_older_send_shows_that_it_was_sent_anew(location: str) -> None:
    """The number of a rejected claim is free again, so the claim itself is compared."""
    journal, theirs = open_at(location), open_at(location)
    version = journal.lookup([A], create=True).versions[A.record_key]
    assert journal.claim(A, ME, version).result().won
    seen = theirs.lookup([A], create=True).versions[A.record_key]
    journal.record_rejected(A, ME).result()
    assert journal.claim(A, ME, version).result().won
    assert not theirs.claim(A, OTHER, seen).result().won


def test_a_claim_on_an_older_send_shows_its_answer(location: str) -> None:
    journal, theirs = open_at(location), open_at(location)
    send(journal, A)
    seen = theirs.lookup([A], create=True).versions[A.record_key]
    journal.record_accepted(A, run_of("a")).result()
    lost = theirs.claim(A, OTHER, seen).result()
    assert (lost.won, lost.record.run) == (False, run_of("a"))
    assert look(open_at(location), A) == {A.record_key: "lb:a"}


def test_a_start_in_flight_is_sent_only_after_its_rejection(location: str) -> None:
    """Also if a state has had an earlier run of the same start."""
    journal, theirs = open_at(location), open_at(location)
    accept(journal, A, "earlier")
    release(journal, "earlier")
    assert send(journal, A).won
    version = theirs.lookup([A], create=True).versions[A.record_key].without_claim()
    lost = theirs.claim(A, OTHER, version).result()
    assert (lost.won, lost.record.run) == (False, None)
    journal.record_rejected(A, ME).result()
    assert theirs.claim(A, OTHER, version).result().won


def test_two_runs_of_one_start_do_not_hide_each_other(location: str) -> None:
    """The first sender's answer came after the start was sent again."""
    first, second = open_at(location), open_at(location)
    send(first, A)
    send(second, A, OTHER)
    first.record_accepted(A, run_of("first")).result()
    second.record_accepted(A, run_of("second")).result()
    later = open_at(location)
    assert look(later, A) == {A.record_key: "lb:second"}
    release(later, "second")
    assert look(open_at(location), A) == {A.record_key: "lb:first"}


# -- stores that behave otherwise -----------------------------------------------------------------


class Behaviour(BaseHTTPRequestHandler):
    """One request to the server, with what `Proxy` changes."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status = self.server.before(self)
        if status:
            self._reply(status[0], status[1].encode())
            return
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in self.server.without
        }
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "date"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT  # noqa: N815 - names of the base class

    def _reply(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Proxy(ThreadingHTTPServer):
    """A server before the server, which changes what is asked or answered."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Behaviour)
        self.behind = behind
        self.without: set[str] = set()
        """Headers that the store ignores."""
        self.before: Callable[[BaseHTTPRequestHandler], tuple[int, str] | None] = lambda _: None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    with Proxy(s3.port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def unsigned(s3: S3Server, credentials: None) -> str:
    """A bucket that all may use: a proxy cannot sign what it has changed."""
    name = s3.bucket()
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
            }
        ]
    }
    s3.client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


def url_of(proxy: Proxy, bucket: str) -> str:
    query = {"endpoint": proxy.endpoint, "use_path_style": "true", "anonymous": "true"}
    return f"s3://{bucket}/x?{urlencode(query)}"


def test_a_store_that_ignores_the_condition_still_keeps_records(
    proxy: Proxy, unsigned: str
) -> None:
    """One warning; a second update is excluded by the stack's lock only."""
    proxy.without = {"if-none-match"}
    journal = open_at(url_of(proxy, unsigned))
    accept(journal, A, "a")
    send(journal, B)
    [warning] = journal.warnings
    assert "ignores conditional requests" in warning
    later = open_at(url_of(proxy, unsigned))
    assert look(later, A, B) == {A.record_key: "lb:a", B.record_key: None}
    assert not send(later, A, OTHER).won


def test_a_store_without_the_condition_still_keeps_records(proxy: Proxy, unsigned: str) -> None:
    """Some answer that they do not implement the header."""

    def refuse(request: BaseHTTPRequestHandler) -> tuple[int, str] | None:
        code = "<Error><Code>NotImplemented</Code></Error>"
        return (501, code) if request.headers.get("if-none-match") else None

    proxy.before = refuse
    journal = open_at(url_of(proxy, unsigned))
    accept(journal, A, "a")
    assert "ignores conditional requests" in journal.warnings[0]
    assert look(open_at(url_of(proxy, unsigned)), A) == {A.record_key: "lb:a"}


def test_a_conflict_of_two_requests_is_repeated(proxy: Proxy, unsigned: str) -> None:
    """AWS may refuse both with 409; the claim goes on until one of them has it."""
    refused: list[str] = []

    def refuse(request: BaseHTTPRequestHandler) -> tuple[int, str] | None:
        if request.command == "PUT" and request.path.endswith(".s1") and len(refused) < 2:
            refused.append(request.path)
            return 409, "<Error><Code>ConditionalRequestConflict</Code></Error>"
        return None

    proxy.before = refuse
    journal = open_at(url_of(proxy, unsigned))
    assert send(journal, A).won
    assert len(refused) == 2


def test_a_claim_whose_answer_is_lost_is_the_own_one(proxy: Proxy, unsigned: str) -> None:
    """The store has made the object, and the client repeats the request."""
    url = url_of(proxy, unsigned)
    journal = open_at(url)
    version = journal.lookup([A], create=True).versions[A.record_key]
    lost: list[str] = []

    def lose(request: BaseHTTPRequestHandler) -> tuple[int, str] | None:
        if request.command == "PUT" and request.path.endswith(".s1") and not lost:
            lost.append(request.path)
            ObjectFolder(url, journal._objects._path).create(
                entry_of(A, 1).path,
                {**body_of(A, journal.now().isoformat()), "owner": ME, "claim": "x"},
            )
            return 503, ""
        return None

    proxy.before = lose
    assert journal.claim(A, ME, version).result().won
    assert lost


def test_a_store_that_fails_is_named_with_the_cause(proxy: Proxy, unsigned: str) -> None:
    """After three tries; without the library's text, which may have a signed URL."""
    proxy.before = lambda _: (503, "<Error><Code>SlowDown</Code></Error>")
    with pytest.raises(JournalError) as raised:
        open_at(url_of(proxy, unsigned)).lookup([A])
    assert "the store is not usable (HTTP 503 SlowDown)" in str(raised.value)
    assert "endpoint=" not in str(raised.value)


def test_a_store_that_is_unreachable_is_named_with_its_host(credentials: None) -> None:
    """A retry helps, and the journal may be read only: the text denies neither."""
    with pytest.raises(JournalError) as raised:
        open_at("s3://b?endpoint=http://127.0.0.1:9&region=x&disable_https=true").lookup([A])
    first, run, *hints = str(raised.value).split("\n")
    assert first.startswith("the journal s3://b cannot be read or written: the store is not usable")
    assert first.endswith(" (no connection: 127.0.0.1:9)")
    assert run == "No run was started."
    assert all(hint.startswith("hint: ") for hint in hints)


def test_a_bucket_that_does_not_exist_is_said(s3: S3Server, credentials: None) -> None:
    for create in (False, True):
        journal = open_at(s3.url("nobody-has-made-this-bucket"))
        with pytest.raises(JournalError, match="the bucket does not exist"):
            journal.lookup([A], create=create)


def test_wrong_credentials_are_named(
    s3: S3Server, location: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not help a key that is wrong."""
    for name, code in (
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"),
    ):
        monkeypatch.setenv(name, "wrong")
        with pytest.raises(JournalError) as raised:
            open_at(location).lookup([A])
        text = str(raised.value)
        assert f"the store gets no usable credentials (HTTP 403 {code})" in text
        assert "hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN" in text


def test_the_credentials_of_google_that_work_are_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """obstore reads no external account."""
    (tmp_path / "key.json").write_text('{"type": "external_account"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(JournalError, match="the store gets no usable credentials") as raised:
        open_at("gs://b").lookup([A])
    assert "hint: set GOOGLE_CREDENTIALS to the key of a service account" in str(raised.value)


def test_a_machine_whose_clock_is_off_uses_the_time_of_the_store(location: str) -> None:
    right = open_at(location)
    right.lookup([], create=True)
    assert right._clock._offset == timedelta(), "a clock in order is more exact than whole seconds"
    for off in (timedelta(hours=5), timedelta(hours=-5)):
        wrong = open_at(location, clock=Off(off))
        wrong.lookup([], create=True)
        assert abs(wrong.now() - right.now()) < timedelta(seconds=5)


# -- names and URLs -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["dev", "a.b", "..", "ü/%=~ *", "lb:1", "-", "A_b-9"])
def test_names_are_quoted_safely(text: str) -> None:
    claim = Entry(f"{quoted(text)}/{quoted('p')}", "0" * 32, "k" * 32, 12)
    run = replace(claim, run_id=f"{text}x", request="-")
    assert [parse_entry(entry.path) for entry in (claim, run)] == [claim, run]
    assert set(quoted(text)) <= {
        *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-"
    }


def test_other_objects_are_no_entries() -> None:
    for path in ("probe/abc", "p/s/marks/met.x.y", "p/s/r/k.s", "p/s/r/k.s1.x", "p/s/r/k.r1.x"):
        assert parse_entry(path) is None
        assert parse_mark(path) is None


S3_OPTIONS: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "s3://bkt": ({}, {}),
    "s3://bkt/p?region=cn-north-1&awssdk=v2&rate_limiter_capacity=9": (
        {},
        {"region": "cn-north-1"},
    ),
    # TOS: virtual-host style
    "s3://bkt?region=cn-beijing&endpoint=https://tos-s3-cn-beijing.volces.com": (
        {},
        {
            "endpoint": "https://bkt.tos-s3-cn-beijing.volces.com",
            "virtual_hosted_style_request": True,
        },
    ),
    "s3://bkt?endpoint=minio.local:9000&disableSSL=true&s3ForcePathStyle=true": (
        {},
        {"endpoint": "http://minio.local:9000", "virtual_hosted_style_request": False},
    ),
    "s3://bkt?endpoint=http://127.0.0.1:9000": (
        {},
        {"endpoint": "http://127.0.0.1:9000", "virtual_hosted_style_request": False},
    ),
    "s3://b.c?endpoint=https://r2.example": ({}, {"endpoint": "https://r2.example"}),
    "s3://bkt?hostname_immutable=true": (
        {"AWS_ENDPOINT_URL_S3": "https://store.example"},
        {"endpoint": "https://store.example", "virtual_hosted_style_request": False},
    ),
    "s3://bkt?dualstack=true&fips=true&region=us-east-1": (
        {},
        {"endpoint": "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com"},
    ),
    "s3://bkt?accelerate=true": ({}, {"endpoint": "https://bkt.s3-accelerate.amazonaws.com"}),
    "s3://bkt?ssetype=aws:kms&kmskeyid=key": (
        {},
        {"server_side_encryption": "aws:kms", "sse_kms_key_id": "key"},
    ),
    "s3://bkt?anonymous=1": ({}, {"skip_signature": True}),
}


def test_a_bucket_may_be_a_host_of_its_own(
    s3: S3Server, bucket: str, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TOS has only this style (journal-facts 1)."""
    monkeypatch.setenv("HTTP_PROXY", s3.endpoint)
    path = uuid4().hex
    url = f"s3://{bucket}/{path}?region=us-east-1&endpoint=http://{VIRTUAL_DOMAIN}"
    journal = open_at(url)
    accept(journal, A, "a")
    assert look(open_at(url), A) == {A.record_key: "lb:a"}
    assert not send(open_at(url), A, OTHER).won
    assert journal.warnings == ()
    release(journal, "a")
    assert [name for name in s3.paths(bucket) if name.startswith(path)]


@pytest.mark.parametrize("url", S3_OPTIONS)
def test_the_parameters_of_the_backend_mean_the_same(url: str) -> None:
    environ, expected = S3_OPTIONS[url]
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    store: Any = open_store(parse_location(url), "folder", {**keys, **environ})
    assert {name: store.config.get(name) for name in expected} == {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in expected.items()
    }


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://b?regoin=x&foo=1", "unknown parameters: `foo`, `regoin`"),
        ("s3://b?use_path_style=maybe", "`use_path_style` is neither `true` nor `false`"),
        ("s3:///path", "names no bucket"),
        ("gs://b?region=x", "unknown parameters: `region`"),
        (
            "gs://b?region=x",
            "its parameters are access_id, anonymous, private_key_path, universe_domain",
        ),
        ("azblob://b", "names no storage account"),
        ("azblob://b?storage_account=a&sas=x", "unknown parameters: `sas`"),
    ],
)
def test_a_url_that_is_wrong_says_so(url: str, told: str) -> None:
    with pytest.raises(JournalError) as raised:
        open_at(url).lookup([A])
    assert told in str(raised.value)
    assert "hint: " in str(raised.value)


GOOGLE_OPTIONS: dict[str, tuple[dict[str, str], dict[str, object], str | None]] = {
    "gs://bkt": ({}, {}, None),
    "gs://bkt?access_id=me&private_key_path=/key.pem&universe_domain=googleapis.com": (
        {"GOOGLE_OAUTH_ACCESS_TOKEN": "t"},
        {},
        "t",
    ),
    "gs://bkt?anonymous=true": ({"GOOGLE_OAUTH_ACCESS_TOKEN": "t"}, {"skip_signature": "true"}, ""),
    "gs://bkt?access_id=-": ({}, {"skip_signature": "true"}, ""),
    "gs://bkt/p": (
        {"STORAGE_EMULATOR_HOST": "127.0.0.1:9", "GOOGLE_CREDENTIALS": "{}"},
        {"base_url": "http://127.0.0.1:9", "skip_signature": "true"},
        "",
    ),
}
"""The URL -> the environment, the library's options, and the token."""


@pytest.mark.parametrize("url", GOOGLE_OPTIONS)
def test_google_is_reached_as_the_engine_does(url: str) -> None:
    environ, options, token = GOOGLE_OPTIONS[url]
    store: Any = open_store(parse_location(url), "x", environ)
    assert store.config == {"bucket": "bkt", **options}
    provider = store.credential_provider
    assert (provider()["token"] if provider else None) == token


AZURE_ENDPOINTS: dict[str, tuple[dict[str, str], str]] = {
    "azblob://c?storage_account=a": ({}, "https://a.blob.core.windows.net"),
    "azblob://c?storage_account=a&protocol=http": ({}, "http://a.blob.core.windows.net"),
    "azblob://c?domain=blob.core.chinacloudapi.cn": (
        {"AZURE_STORAGE_ACCOUNT": "a"},
        "https://a.blob.core.chinacloudapi.cn",
    ),
    "azblob://c?storage_account=a&domain=cdn.example.com&cdn=1": ({}, "https://cdn.example.com"),
    "azblob://c?storage_account=a&domain=azurite:10000&protocol=http&localemu=T": (
        {},
        "http://azurite:10000/a",
    ),
    "azblob://c?storage_account=a&domain=localhost:10000&protocol=http": (
        {},
        "http://localhost:10000/a",
    ),
    "azblob://c?": (
        {
            "AZURE_STORAGE_ACCOUNT": "a",
            "AZURE_STORAGE_DOMAIN": "azurite:10000",
            "AZURE_STORAGE_PROTOCOL": "http",
            "AZURE_STORAGE_IS_LOCAL_EMULATOR": "1",
        },
        "http://azurite:10000/a",
    ),
    "azblob://c": (
        {
            "AZURE_STORAGEBLOB_CONNECTIONSTRING": "DefaultEndpointsProtocol=https;AccountName=a;"
            "AccountKey=a2V5;EndpointSuffix=core.usgovcloudapi.net"
        },
        "https://a.blob.core.usgovcloudapi.net",
    ),
}


@pytest.mark.parametrize("url", AZURE_ENDPOINTS)
def test_azure_is_reached_as_the_engine_does(url: str) -> None:
    environ, endpoint = AZURE_ENDPOINTS[url]
    key = {} if "AZURE_STORAGEBLOB_CONNECTIONSTRING" in environ else {"AZURE_STORAGE_KEY": "a2V5"}
    store: Any = open_store(parse_location(url), "x", {**key, **environ})
    assert store.config == {
        "account_name": "a",
        "account_key": "a2V5",
        "container_name": "c",
        "endpoint": endpoint,
    }


def test_a_key_of_azure_that_is_no_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "hidden=")
    with pytest.raises(JournalError, match="gets no usable credentials") as raised:
        open_at("azblob://c?storage_account=a").lookup([A])
    assert "hidden" not in str(raised.value)
    assert "hint: set AZURE_STORAGE_KEY" in str(raised.value)


def test_the_login_of_azure_is_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine's backend does; a key and an identity come first."""
    (tmp_path / "az").write_text("")
    (tmp_path / "az").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    url, login = parse_location("azblob://c?storage_account=a"), {"AZURE_CONFIG_DIR": str(tmp_path)}

    def uses_login(**environ: str) -> bool:
        store: Any = open_store(url, "x", {**login, **environ})
        return "use_azure_cli" in {str(key) for key in store.config}

    assert not uses_login()
    (tmp_path / "azureProfile.json").write_text('{"subscriptions": []}', encoding="utf-8-sig")
    assert not uses_login()
    (tmp_path / "azureProfile.json").write_text('{"subscriptions": [{}]}', encoding="utf-8-sig")
    assert uses_login()
    assert not uses_login(AZURE_STORAGE_KEY="a2V5")
    assert not uses_login(AZURE_CLIENT_ID="id")


def test_a_broken_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore.exceptions", None)
    with pytest.raises(JournalError, match="the package obstore cannot be loaded") as raised:
        open_at("s3://b").lookup([A])
    assert "hint: install it again: `pip install" in str(raised.value)


def test_a_profile_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """obstore reads no files of the AWS CLI."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    for url, environ in (("s3://b?profile=p", {}), ("s3://b", {"AWS_PROFILE": "p"})):
        with pytest.raises(StoreUrlError, match="which need boto3") as raised:
            open_store(parse_location(url), "x", environ)
        assert "pulumi-vod-workflow[aws]" in raised.value.remedy


def test_a_profile_has_the_credentials(
    s3: S3Server, bucket: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = s3.environ().values()
    (tmp_path / "credentials").write_text(
        f"[ci]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    for name in s3.environ():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    url = f"{s3.url(bucket, f'/{uuid4().hex}')}&profile=ci"
    accept(open_at(url), C, "c")
    assert look(open_at(url), C) == {C.record_key: "lb:c"}
