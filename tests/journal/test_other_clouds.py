"""
The journal in the object stores of Google and Azure, on servers that imitate them.

`make test` runs a part of the suite on each server, and `make torture` the whole suite.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import ClassVar
from uuid import uuid4

import pytest

from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.object_store import ObjectFolder
from tests.journal.conformance import A, B, accept, look, send
from tests.journal.object_conformance import ObjectConformance, open_at
from tests.servers.azure import AzureServer, azure
from tests.servers.gcs import GcsServer, gcs

__all__ = ["azure", "gcs"]

Server = GcsServer | AzureServer
UseEnviron = Callable[[Mapping[str, str]], None]
SERVERS = ("gcs", "azure")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> UseEnviron:
    """Replace the variables of both services."""

    def use(environ: Mapping[str, str]) -> None:
        own = ("AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST")
        for name in [name for name in os.environ if name.startswith(own)]:
            monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    return use


@pytest.fixture
def server(request: pytest.FixtureRequest, use: UseEnviron) -> Server:
    """A server with the credentials for it; the class or the test chooses one of `SERVERS`."""
    server: Server = request.getfixturevalue(request.param)
    use(server.environ())
    return server


class CloudConformance(ObjectConformance):
    """The suite of all stores on one of the servers."""

    part: ClassVar = {
        "test_a_send_is_there_before_and_its_run_after",
        "test_a_rejected_start_leaves_nothing",
        "test_a_stack_is_listed",
        "test_of_two_who_have_looked_one_claims",
        "test_a_late_claim_after_a_release_is_lost",
        "test_a_store_that_denies_writes_can_be_read",
    }

    @pytest.fixture
    def location(self, server: Server) -> str:
        return server.url(server.bucket(), f"/{uuid4().hex}")

    @pytest.fixture
    def denied(self, location: str, server: Server, use: UseEnviron) -> str:
        use(server.environ(reader=True))
        return location


@pytest.mark.torture
@pytest.mark.parametrize("server", ["gcs"], indirect=True)
class TestGoogle(CloudConformance):
    """Google Cloud Storage."""

    @pytest.fixture
    def unreachable(self, server: Server, use: UseEnviron) -> str:
        use({"STORAGE_EMULATOR_HOST": "127.0.0.1:1"})
        return "gs://bucket"


@pytest.mark.torture
@pytest.mark.parametrize("server", ["azure"], indirect=True)
class TestAzure(CloudConformance):
    """Azure's blob storage."""

    @pytest.fixture
    def unreachable(self, server: Server, use: UseEnviron) -> str:
        use({"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_KEY": "a2V5"})
        return "azblob://bucket?domain=127.0.0.1:1&protocol=http"


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_the_store_honours_the_condition(server: Server) -> None:
    """So a healthy store has no warning, and a claim excludes a second one."""
    url = server.url(server.bucket())
    journal = open_at(url)
    journal.lookup([A], create=True)
    assert journal.warnings == ()
    folder = ObjectFolder(url, "records")
    assert folder.create("a", 1) == 1
    assert folder.create("a", 2) == 1
    assert folder.create_first("b")


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_an_object_that_is_gone_does_not_keep_the_others(server: Server) -> None:
    """Another process may have deleted a record before; the stores report that."""
    bucket = server.bucket()
    folder = ObjectFolder(server.url(bucket), "records")
    names = [f"{number}" for number in range(5)]
    for name in names[1:]:
        folder.create(name, 1)
    folder.delete(names)
    folder.delete(names)
    assert server.paths(bucket) == []


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_a_name_may_have_any_character(server: Server) -> None:
    folder = ObjectFolder(server.url(server.bucket()), "records")
    name = "a b/%2F+&=é.r1.lb:x"
    folder.create(name, 1)
    assert folder.read(name) == 1
    assert folder.list("a b") == [name]
    folder.delete([name])
    assert folder.list("") == []


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_a_missing_bucket_is_named(server: Server) -> None:
    journal = open_at(server.url("missing"))
    uses: tuple[Callable[[], object], ...] = (
        lambda: journal.lookup([A], create=True),
        lambda: journal._objects.read("none"),
    )
    for each in uses:
        with pytest.raises(JournalError, match="the bucket does not exist"):
            each()


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_a_preview_without_the_right_to_write_only_warns(server: Server, use: UseEnviron) -> None:
    url = server.url(server.bucket())
    accept(open_at(url), A, "a")
    use(server.environ(reader=True))
    journal = open_at(url)
    assert look(journal, A) == {A.record_key: "lb:a"}
    journal.lookup([A], create=True)
    [warning] = journal.warnings
    assert "is read-only for these credentials" in warning
    with pytest.raises(JournalError, match="to list, get, put and delete"):
        send(journal, B)


def test_the_connection_string_of_azure_has_all(azure: AzureServer, use: UseEnviron) -> None:
    """The engine reads it, too: without other credentials it also names the service."""
    account, key = azure.environ().values()
    endpoint = f"http://{azure.domain}/{account}"
    parts = {"AccountName": account, "AccountKey": key, "BlobEndpoint": endpoint}
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    use({"AZURE_STORAGE_CONNECTION_STRING": text})
    url = f"azblob://{azure.bucket()}"
    accept(open_at(url), A, "a")
    assert look(open_at(url), A) == {A.record_key: "lb:a"}
