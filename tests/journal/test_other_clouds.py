"""
The journal in the object stores of Google and Azure, on servers that imitate them.

`make test` runs a part of the suite on each server, and `make torture` the whole suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.object_store import ObjectFolder
from pulumi_vod_workflow.journal.objects import ObjectJournal
from pulumi_vod_workflow.journal.store import Journal
from tests.journal.conformance import (
    BACKEND,
    A,
    B,
    JournalConformance,
    call_during_lost_object_claim,
    look,
    send,
)
from tests.scale import scaled
from tests.servers.azure import AzureServer, azure
from tests.servers.gcs import READER_TOKEN, GcsServer, gcs

__all__ = ["azure", "gcs"]


def open_at(location: str, backend: str = BACKEND, clock: Clock | None = None) -> ObjectJournal:
    return ObjectJournal(location, backend, clock)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """Set the variables of a service, and no others."""

    def use(environ: Mapping[str, str]) -> None:
        for name in OWN_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    return use


OWN_VARIABLES = (
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "STORAGE_EMULATOR_HOST",
)
