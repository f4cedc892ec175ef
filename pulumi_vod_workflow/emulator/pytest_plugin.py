"""
The pytest fixture `vod_emulator`: a running emulator for each test, forgotten after it.

It comes with the extra `pulumi-vod-workflow[pytest]`. A test, class or module says how it is to
behave by a marker, in the names of `EmulatorSettings`: `@pytest.mark.vod_emulator(seed=7)`.
Tests that say the same share one server; each finds it empty, with its clock at the real time.
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
    line = f"{MARKER}(**settings): how the vod_emulator fixture behaves"
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
    """Return a running emulator that nothing has been asked yet."""
    # Not every test run that has this plugin uses it: the rest is loaded for those that do.
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
