"""`python -m pulumi_vod_workflow.emulator`: the emulator on a port, until Ctrl-C or SIGTERM."""

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

from pulumi_vod_workflow.emulator import control_api
from pulumi_vod_workflow.emulator.app import Emulator, access_log, create_app
from pulumi_vod_workflow.emulator.callbacks import CallbackDispatcher
from pulumi_vod_workflow.emulator.server import uvicorn_config
from pulumi_vod_workflow.emulator.settings import EmulatorSettings, parse_model

DEFAULTS = EmulatorSettings()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pulumi_vod_workflow.emulator",
        description="Emulate the workflow calls of Volcengine VOD. No run is real, and no run is "
        "paid. GET /_emulator/ledger lists the starts; / is a page with runs and controls.",
        epilog="The name of a source can set the outcome of its runs. emu-missing: not found. "
        "emu-fail-1001 (any 1xxx or 2xxx): fails with this status. emu-terminated: terminated by a "
        "user. emu-unknown-status: a status that no client knows. --config and --set have all "
        "other settings: rules, templates, spaces, vids, subscriptions, clock, faults. See "
        "docs/emulator.md.",
        argument_default=argparse.SUPPRESS,
    )
    option = parser.add_argument
    option("--port", type=int, default=8765, help="port; 0 is a free port; default 8765")
    option("--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1")
    option("--config", type=Path, help="file of settings, JSON or TOML; options have priority")
    option("--store", help="SQLite file for the runs; default memory")
    option("--access-key", help=f"the only accepted access key; default {DEFAULTS.access_key}")
    option("--secret-key", help=f"the secret key; default {DEFAULTS.secret_key}")
    option("--session-token", help="session token that every request must have; default none")
    option("--region", help="the only region that signatures may have; default any")
    option(
        "--dedup",
        choices=["unfinished", "finished"],
        help=f"the earlier runs that an identical start joins; default {DEFAULTS.dedup}",
    )
    option(
        "--rate-limit",
        type=int,
        help=f"requests per second and action, 0 is no limit; default {DEFAULTS.rate_limit}",
    )
    option("--pending-seconds", type=float, help="length of PendingStart; default 1")
    option("--running-seconds", type=float, help="length of Running; default 4")
    option("--latency-seconds", type=float, help="delay of each response; default 0")
    option("--seed", type=int, help="seed of all random decisions and of the run ids; default 0")
    option(
        "--strict-templates",
        dest="templates",
        action="store_const",
        const=(),
        help="accept the built-in workflows only, not every id",
    )
    option(
        "--set",
        action="append",
        metavar="NAME=JSON",
        help="any setting of a file: rules=[...], clock={...}, faults=[...], outcomes=[...]",
    )
    option(
        "--access-log", action="store_true", help="write a line of JSON for each request to stderr"
    )
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
    """Return the settings of the file, of --set and of the options; the last ones have priority."""
    names = EmulatorSettings.model_fields
    given = {names[name].alias or name: value for name, value in options.items() if name in names}
    return {
        **_read_config(options.get("config")),
        **dict(map(_parse_setting, options.get("set", ()))),
        **given,
    }


def _make_app(parts: dict[str, Any]) -> Emulator:
    """Create the application; `clock`, `faults` and `outcomes` have the form of the controls."""
    clock = parts.pop("clock", None)
    controls = {"faults": control_api.add_fault, "outcomes": control_api.add_outcome}
    lists = {name: parts.pop(name, []) for name in controls}
    for name, items in lists.items():
        if not isinstance(items, list):
            raise ValueError(f"{name}: must be a list")  # noqa: TRY004 - all are ValueErrors
    app = create_app(parse_model(EmulatorSettings, parts))
    if clock is not None:
        control_api.move_clock(app.service, clock)
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
    address = f"[{host}]" if family == socket.AF_INET6 else host
    print(f"VOD emulator on http://{address}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    server = uvicorn.Server(uvicorn_config(app))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dispatcher = CallbackDispatcher(app.service)
    dispatcher.start()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its shutdown
        server.run(sockets=[listener])
    dispatcher.stop()
    app.service.store.close()
    return 0


def _report_error(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
