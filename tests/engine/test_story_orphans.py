"""Processes that outlive a killed engine: they record what was sent, and then end."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pulumi_vod_workflow.hosting.engine_watch import ENGINE_CHECK_INTERVAL, REFUSALS
from tests.engine.project import Command, Project, until
from tests.scale import scaled
from torture.crash import LANGUAGE, first, strike
from torture.gate import Point
from torture.stand import Stand

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

SECONDS = 20.0
"""The longest time until all processes have ended, on a slow machine."""
COUNT = 40
HELD = 10


@pytest.fixture
def stand(tmp_path: Path, like: Project) -> Iterator[Stand]:
    with Stand(tmp_path / "stand", like, {"vod:resendWithin": "600"}) as stand:
        yield stand


def journal_runs(folder: Path) -> set[str]:
    """Return the RunIds in the journal of a stack."""
    [path] = folder.rglob("vod-journal.sqlite3")
    with sqlite3.connect(path) as journal:
        found = journal.execute("SELECT run_id FROM starts WHERE run_id IS NOT NULL").fetchall()
    journal.close()
    return {run for (run,) in found}


def all_end(project: Project, command: Command) -> None:
    """Wait until no process is left; the official language host may take 5 minutes."""
    host = shutil.which(LANGUAGE)
    stand_in = host is not None and Path(host).read_bytes().startswith(b"#!")
    left = command.processes if stand_in else partial(project.providers, command)
    until(lambda: not left(), seconds=SECONDS)


def test_what_is_in_flight_at_the_kill_is_recorded_before_the_provider_ends(stand: Stand) -> None:
    """The service accepts all items. The answers to some come after the kill of the engine."""
    stand.declared.items = {f"k{number:02}": {"vid": f"v{number}"} for number in range(COUNT)}
    held = [stand.gate.trap("accepted", number) for number in range(1, HELD + 1)]
    update = stand.begin()
    assert first(update, lambda: all(trap.reached.is_set() for trap in held))
    until(lambda: len(stand.ids) >= COUNT // 2)
    update.kill(update.process.pid)
    time.sleep(2 * ENGINE_CHECK_INTERVAL * REFUSALS)
    assert stand.project.providers(update), "it ended while starts were in flight"
    assert len(journal_runs(stand.folder)) < len(stand.ids)
    for trap in held:
        trap.release()
    all_end(stand.project, update)
    assert journal_runs(stand.folder) == stand.ids
    stand.project.repair()
    said = stand.end(stand.begin())
    assert (said.code, len(stand.ids)) == (0, COUNT), said.text


@pytest.mark.torture
@pytest.mark.hosts("plugin", torture="dynamic")
@pytest.mark.parametrize("point", scaled(["accepted"], ["sent", "accepted"]))
def test_ctrl_c_twice_pays_for_nothing_twice(stand: Stand, point: Point) -> None:
    """At the second one the engine ends its provider, whose last answers are lost."""
    stand.declared.items = {f"k{number:02}": {"vid": f"v{number}"} for number in range(COUNT)}
    held = [stand.gate.trap(point, number) for number in range(1, HELD + 1)]
    update = stand.begin()
    assert first(update, lambda: all(trap.reached.is_set() for trap in held))
    strike(update, "ctrl-c twice")
    assert update.wait() != 0
    for trap in held:
        trap.release()
    all_end(stand.project, update)
    stand.project.repair()
    said = stand.end(stand.begin())
    assert (said.code, len(stand.ids)) == (0, COUNT), said.text
    assert {*stand.recorded.values()} == stand.ids


UP = ["up", "--yes", "--skip-preview"]


@pytest.mark.torture
@pytest.mark.parametrize("operation", scaled([UP], [UP, ["preview"]]))
def test_an_idle_provider_ends_with_its_engine(stand: Stand, operation: list[str]) -> None:
    """The program waits for something else, after the provider has done its part."""
    ready = stand.folder / "ready"
    stand.project.program(
        f"""
        import time
        from pathlib import Path

        def wait(urn):
            Path({json.dumps(str(ready))}).touch()
            time.sleep(1000)

        run = WorkflowRun("run", vid="v", template_id="t")
        run.urn.apply(wait)
        """
    )
    began = stand.project.start(*operation, "--stack", stand.project.stack)
    assert first(began, ready.exists)
    assert stand.project.providers(began)
    began.kill(began.process.pid)
    all_end(stand.project, began)
    if operation[0] == "up":
        assert journal_runs(stand.folder) == stand.ids
        assert len(stand.ids) == 1
