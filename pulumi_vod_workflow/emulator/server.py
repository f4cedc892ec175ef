"""The emulator on a socket, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.emulator import control_api
from pulumi_vod_workflow.emulator.app import create_app
from pulumi_vod_workflow.emulator.callbacks import CallbackDispatcher
from pulumi_vod_workflow.emulator.settings import EmulatorSettings


def uvicorn_config(app: Any, **options: Any) -> uvicorn.Config:
    """
    Return uvicorn's settings.

    uvicorn logs nothing, because the application logs its own errors. It sends no Date header,
    because the emulator's Date follows its own clock. At the end, open requests have one second.
    """
    return uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=1,
        date_header=False,
        server_header=False,
        proxy_headers=False,  # the controls need the address of the connection
        lifespan="off",
        h11_max_incomplete_event_size=1 << 18,  # the application rejects a long query itself
        **options,
    )


class _ServerInThread(uvicorn.Server):
    """A server in a thread: signals belong to the process."""

    def install_signal_handlers(self) -> None:
        """Install no handlers."""


class VodEmulator:
    """
    A running emulator: `with VodEmulator() as emulator: ... emulator.url`.

    Args:
        settings: the settings; default: those of `EmulatorSettings`.

    """

    def __init__(self, settings: EmulatorSettings | None = None) -> None:
        self._settings = settings or EmulatorSettings()
        app = create_app(self._settings)
        self.service = app.service
        self._socket: socket.socket | None = None
        self._server = _ServerInThread(uvicorn_config(app))
        self._dispatcher = CallbackDispatcher(self.service)
        self._thread = threading.Thread(target=self._serve, daemon=True, name="vod-emulator")

    def _serve(self) -> None:
        assert self._socket is not None  # noqa: S101 - `start` has set it
        self._server.run(sockets=[self._socket])

    @property
    def url(self) -> str:
        """
        The endpoint for clients.

        Raises:
            RuntimeError: the emulator is not running.

        """
        if self._socket is None:
            raise RuntimeError("the emulator is not running: use it in a with statement")
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def config(self) -> dict[str, str]:
        """
        The configuration of a stack with this emulator: `vod:endpoint` and the keys.

        Raises:
            RuntimeError: the emulator is not running.

        """
        settings = self._settings
        found = {
            "vod:endpoint": self.url,
            "vod:accessKey": settings.access_key,
            "vod:secretKey": settings.secret_key,
            "vod:sessionToken": settings.session_token,
            "vod:region": settings.region,
        }
        return {key: value for key, value in found.items() if value is not None}

    def start(self) -> Self:
        """
        Start the server, and return after it accepts requests.

        Raises:
            RuntimeError: the server does not start within 10 seconds.

        """
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline:
                raise RuntimeError("the emulator did not start within 10 s")
            time.sleep(0.005)
        self._dispatcher.start()
        return self

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    def stop(self) -> None:
        """Stop the server, and close open connections."""
        if self._socket is not None:
            self._dispatcher.stop()
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(timeout=10)
            self._socket.close()
        self.service.store.close()

    def ledger(self) -> list[dict[str, Any]]:
        """Return every start that would have been billed, oldest first."""
        return self.service.store.ledger()

    def requests(self) -> dict[str, int]:
        """Return the number of requests of each action, rejected ones included."""
        return dict(self.service.counts)

    def events(self) -> list[dict[str, Any]]:
        """Return the WorkflowComplete events and their states, oldest first."""
        return self.service.store.deliveries()

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock forward."""
        control_api.move_clock(self.service, {"advanceSeconds": seconds})

    def clock(self, **parts: Any) -> None:
        """Move or change the clock: see `control_api.Clock`."""
        control_api.move_clock(self.service, {to_camel(key): item for key, item in parts.items()})

    def settings(self, **parts: Any) -> None:
        """Change settings: see `settings.Behaviour`."""
        control_api.change_settings(
            self.service, {to_camel(key): item for key, item in parts.items()}
        )

    def fault(self, **parts: Any) -> None:
        """Add a fault: see `faults.Fault`."""
        control_api.add_fault(self.service, parts)

    def outcome(self, status: str, times: int = 1, match: str = "") -> None:
        """Set the last status of the next starts with `match` in the name of their source."""
        parts = {"status": status, "times": times, "match": match}
        control_api.add_outcome(self.service, parts)

    def reset(self) -> None:
        """Delete all runs, faults, outcomes and changed settings, and reset the clock."""
        self.service.reset()
