"""The emulator in its own process, with its log and store."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from bench.processes import served
from pulumi_vod_workflow.core.signing import Credentials

KEYS: Final = Credentials("AKLTEMULATOR", "emulator-secret-key")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its response."""

    at: float
    """The time of the response, in seconds since the epoch."""
    action: str
    status: int
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    host: str
    pid: int
    log: Path
    store: Path

    def post(self, control: str, **parts: Any) -> None:
        """Send a request to a control."""
        body = json.dumps(parts).encode()
        request = Request(f"http://{self.host}/_emulator/{control}", body, method="POST")
        with urlopen(request) as answer:  # noqa: S310 - a loopback URL
            assert json.load(answer) == {"ok": True}

    def asked(self, action: str = "") -> list[Asked]:
        """Return the requests, in the order of their responses."""
        found = []
        for text in self.log.read_text().splitlines():
            line = json.loads(text)
            if action in {"", line["action"]}:
                at = datetime.fromisoformat(line["time"]).timestamp()
                found.append(Asked(at, line["action"], line["status"], line["runId"]))
        return found

    def answers(self) -> list[int]:
        """Return the status of each response."""
        return [item.status for item in self.asked()]

    def runs(self) -> dict[str, tuple[float, float]]:
        """Return the exact times of acceptance and end of each run; the ledger rounds them."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT run_id, accepted, ended FROM runs ORDER BY number")
            return {run_id: (accepted, ended) for run_id, accepted, ended in rows}

    def accepted(self, count: int) -> list[float]:
        """Return the times of acceptance of `count` starts, in order."""
        times = sorted(at for at, _ in self.runs().values())
        assert len(times) == count, f"{len(times)} of {count} were started"
        return times


@contextlib.contextmanager
def emulator(folder: Path, **settings: Any) -> Iterator[Emulator]:
    """Run an emulator with settings in the names of its controls, and its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log, store = folder / "access.log", folder / "runs.sqlite3"
    options = [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]
    command = ("-m", "pulumi_vod_workflow.emulator", "--port", "0", "--access-log")
    with served(*command, "--store", str(store), *options, log=log) as (host, pid):
        yield Emulator(host, pid, log, store)


def configuration(service: Emulator) -> Mapping[str, str]:
    """Return the configuration of a stack with an emulator."""
    return {
        "vod:endpoint": f"http://{service.host}",
        "vod:accessKey": KEYS.access_key,
        "vod:secretKey": KEYS.secret_key,
    }
