"""The event loop of the process, with one client for each endpoint and key."""

# The SDK's provider host calls from many threads (pulumi-facts B.1). One loop gives all of them one
# connection pool and one rate limiter.

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

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from pulumi_vod_workflow.config.credentials import EMULATOR_CREDENTIALS
from pulumi_vod_workflow.config.endpoint import EMULATOR, ServiceEndpoint
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.transport.client import VodClient

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME: Final = "vod"
"""The name of the loop's thread."""
LOGGERS_WITH_REQUEST_DATA: Final = (
    "asyncio",
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)
"""The loggers that log URLs, headers and errors of tasks."""

_process_resources = ExitStack()  # until the process ends
_lock = threading.Lock()
_clients: dict[tuple[ServiceEndpoint, Credentials, float, Path], VodClient] = {}


@dataclass(frozen=True, slots=True)
class BlockingClient:
    """A client for threads that wait for its calls."""

    client: VodClient

    def run(self, function: Callable[P, Awaitable[T]], *args: P.args, **settings: P.kwargs) -> T:
        """Run an asynchronous function in the event loop, and return its result."""
        return run_in_loop(function, *args, **settings)


def client_for(
    settings: Settings, endpoint: ServiceEndpoint | None = None, *, log: Callable[[str], None]
) -> BlockingClient:
    """
    Return the client of an endpoint.

    Args:
        settings: the settings: credentials, rate, and the emulator's file.
        endpoint: the endpoint of a recorded run, by default the configured one.
        log: receives a line while calls fail for some time.

    Raises:
        ConfigurationError: without credentials for the endpoint, and for an unusable file of the
            emulator.

    """
    endpoint = endpoint or settings.site
    credentials = _credentials(settings, endpoint)
    emulated = endpoint.endpoint == EMULATOR
    key = (endpoint, credentials, settings.requests_per_second, settings.emulator_store)
    with _lock:
        if key not in _clients:
            _clients[key] = VodClient(
                "http://localhost" if emulated else endpoint.endpoint,
                endpoint.region,
                credentials,
                requests_per_second=settings.requests_per_second,
                transport=_emulator_transport(settings.emulator_store, credentials)
                if emulated
                else None,
                log=log,
                setting_name=endpoint.setting_name,
            )
        return BlockingClient(_clients[key])


def run_in_loop(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an asynchronous function in the event loop, and return its result."""
    with _lock:
        portal = _portal()
    return portal.call(partial(function, *args, **kwargs))


def _credentials(settings: Settings, endpoint: ServiceEndpoint) -> Credentials:
    """Return the credentials of an endpoint; the emulator's never go to the service."""
    if endpoint.endpoint == EMULATOR and settings.site.endpoint != EMULATOR:
        return EMULATOR_CREDENTIALS
    credentials = settings.require_credentials()
    if (
        endpoint.endpoint != EMULATOR
        and credentials == EMULATOR_CREDENTIALS
        and not endpoint.is_local
    ):
        or_unset = (
            ", or unset `vod:endpoint`" if settings.site.setting_name == "vod:endpoint" else ""
        )
        raise ConfigurationError(
            f"This run is at {endpoint.endpoint}, but the only credentials are the emulator's. "
            f"No run was started.\nhint: set `vod:accessKey` and `vod:secretKey`{or_unset}"
        )
    return credentials


@cache
def _portal() -> BlockingPortal:
    """Start the event loop in a daemon thread, and return its portal; call it under the lock."""
    for name in LOGGERS_WITH_REQUEST_DATA:
        logging.getLogger(name).addFilter(_drop_request_logs)
    portal = _process_resources.enter_context(start_blocking_portal(name=THREAD_NAME))
    atexit.register(_stop, portal)
    return portal


def _drop_request_logs(_: logging.LogRecord) -> bool:
    """Return false for records of this package's requests, in logs that the program turned on."""
    # Promise 3: a URL has the declared inputs, and a header or an error may have a secret.
    return threading.current_thread().name != THREAD_NAME


def _stop(portal: BlockingPortal) -> None:
    """Cancel the running calls at the end of the process."""
    portal.start_task_soon(portal.stop, True)  # noqa: FBT003 - anyio's signature
    _process_resources.close()


@cache
def _emulator_transport(store: Path, credentials: Credentials) -> httpx.AsyncBaseTransport:
    """Return a transport to the embedded emulator, which accepts the stack's keys."""
    from pulumi_vod_workflow.emulator import (  # noqa: PLC0415 - only with the setting
        EmulatorSettings,
        create_app,
    )

    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        store.touch(mode=0o600)  # the file has the declared inputs, secrets included
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
            f"The embedded emulator cannot use {store}: {error}. No run was started.\n"
            "hint: set `vod:emulatorStore` to another file"
        ) from None
    return httpx.ASGITransport(app=app)
