"""Several that send the same starts: two updates at once, and one that the engine calls again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import WAYS, Story
from tests.engine.project import Project, until
from torture.gate import Gate

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
COUNT = 150


def many() -> str:
    return f"""
    WorkflowBatch(
        "batch",
        items={{f"k{{n:03}}": {{"vid": f"v{{n}}"}} for n in range({COUNT})}},
        defaults={{"template_id": "t"}},
    )
    """


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0)
def test_an_update_beside_one_that_still_runs_pays_for_nothing_twice(
    tmp_path: Path, like: Project, emulator: VodEmulator
) -> None:
    """`pulumi cancel` takes the lock from a living update; the next one shares the starts."""
    slow = {"vod:requestsPerSecond": "10"}  # the second update begins while the first one sends
    with Project(tmp_path / "project", emulator.url, like=like, config=slow) as project:
        project.program(many())
        first = project.up()
        until(lambda: len(emulator.ledger()) >= 10)
        project.command("cancel", "--yes", "--stack", project.stack)
        second = project.up()
        until(lambda: "started" in second.said or not second.running)
        assert first.running, "both send at the same time, or this test shows nothing"
        second_code, _ = second.wait(), first.wait()
        assert second_code == 0, second.said
        assert len(emulator.ledger()) == COUNT
        tokens = Counter(start["clientToken"] for start in emulator.ledger())
        assert set(tokens.values()) == {1}
        project.command("up", "--yes", "--skip-preview", "--stack", project.stack)
        [recorded] = [item for item in project.resources if "Batch" in item["type"]]
        assert {run["runId"] for run in recorded["outputs"]["runs"].values()} == {
            start["runId"] for start in emulator.ledger()
        }
        assert len(emulator.ledger()) == COUNT


ONE = 'WorkflowRun("run", vid="v", template_id="t")'


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0)
def test_a_start_in_flight_is_sent_by_its_own_update_only(
    tmp_path: Path, like: Project, emulator: VodEmulator
) -> None:
    """Its run has ended, so that a second send would be paid, also within the time of a repeat."""
    window = {"vod:resendWithin": "600"}
    with (
        Gate(emulator.url) as gate,
        Project(tmp_path / "project", gate.url, like=like, config=window) as project,
    ):
        project.program(ONE)
        trap = gate.trap("accepted", 1)
        first = project.up()
        until(trap.reached.is_set)
        project.command("cancel", "--yes", "--stack", project.stack)
        second = project.up()
        until(lambda: "another update is starting this run" in second.said)
        trap.release()
        assert (second.wait(), first.wait()) == (0, first.process.returncode), second.said
        [start] = emulator.ledger()
        project.command("up", "--yes", "--skip-preview", "--stack", project.stack)
        [recorded] = [item for item in project.resources if "Run" in item["type"]]
        assert recorded["outputs"]["runId"] == start["runId"]
        assert len(emulator.ledger()) == 1


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0)
def test_the_start_of_an_update_that_dies_meanwhile_is_asked_about(
    tmp_path: Path, like: Project, emulator: VodEmulator
) -> None:
    """The second update does not wait for an answer that cannot come, and sends nothing."""
    with (
        Gate(emulator.url) as gate,
        Project(
            tmp_path / "project", gate.url, like=like, config={"vod:resendWithin": "0"}
        ) as project,
    ):
        project.program(ONE)
        trap = gate.trap("accepted", 1)
        first = project.up()
        until(trap.reached.is_set)
        project.command("cancel", "--yes", "--stack", project.stack)
        second = project.up()
        until(lambda: "another update is starting this run" in second.said)
        first.kill()
        assert second.wait() != 0
        assert all(way in second.said for way in WAYS), second.said
        trap.release()
        assert len(emulator.ledger()) == 1


def calls_again(calls: Counter[str]) -> pulumi.ResourceOptions:
    """Have the engine call a create again that has failed, as often as it likes to."""

    def on_error(args: pulumi.ErrorHookArgs) -> bool:
        calls[args.name] += 1
        return calls[args.name] < 4

    hook = pulumi.ErrorHook("again", on_error)
    return pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook]))


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0)
def test_a_create_that_is_called_again_keeps_to_the_window_of_the_first_send(story: Story) -> None:
    """
    An `ErrorHook` that returns True, with all answers lost: no call sends later than the window.

    The runs end at once, so that each send is another line of the ledger.
    """
    window = 3
    story.write_config(vod_resendWithin=str(window))
    calls: Counter[str] = Counter()

    def program() -> None:
        opts = calls_again(calls)
        WorkflowRun("run", opts, vid="v1", template_id="t1")
        WorkflowBatch("batch", opts, items={"a": {"vid": "v2", "template_id": "t1"}})

    story.emulator.fault(action="StartWorkflow", kind="reset", when="after", times=999)
    failed = story.try_up(program, continue_on_error=True)
    assert failed.failed
    assert calls == {"run": 4, "batch": 4}
    for vid in ("v1", "v2"):
        starts = [start for start in story.emulator.ledger() if start["vid"] == vid]
        sent = [datetime.fromisoformat(start["acceptedAt"]) for start in starts]
        assert len(sent) > 1
        # The ledger has whole seconds.
        assert (sent[-1] - sent[0]).total_seconds() <= window + 1
