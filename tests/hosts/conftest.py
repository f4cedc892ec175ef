"""One server of each host for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.hosts.client import DynamicClient, PluginClient, ProviderClient
from tests.hosts.server import Server, serve

HOSTS: Final[dict[str, tuple[Callable[[Server], ProviderClient], tuple[str, ...]]]] = {
    "dynamic": (DynamicClient, ("-m", "pulumi.dynamic")),
    "plugin": (PluginClient, ("-m", "pulumi_vod_workflow.plugin")),
}


@pytest.fixture(scope="session")
def _providers() -> Iterator[tuple[ExitStack, dict[str, ProviderClient]]]:
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture(params=HOSTS)
def provider(
    request: pytest.FixtureRequest,
    vod_emulator: VodEmulator,
    _providers: tuple[ExitStack, dict[str, ProviderClient]],
    tmp_path_factory: pytest.TempPathFactory,
) -> ProviderClient:
    """
    A configured provider, whose runs start at the emulator.

    The process serves all tests, as it serves all resources of an operation. So each test has names
    of its own.
    """
    stack, started = _providers
    host = request.param
    if host not in started:
        folder = tmp_path_factory.mktemp(host)
        started[host] = stack.enter_context(new_provider(host, vod_emulator, folder))
    return started[host]


@pytest.fixture(params=HOSTS)
def own_provider(
    request: pytest.FixtureRequest, vod_emulator: VodEmulator, tmp_path: Path
) -> Iterator[ProviderClient]:
    """A configured provider of one test, which may stop it."""
    with new_provider(request.param, vod_emulator, tmp_path) as client:
        yield client


@contextmanager
def new_provider(host: str, emulator: VodEmulator, folder: Path) -> Iterator[ProviderClient]:
    """Start a provider, and configure it."""
    new_client, command = HOSTS[host]
    with serve(*command) as server:
        client = new_client(server)
        client.configure(configuration(emulator, folder))
        yield client


def configuration(emulator: VodEmulator, folder: Path) -> dict[str, str]:
    """Return the configuration of a stack with a journal in a folder."""
    return {**emulator.config, "vod:journal": str(folder / "journal")}
