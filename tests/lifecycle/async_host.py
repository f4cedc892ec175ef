"""
A second host of the lifecycle: one event loop for all operations, and no Pulumi.

`python -m tests.lifecycle.async_host URL FOLDER` runs the operations of two runs at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from pulumi_vod_workflow.config.endpoint import ServiceEndpoint
from pulumi_vod_workflow.config.settings import Settings, load_settings
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.lifecycle import run
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Lifecycle, Session
from pulumi_vod_workflow.transport.client import VodClient

P = ParamSpec("P")
T = TypeVar("T")

KEYS: Final = {"vod:accessKey": "AKLTEMULATOR", "vod:secretKey": "emulator-secret-key"}


class Lines:
    """A logger that keeps the lines of one resource."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.plans: list[str] = []
        self.lasting: list[bool] = []
        """Whether every form of a preview has the plan message."""

    def info(self, text: str) -> None:
        self.shown.append(text)

    def status(self, text: str) -> None:
        self.shown.append(text)

    def warning(self, text: str) -> None:
        self.shown.append(f"warning: {text}")

    def plan(self, text: str, *, lasting: bool) -> None:
        self.plans.append(text)
        self.lasting.append(lasting)


class AsyncService:
    """Calls of the service in the event loop of the operation, which other operations share."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = 0
        self.most_at_once = 0
        self._clients: dict[ServiceEndpoint, VodClient] = {}

    def client(self, settings: Settings, endpoint: ServiceEndpoint) -> VodClient:
        if endpoint not in self._clients:
            self._clients[endpoint] = VodClient(
                endpoint.endpoint, endpoint.region, settings.require_credentials()
            )
        return self._clients[endpoint]

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.calls.append(getattr(function, "__name__", ""))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            return await function(*args, **kwargs)
        finally:
            self.running -= 1

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


@asynccontextmanager
async def session_at(
    url: str, folder: Path, *, environ: Mapping[str, str] | None = None, **more: str
) -> AsyncIterator[tuple[Session, AsyncService]]:
    """Yield a session of an engine operation whose runs start at an emulator."""
    config = {"vod:endpoint": url, "vod:journal": str(folder / "journal"), **KEYS, **more}
    service = AsyncService()
    ignore: Callable[[str], None] = lambda _: None  # noqa: E731 - used twice
    settings = load_settings(config.get, environ or {}, folder, config)
    try:
        yield Session(lambda: settings, service, Announcements(ignore, ignore, ignore)), service
    finally:
        await service.aclose()


def host(**options: Any) -> Host:
    """Return a call of an engine that nobody cancels."""
    return Host(**{"urn": "urn", "logger": Lines(), "is_cancelled": lambda: False, **options})


def scope(name: str) -> dict[str, str]:
    return {"project": "p", "stack": "s", "name": name}


def plain(value: Any) -> Any:
    """Return a value as a state has it, without the marks of secrets."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


async def checked(
    lifecycle: Lifecycle, session: Session, olds: dict[str, Any], news: dict[str, Any]
) -> dict[str, Any]:
    """Return the checked inputs of a valid declaration."""
    result = await lifecycle.check(session, host(), olds, news)
    assert result.failures == ()
    inputs: dict[str, Any] = plain(result.inputs)
    return inputs


async def run_operations(url: str, folder: Path) -> dict[str, Any]:
    """Create, read, keep and delete two runs, both at once."""
    found: dict[str, Any] = {"runs": [], "phases": [], "changes": [], "lines": []}
    async with session_at(url, folder) as (session, service):

        async def one(name: str) -> None:
            news = {"vid": f"v-{name}", "templateId": "t1", "scope": scope(name)}
            inputs = await checked(run, session, {}, news)
            created = await run.create(session, host(), inputs)
            state = plain(created.state)
            read = await run.read(session, host(), created.id, state)
            state = plain(read.state)
            found["phases"].append(state["phase"])
            diff = await run.diff(
                session, host(), created.id, state, await checked(run, session, state, news)
            )
            found["changes"].append(diff.changes)
            context = host()
            # As of the real service: there the end of an unfinished run is not in the user's hand.
            await run.delete(session, context, created.id, {**state, "emulated": False})
            found["lines"] += context.logger.shown  # type: ignore[attr-defined]  # `Lines`
            found["runs"].append(created.id)

        await asyncio.gather(one("a"), one("b"))
        found["mostAtOnce"] = service.most_at_once
    return found


if __name__ == "__main__":
    results = asyncio.run(run_operations(sys.argv[1], Path(sys.argv[2])))
    json.dump({**results, "pulumi": "pulumi" in sys.modules}, sys.stdout)
