"""What the tests of the client share: a clock that does not wait, a service made of a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
import httpx
import pytest

from pulumi_vod_workflow.core.recovery import StartIntent
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.transport.client import VodClient


class Moments:
    """A clock that is moved by sleeping, and by hand."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []
        self.oversleeps = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds + self.oversleeps
        await anyio.lowlevel.checkpoint()


def notes(count: int, journal: SqliteJournal) -> dict[str, StartRecorder]:
    """Return so many starts, each of its own source, by name."""
    starts = [{"vid": f"v{n}", "templateId": "t"} for n in range(count)]
    return {
        f"k{n}": StartRecorder(journal, StartIntent(start, f"token-{n}", f"r{n}", f"{n}"), "me")
        for n, start in enumerate(starts)
    }


@pytest.fixture
def moments() -> Moments:
    return Moments()


HIDDEN = Credentials("AK", "hidden-secret", "hidden-token")
Use = Callable[[VodClient], Awaitable[None]]
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def with_client(moments: Moments) -> Callable[..., None]:
    """Run something with a client whose network is `handler`, on the fake clock."""

    def run(
        handler: Handler, use: Use, credentials: Credentials = HIDDEN, **options: object
    ) -> None:
        async def go() -> None:
            settings: dict[str, object] = {"clock": moments, "requests_per_second": 5000, **options}
            client = VodClient(
                "https://vod.example.com",
                "cn-north-1",
                credentials,
                transport=httpx.MockTransport(handler),
                **settings,  # type: ignore[arg-type]  # as the test gives them
            )
            try:
                await use(client)
            finally:
                await client.aclose()

        anyio.run(go)

    return run
