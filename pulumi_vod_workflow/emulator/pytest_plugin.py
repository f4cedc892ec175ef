"""
The pytest fixture `vod_emulator`: a running, empty emulator for each test.

The extra `pulumi-vod-workflow[pytest]` has it. A marker of a test, class or module sets fields of
`EmulatorSettings`: `@pytest.mark.vod_emulator(seed=7)`. Tests with the same settings share a
server. Each test starts with an empty server, and with the clock at the real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pulumi_vod_workflow.emulator.server import VodEmulator

MARKER = "vod_emulator"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    line = f"{MARKER}(**settings): settings of the vod_emulator fixture"
    config.addinivalue_line("markers", line)


@pytest.fixture(scope="session")
def _vod_emulators() -> Iterator[dict[str, VodEmulator]]:
    running: dict[str, VodEmulator] = {}
    yield running
    with ExitStack() as stack:
        for emulator in running.values():
            stack.callback(emulator.stop)


@pytest.fixture
def vod_emulator(
    request: pytest.FixtureRequest, _vod_emulators: dict[str, VodEmulator]
) -> VodEmulator:
    """Return a running emulator without any requests."""
    # A slow import: many test runs have this plugin and no such test.
    from pulumi_vod_workflow.emulator.server import VodEmulator  # noqa: PLC0415
    from pulumi_vod_workflow.emulator.settings import EmulatorSettings  # noqa: PLC0415

    given = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        given.update(marker.kwargs)
    settings = EmulatorSettings(**given)
    key = repr(sorted(given.items(), key=lambda item: item[0]))
    if key not in _vod_emulators:
        _vod_emulators[key] = VodEmulator(settings).start()
    emulator = _vod_emulators[key]
    emulator.reset()
    return emulator
