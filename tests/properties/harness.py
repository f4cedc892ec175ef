"""What the engine does with a declaration, in this process: check; if all is well, create."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import httpx
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime import rpc

from pulumi_vod_workflow.config.credentials import EMULATOR_CREDENTIALS
from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.dynamic.run import WorkflowRunProvider
from pulumi_vod_workflow.emulator import EmulatorSettings, create_app
from pulumi_vod_workflow.emulator.service import Service
from pulumi_vod_workflow.hosting.operations import BlockingService
from pulumi_vod_workflow.transport.client import VodClient

Json = dict[str, Any]
PROVIDER: Final = "the pickle"
UNKNOWN: Final = rpc.UNKNOWN
"""What the engine sends for a value that is not known yet."""


def arrived(properties: Json) -> Json:
    """Return properties as the provider's host has them from the engine: numbers are floats."""
    sent = Struct()
    sent.update({**properties, "__provider": PROVIDER})
    return dict(rpc.deserialize_properties(sent, keep_unknowns=True))


def recorded(value: Any) -> Any:
    """Return what the engine keeps of what a provider answers; it hands secrets out as they are."""
    if rpc.is_rpc_secret(value):
        return recorded(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: recorded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [recorded(item) for item in value]
    return value


@dataclass(frozen=True)
class Up:
    """What became of a declaration."""

    refused: list[str]
    """What is wrong with it; if anything is, nothing was created."""
    inputs: Json = field(default_factory=dict)
    state: Json = field(default_factory=dict)
    run_id: str = ""


class Engine:
    """One stack's provider, and its emulator."""

    def __init__(self, provider: VodProvider, service: Service, slots: ThreadPoolExecutor) -> None:
        self.provider = provider
        self._slots = slots
        self.service = service
        self._names = count()

    def start_over(self) -> None:
        """Empty the emulator's books."""
        self.service.reset()

    def check(self, declared: Json, olds: Json | None = None) -> Up:
        """Preview a declaration."""
        result = self.provider.check(arrived(olds) if olds else {}, arrived(declared))
        refused = [failure.reason for failure in result.failures]
        return Up(refused, recorded(result.inputs))

    def named(self, declared: Json) -> Json:
        """Return a declaration as that of a resource of its own."""
        return {**declared, "scope": {**declared["scope"], "name": f"run {next(self._names)}"}}

    def up(self, declared: Json) -> Up:
        """Create what is declared, if nothing is wrong with it."""
        checked = self.check(declared)
        if checked.refused:
            return checked
        made = self.provider.create(arrived(checked.inputs))
        return Up([], checked.inputs, recorded(made.outs), str(made.id))

    def all_up(self, declared: Iterable[Json]) -> list[Up]:
        """Create resources as the engine does, four at a time."""
        return list(self._slots.map(self.up, declared))

    def changes(self, up: Up, declared: Json) -> bool:
        """Tell whether a later update with this declaration would change anything."""
        again = self.check(declared, olds=up.inputs)
        assert not again.refused
        diff = self.provider.diff(up.run_id, arrived(up.state), arrived(again.inputs))
        return bool(diff.changes)

    def looked_up(self, run_id: str) -> Json:
        """Return what `WorkflowRun.get` says of a run: what the service answers for it."""
        outs: Json = recorded(self.provider.read(run_id, arrived({})).outs)
        return outs


@contextmanager
def engine(of: type[VodProvider] = WorkflowRunProvider) -> Iterator[Engine]:
    """Yield an engine whose emulator, and whose client, know no limit."""
    emulator = create_app(EmulatorSettings(rate_limit=0))
    client = VodClient(
        "http://localhost",
        "cn-north-1",
        EMULATOR_CREDENTIALS,
        requests_per_second=1e6,
        transport=httpx.ASGITransport(app=emulator),
    )
    provider = of()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the journal syncs each write
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir=memory) as folder,
        ThreadPoolExecutor(4) as slots,
    ):
        config = {"vod:endpoint": "emulator", "vod:journal": f"{folder}/journal.sqlite3"}
        provider.configure(ConfigureRequest(config=Config(raw_config=config, project_name="p")))
        patch.setattr(BlockingService, "client", lambda *_: client)
        yield Engine(provider, emulator.service, slots)
        emulator.service.store.close()
