"""`python -m pulumi_vod_workflow.emulator`: the emulator on a port, until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import signal
import socket
import sqlite3
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from pulumi_vod_workflow.emulator import control_api as control
from pulumi_vod_workflow.emulator.app import Emulator, access_log, create_app
from pulumi_vod_workflow.emulator.callbacks import CallbackDispatcher
from pulumi_vod_workflow.emulator.server import uvicorn_config
from pulumi_vod_workflow.emulator.settings import EmulatorSettings, parse_model

DEFAULTS = EmulatorSettings()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pulumi_vod_workflow.emulator",
        description="Emulate Volcengine VOD's workflow calls. Nothing is real and nothing is paid; "
        "GET /_emulator/ledger tells what would have been, and / shows it.",
        epilog="A source says by its name how it fares: emu-missing is not found, emu-fail-1001 "
        "(any 1xxx or 2xxx) fails so, emu-terminated is ended by a user, emu-unknown-status gets a "
        "status that no client knows. Everything else can be set by --config or --set: rules, "
        "templates, spaces, vids, subscriptions, clock, faults, as docs/emulator.md tells.",
        argument_default=argparse.SUPPRESS,
    )
    option = parser.add_argument
    option("--port", type=int, default=8765, help="0 takes a free one; default 8765")
    option("--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1")
    option("--config", type=Path, help="file of settings, JSON or TOML; options go before it")
    option("--store", help="SQLite file that keeps the runs; memory if not given")
    option("--access-key", help=f"the only key that is accepted; default {DEFAULTS.access_key}")
    option("--secret-key", help=f"its secret; default {DEFAULTS.secret_key}")
    option("--session-token", help="if given, every request must carry it")
    option("--region", help="the only region that signatures may be for; any if not given")
    option(
        "--dedup",
        choices=["unfinished", "finished"],
        help=f"which earlier runs an identical start joins; default {DEFAULTS.dedup}",
    )
    option(
        "--rate-limit",
        type=int,
        help=f"a second and action, 0 is none; default {DEFAULTS.rate_limit}",
    )
    option("--pending-seconds", type=float, help="of PendingStart; default 1")
    option("--running-seconds", type=float, help="of Running; default 4")
    option("--latency-seconds", type=float, help="before each answer; default 0")
    option("--seed", type=int, help="decides what is left to chance, and the run ids; default 0")
    option(
        "--strict-templates",
        dest="templates",
        action="store_const",
        const=(),
        help="know the built-in workflows only, not every id",
    )
    option(
        "--set",
        action="append",
        metavar="NAME=JSON",
        help="anything a file can hold: rules=[...], clock={...}, faults=[...], outcomes=[...]",
    )
    option("--access-log", action="store_true", help="a line of JSON for each request, on stderr")
    return parser


def _read_config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: must be an object")  # noqa: TRY004 - all are ValueErrors
    return document


def _parse_setting(pair: str) -> tuple[str, Any]:
    name, _, text = pair.partition("=")
    try:
        return name, json.loads(text)
    except ValueError:
        raise ValueError(f"--set {name}: must be NAME=JSON") from None


def _merge_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file says, then what --set says, then the options that were given."""
    names = EmulatorSettings.model_fields
    given = {names[name].alias or name: value for name, value in options.items() if name in names}
    return {
        **_read_config(options.get("config")),
        **dict(map(_parse_setting, options.get("set", ()))),
        **given,
    }


def _make_app(parts: dict[str, Any]) -> Emulator:
    """Make the application; `clock`, `faults`, `outcomes` are as the controls have them."""
    clock = parts.pop("clock", None)
    controls = {"faults": control.add_fault, "outcomes": control.decide_outcome}
    lists = {name: parts.pop(name, []) for name in controls}
    for name, items in lists.items():
        if not isinstance(items, list):
            raise ValueError(f"{name}: must be a list")  # noqa: TRY004 - all are ValueErrors
    app = create_app(parse_model(EmulatorSettings, parts))
    if clock is not None:
        control.move_clock(app.service, clock)
    for name, items in lists.items():
        for item in items:
            controls[name](app.service, item)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    options = vars(_parser().parse_args(arguments))
    host, port = options["host"], options["port"]
    store = options.get("store")
    try:
        parts = _merge_settings(options)
        store = parts.get("store")
        app = _make_app(parts)
    except ValueError as error:
        return _report_error(str(error), 2)
    except sqlite3.Error as error:
        return _report_error(f"cannot use the store {store}: {error}", 1)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        return _report_error(f"cannot listen on {host}:{port}: {error}", 1)
    if options.get("access_log"):
        access_log.addHandler(logging.StreamHandler())
        access_log.setLevel(logging.INFO)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    print(f"VOD emulator on http://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    server = uvicorn.Server(uvicorn_config(app))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    courier = CallbackDispatcher(app.service)
    courier.start()
    with contextlib.suppress(KeyboardInterrupt):  # passed on by uvicorn when it has shut down
        server.run(sockets=[listener])
    courier.stop()
    app.service.store.close()
    return 0


def _report_error(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
