"""The suite of all stores for a journal in an object store, whose server a subclass chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.journal.objects import ObjectJournal
from pulumi_vod_workflow.journal.store import ClaimResult, Journal
from tests.journal.conformance import BACKEND, JournalConformance
from tests.scale import scaled


def open_at(location: str, backend: str = BACKEND, clock: Clock | None = None) -> ObjectJournal:
    return ObjectJournal(location, backend, clock)


class ObjectConformance(JournalConformance):
    """The suite. A subclass provides the fixtures `location`, `unreachable` and `denied`."""

    opener = "tests.journal.object_conformance:open_at"
    knows_living_owners = False
    has_a_clock = True
    # Each record is a request; `test_thousands_of_entries` has more.
    many: ClassVar[int] = scaled(300, 1000)

    def call_during_lost_claim(
        self, journal: Journal, patch: pytest.MonkeyPatch, call: Callable[[], object]
    ) -> None:
        assert isinstance(journal, ObjectJournal)
        read = journal._lost

        def called(*args: Any) -> ClaimResult:
            call()
            return read(*args)

        patch.setattr(journal, "_lost", called)
