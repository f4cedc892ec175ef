"""
The process-wide part: one event loop, one client for each site and key.

The dynamic provider host calls from many threads; all of their requests meet in one loop, so that
one connection pool and one limiter serve them all.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pulumi_vod_workflow._httpx import httpx
from pulumi_vod_workflow.config.credentials import EMULATOR_CREDENTIALS
from pulumi_vod_workflow.config.endpoint import EMULATOR, ServiceEndpoint
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.transport.client import VodClient

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME: Final = "vod"
"""Name of the loop's thread."""
LOGGERS_WITH_REQUEST_DATA: Final = (
    "asyncio",
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)
"""Where requests and answers are told: as URLs, headers, and what became of asyncio's tasks."""

_open = ExitStack()  # for as long as the process lives
_lock = threading.Lock()
_clients: dict[tuple[ServiceEndpoint, Credentials, float, Path], VodClient] = {}


@dataclass(frozen=True, slots=True)
class BlockingClient:
    """The client's calls for a thread that waits for them."""

    client: VodClient
    portal: BlockingPortal

    def run(self, function: Callable[P, Awaitable[T]], *args: P.args, **settings: P.kwargs) -> T:
        """Return what an asynchronous function of clients returns."""
        return self.portal.call(partial(function, *args, **settings))


def client_for(
    settings: Settings, site: ServiceEndpoint | None = None, *, say: Callable[[str], None]
) -> BlockingClient:
    """
    Return the connection to `site`, by default the configured one.

    Args:
        settings: credentials, rate, and the emulator's file.
        site: where a run was started, if elsewhere.
        say: where a line goes when calls have been failing for a while.

    Raises:
        ConfigurationError: when there are no credentials for the site, or the emulator's file
            cannot be opened.

    """
    site = site or settings.site
    credentials = _credentials(settings, site)
    emulated = site.endpoint == EMULATOR
    key = (site, credentials, settings.requests_per_second, settings.emulator_store)
    with _lock:
        if key not in _clients:
            _clients[key] = VodClient(
                "http://localhost" if emulated else site.endpoint,
                site.region,
                credentials,
                requests_per_second=settings.requests_per_second,
                transport=_emulator(settings.emulator_store, credentials) if emulated else None,
                say=say,
                named_by=site.named_by,
            )
        return BlockingClient(_clients[key], _portal())


def _credentials(settings: Settings, site: ServiceEndpoint) -> Credentials:
    """Return the keys for a site: the emulator's own never leave for a real one."""
    if site.endpoint == EMULATOR and settings.site.endpoint != EMULATOR:
        return EMULATOR_CREDENTIALS
    credentials = settings.require_credentials()
    if site.endpoint != EMULATOR and credentials == EMULATOR_CREDENTIALS and not site.is_local:
        or_unset = ", or unset vod:endpoint" if settings.site.named_by == "vod:endpoint" else ""
        raise ConfigurationError(
            f"This run is at {site.endpoint}, but the only credentials are the emulator's own. "
            f"Set vod:accessKey and vod:secretKey{or_unset}. Nothing was sent."
        )
    return credentials


@cache
def _portal() -> BlockingPortal:
    """Start the loop, in a daemon thread that ends with the process; call it under the lock."""
    for name in LOGGERS_WITH_REQUEST_DATA:
        logging.getLogger(name).addFilter(_drop_request_logs)
    portal = _open.enter_context(start_blocking_portal(name=THREAD_NAME))
    atexit.register(_stop, portal)
    return portal


def _drop_request_logs(_: logging.LogRecord) -> bool:
    """
    Keep our requests out of logs that others have turned on.

    A URL holds what is declared, secret or not; so may a header, or an error that a task ends with.
    """
    return threading.current_thread().name != THREAD_NAME


def _stop(portal: BlockingPortal) -> None:
    """Cancel what still runs: at its end a process must not wait for an answer nobody reads."""
    portal.start_task_soon(portal.stop, True)  # noqa: FBT003 - anyio's signature
    _open.close()


@cache
def _emulator(store: Path, credentials: Credentials) -> httpx.AsyncBaseTransport:
    """Open the emulator on its file; it takes the keys that the stack gives."""
    from pulumi_vod_workflow.emulator import (  # noqa: PLC0415 - only those who name it load it
        EmulatorSettings,
        create_app,
    )

    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        store.touch(mode=0o600)  # it holds what was declared, secrets too, as the service would
        app = create_app(
            EmulatorSettings(
                store=store,
                access_key=credentials.access_key,
                secret_key=credentials.secret_key,
                session_token=credentials.session_token,
            )
        )
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(
            f"The embedded emulator cannot use {store}: {error}. Set vod:emulatorStore to "
            "another file. Nothing was started."
        ) from None
    return httpx.ASGITransport(app=app)
