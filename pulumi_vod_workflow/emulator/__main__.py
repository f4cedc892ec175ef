"""`python -m pulumi_vod_workflow.emulator`: the emulator on a port, until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence

import uvicorn

from pulumi_vod_workflow.emulator.app import create_app
from pulumi_vod_workflow.emulator.server import uvicorn_config
from pulumi_vod_workflow.emulator.service import EmulatorSettings

DEFAULTS = EmulatorSettings()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pulumi_vod_workflow.emulator",
        description="Emulate Volcengine VOD's workflow calls. Nothing is real and nothing is paid; "
        "GET /_emulator/ledger tells what would have been.",
        epilog="A source says by its name how it fares: emu-missing is not found, emu-fail-1001 "
        "(any 1xxx or 2xxx) fails so, emu-terminated is ended by a user, emu-unknown-status gets a "
        "status that no client knows.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = parser.add_argument
    option("--port", type=int, default=8765, help="0 takes a free one")
    option("--host", default="127.0.0.1", help="address to listen on")
    option("--store", help="SQLite file that keeps the runs; memory if not given")
    option("--access-key", default=DEFAULTS.access_key, help="the only key that is accepted")
    option("--secret-key", default=DEFAULTS.secret_key, help="its secret")
    option("--session-token", help="if given, every request must carry it")
    option(
        "--dedup",
        choices=["unfinished", "finished"],
        default=DEFAULTS.dedup,
        help="which earlier runs an identical start joins",
    )
    option(
        "--rate-limit", type=int, default=DEFAULTS.rate_limit, help="a second and action; 0 is none"
    )
    option("--region", help="the only region that signatures may be for; any if not given")
    option(
        "--strict-templates",
        action="store_true",
        help="know the built-in workflows only, not every id",
    )
    option("--pending-seconds", type=float, default=DEFAULTS.pending_seconds, help="PendingStart")
    option("--running-seconds", type=float, default=DEFAULTS.running_seconds, help="Running")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    options = vars(_parser().parse_args(arguments))
    host, port = options.pop("host"), options.pop("port")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {host}:{port}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        app = create_app(EmulatorSettings(**options))
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except sqlite3.Error as error:
        print(f"cannot use the store {options['store']}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    print(f"VOD emulator on http://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    server = uvicorn.Server(uvicorn_config(app))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # passed on by uvicorn when it has shut down
        server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
