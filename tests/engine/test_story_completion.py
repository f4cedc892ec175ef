"""Waits on the real engine: results, failures, time, interruptions; none of them starts a run."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowCompletion, WorkflowRun
from pulumi_vod_workflow.core.resource_types import COMPLETION_TYPE
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import Program, Story, run
from tests.engine.hosts import HostName
from tests.engine.project import Project, until
from tests.scale import only_in_torture, scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

SHORT = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0.3, running_seconds=0.5)


def polls(emulator: VodEmulator) -> int:
    return emulator.requests().get("GetWorkflowExecution", 0)


def once_asked(emulator: VodEmulator, times: int, *advances: float) -> None:
    """Move the clock by each of these, after so many more questions how far runs are."""

    def move() -> None:
        for seconds in advances:
            asked = polls(emulator)
            until(lambda asked=asked: polls(emulator) >= asked + times)  # type: ignore[misc]
            emulator.advance(seconds)

    threading.Thread(target=move, daemon=True).start()


def wait_for(**settings: Any) -> Program:
    """Return a program of one completion."""

    def program() -> None:
        WorkflowCompletion("done", **settings)

    return program


def waiting(vids: dict[str, str], **settings: Any) -> Program:
    """Return a program of some runs and one completion."""

    def program() -> None:
        runs = {name: WorkflowRun(name, vid=vid, template_id="t1") for name, vid in vids.items()}
        done = WorkflowCompletion("done", runs=runs, **settings)
        pulumi.export("phases", done.results.apply(lambda r: {k: v.phase for k, v in r.items()}))
        pulumi.export("failed", done.failed)

    return program


def feeding() -> None:
    """Declare a run of a result of another run."""
    first = WorkflowRun("first", vid="v1", template_id="t1")
    result = first.wait().results["first"]
    transcodes = result.transcodes
    second = WorkflowRun(
        "second",
        direct_url={"file_name": transcodes[0].file_name, "space_name": "s"},
        template_id="t2",
    )
    pulumi.export("size", transcodes[0].video_stream_meta.height)
    pulumi.export("of", result.status_reason)
    pulumi.export("second", second.run_id)
    pulumi.export("uri", transcodes[0].store_uri)


def in_all_forms() -> None:
    """Declare a wait for each form of what can be awaited."""
    run = WorkflowRun("run", vid="v1", template_id="t1")
    other = WorkflowRun("other", vid="v2", template_id="t1")
    batch = WorkflowBatch(
        "batch", items={"a b": {"vid": "v3"}, "my_key": {"vid": "v4"}},
        defaults={"template_id": "t1"},
    )  # fmt: skip
    forms: dict[str, Any] = {
        "run": run,
        "batch": batch,
        "list": [run, batch, other.run_id],
        "map": {"one": run, "many": batch, "id": other.run_id},
        "ids": pulumi.Output.all(run.run_id, other.run_id),
        "none": [],
    }
    for name, form in forms.items():
        done = WorkflowCompletion(f"of-{name}", runs=form)
        pulumi.export(name, done.results.apply(lambda results: [*results]))
    pulumi.export("ids_are", [run.run_id, other.run_id])


@pytest.mark.hosts("dynamic")  # the packaged provider reads unfinished runs before each preview
@SHORT
def test_results_by_name_feed_other_resources(story: Story) -> None:
    """
    A run of a result in one `up`; a second `up` is free, and asks nobody.

    What can be awaited: resources, ids, outputs of ids, batches; alone, listed, and named.
    """

    def program() -> None:
        feeding()
        in_all_forms()

    outcome = story.pays(program, 2 + 4)
    seen = outcome.outputs
    assert seen["size"] > 0
    assert seen["of"].startswith("0: ")
    made = story.ledger_of("t2")["directUrl"]["FileName"]
    assert seen["uri"] == f"tos://tos-cn-v-emulator/{made}"
    run, other = seen["ids_are"]
    assert {
        name: sorted(seen[name]) for name in ("run", "batch", "list", "map", "ids", "none")
    } == {
        "run": ["run"],
        "batch": ["a b", "my_key"],
        "list": sorted(["run", "batch.a b", "batch.my_key", other]),
        "map": sorted(["one", "many.a b", "many.my_key", "id"]),
        "ids": sorted([run, other]),
        "none": [],
    }
    asked = story.emulator.requests()
    story.stays(program)
    assert story.emulator.requests() == asked
    read = asked["GetWorkflowExecutionResult"]
    story.refresh()
    own = 4  # of the resources; waits and batches read no results again
    assert story.emulator.requests()["GetWorkflowExecutionResult"] == read + own


@SHORT
def test_failures_are_an_error_that_says_what_to_do(story: Story) -> None:
    """
    Each failed run with its code, meaning, and remedy; what has ended well is not lost.

    An item without a run cannot succeed: the wait fails, until a later `up` has started it.
    """
    vids = {"good": "v1", "bad": "emu-fail-1001", "late": "emu-fail-2003", "gone": "emu-terminated"}

    def program(bad: str, x: str, **settings: Any) -> Program:
        def declare() -> None:
            waiting({**vids, "bad": bad}, **settings)()
            recording: dict[str, Any] = {"on_failure": "record"}
            for name, of_batch in {"batch": settings, "recorded": recording}.items():
                items: Any = {"a": {"vid": "v1"}, "x": {"vid": x}}
                batch = WorkflowBatch(name, items=items, defaults={"template_id": name})
                pulumi.export(f"failed of {name}", batch.wait(**of_batch).failed)

        return declare

    outcome = story.failing_up(program("emu-fail-1001", "emu-missing"), continue_on_error=True)
    assert "3 of 4 runs did not succeed:" in outcome.text
    for says in (
        ": failed: 1001: the source is damaged or cannot be parsed; a rerun alone does not help.",
        " Correct the declaration (paid: starts one run).",
        ": failed: 2003: transcoding timed out; a rerun can help, and is paid again.",
        " To rerun it, change a value in its triggers (paid: starts one run).",
        ": terminated: Terminated: ended by a user of the account; a rerun is a new, paid run.",
        "No run was started by the wait.",
        "x: rejected: StartWorkflow: the service answered ResourceNotFound",
        "Correct or remove the item, then run `pulumi up` again.",
    ):
        assert says in outcome.text
    assert len(story.emulator.ledger()) == 4 + 1 + 1
    assert len(story.resources) == 4
    recorded = story.of_type(COMPLETION_TYPE)["recorded-completion"]["outputs"]
    assert recorded["failed"] == ["x"]

    # A run and two items are corrected, and paid; nothing else is.
    outcome = story.pays(program("v2", "v2", on_failure="record"), 3)
    assert outcome.outputs["failed"] == ["gone", "late"]
    assert outcome.outputs["phases"]["bad"] == "succeeded"
    assert outcome.outputs["failed of batch"] == outcome.outputs["failed of recorded"] == []
    outcome = story.failing_up(program("v2", "v2"))
    assert "2 of 4 runs did not succeed:" in outcome.text
    assert len(story.emulator.ledger()) == 9


def test_a_timeout_says_how_far_each_is_and_the_next_up_resumes(
    story: Story, host: HostName
) -> None:
    """
    Through a failing service: 429, 5xx, garbage and lost connections only delay.

    On an update only new runs are waited for. Results that are held are not read again; without a
    run its result goes. Progress is a line for each change, on the row, and not for each poll.
    """
    vids = {"a": "v1", "b": "v2"}

    def first() -> None:
        waiting(vids, timeout="2s")()
        WorkflowCompletion("missing", runs=["lb:none"])

    outcome = story.failing_up(first, continue_on_error=True)
    assert "1 of 1 runs cannot be read:" in outcome.text
    assert "lb:none: GetWorkflowExecution: the service answered ResourceNotFound" in outcome.text
    assert "2 of 2 runs have not ended after 2 s:" in outcome.text
    assert "a: PendingStart: queued" in outcome.text
    assert "No run was started or lost." in outcome.text
    assert "hint: run `pulumi up` again to continue the wait" in outcome.text

    for kind, status in (("http", 429), ("http", 503), ("garbage", None), ("reset", None)):
        story.emulator.fault(action="GetWorkflowExecution", kind=kind, status=status, times=3)
    story.emulator.fault(action="GetWorkflowExecutionResult", kind="http", status=500, times=2)
    once_asked(story.emulator, 2, 5000)
    outcome = story.up(waiting(vids))
    assert outcome.outputs["phases"] == {"a": "succeeded", "b": "succeeded"}
    assert len(story.emulator.ledger()) == 2
    asked = story.emulator.requests()["GetWorkflowExecutionResult"]
    before = 2 if host == "plugin" else 0  # it reads the runs before the update
    assert 2 + 2 <= asked <= 2 + 2 + before, "two of them failed"

    polled = polls(story.emulator)
    once_asked(story.emulator, 2, 1500, 1500)
    outcome = story.pays(waiting({"b": "v2", "c": "v3"}), 1)
    assert outcome.outputs["phases"] == {"b": "succeeded", "c": "succeeded"}
    assert story.emulator.requests()["GetWorkflowExecutionResult"] == asked + 1
    assert polls(story.emulator) >= polled + 4
    [row] = [
        part for part in outcome.text.split("Diagnostics:")[-1].split("\n\n") if "(done)" in part
    ]
    lines = [line.strip() for line in row.strip().splitlines()[1:]]
    assert lines[:-1] == [
        "c: pending (PendingStart: queued)",
        "c: running (Running: being processed)",
        "c: succeeded (0: finished without an unhandled exception)",
    ]
    assert lines[-1].startswith("2 succeeded after ")
    assert "0 of 1 ended, 1 pending" in outcome.text


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"timeout": "soon", "runs": [5]}, "timeout: must be seconds, or text like 90s"),
    ({"runs": ["lb:1", "lb:1"]}, "several runs are named lb:1"),
    ({"timeout": 0}, "timeout: must be"),
    ({"on_failure": "ignore"}, "onFailure: must be error or record"),
    ({"runs": [5]}, "runs: must be"),
    ({"runs": {"a": ""}}, "runs: must be WorkflowRuns or run ids; wrong ones: a"),
]


@only_in_torture("tests/core/test_completion.py has each kind of wrong wait")
@pytest.mark.parametrize(("wrong", "says"), WRONG)
def test_a_wrong_wait_is_refused_at_preview(story: Story, wrong: dict[str, Any], says: str) -> None:
    preview = story.preview(wait_for(**{"runs": ["lb:1"], **wrong}))
    assert preview.failed
    assert says in preview.text
    assert story.emulator.requests() == {}


@pytest.mark.hosts("dynamic")  # the packaged provider reads unfinished runs before each preview
def test_a_wait_on_an_emulator_whose_store_is_gone(story: Story) -> None:
    """It ends at once, with one message, instead of looking for another account."""
    store = story.folder / "runs.sqlite3"
    story.write_config(vod_endpoint="emulator", vod_emulatorStore=str(store))
    story.up(run("a"))
    for path in story.folder.glob("runs.sqlite3*"):
        path.unlink()
    outcome = story.failing_up(waiting({"a": "v1"}))
    assert "1 of 1 runs are unknown to the configured emulator: a. " in outcome.text
    for part in ("account", "continue the wait"):
        assert part not in outcome.text


# -- interruptions -------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, emulator: VodEmulator, like: Project) -> Iterator[Project]:
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        yield project


@pytest.mark.torture
@pytest.mark.parametrize("waits", scaled([6], [1, 6]))
def test_after_ctrl_c_and_after_a_kill_the_next_up_resumes(
    project: Project, emulator: VodEmulator, waits: int
) -> None:
    """
    Ctrl-C stops waits at once. The next update is killed while it waits, and the third one ends.

    However many waits there are: the host's four slots do not keep the word from coming through.
    The provider that a killed engine leaves behind soon ends.
    """
    project.program(
        f"""
        for number in range({waits}):
            done = WorkflowRun(f"run{{number}}", vid="v", template_id="t").wait(timeout="10m")
            pulumi.export(f"phase{{number}}", done.results[f"run{{number}}"].phase)
        """
    )
    update = project.up("--skip-preview", "--parallel", "16")
    until(lambda: polls(emulator) >= 2 * waits)
    update.signal(signal.SIGINT)
    begun = time.monotonic()
    assert update.wait() != 0
    assert time.monotonic() - begun < 15
    assert update.said.count("1 of 1 runs have not ended when stopped:") >= waits
    assert "run `pulumi up` again to continue the wait" in update.said

    asked = polls(emulator)
    resumed = project.up()
    until(lambda: polls(emulator) >= asked + 2 * waits)
    resumed.kill(resumed.process.pid)
    until(lambda: not project.providers(resumed), seconds=30)
    project.command("cancel", "--yes", "--stack", "dev")
    once_asked(emulator, 2 * waits, 5000)
    project.command("up", "--yes", "--skip-preview")
    assert [*project.outputs.values()] == ["succeeded"] * waits
    assert len(emulator.ledger()) == waits


def test_as_many_runs_start_at_a_time_as_the_engine_is_told(
    project: Project, emulator: VodEmulator
) -> None:
    """The host has four slots; what waits for the service holds none of them."""
    project.program(
        """
        for number in range(12):
            WorkflowRun(f"run{number}", vid="v", template_id="t")
        """
    )
    emulator.fault(action="StartWorkflow", kind="hang", when="before", seconds=3, times=12)
    update = project.up("--skip-preview", "--parallel", "12")
    until(lambda: emulator.requests().get("StartWorkflow", 0) >= 12)
    assert emulator.ledger() == [], "the last is on its way before the first is answered"
    assert update.wait() == 0, update.said
    assert len(emulator.ledger()) == 12
    reads = emulator.requests().get("GetWorkflowExecution", 0)
    emulator.fault(action="GetWorkflowExecution", kind="hang", when="before", seconds=3, times=12)
    refresh = project.start("refresh", "--yes", "--skip-preview", "--parallel", "12")
    until(lambda: emulator.requests().get("GetWorkflowExecution", 0) >= reads + 12)
    assert refresh.wait() == 0, refresh.said
    assert emulator.requests()["GetWorkflowExecution"] == reads + 24, "each hung once"


def test_ctrl_c_stops_a_batch_and_the_next_up_starts_the_rest(
    project: Project, emulator: VodEmulator
) -> None:
    """What is on its way is recorded, what is not yet sent is left: nothing is paid twice."""
    project.program(
        """
        made = {f"k{number:03}": {"vid": f"v{number}"} for number in range(60)}
        batch = WorkflowBatch("batch", items=made, defaults={"template_id": "t"})
        pulumi.export("runs", batch.runs.apply(len))
        """
    )
    project.configure(vod_requestsPerSecond="5")
    update = project.up()
    until(lambda: len(emulator.ledger()) >= 5)
    update.signal(signal.SIGINT)
    update.wait()
    paid = len(emulator.ledger())
    assert paid < 20
    assert f"not started or adopted: {60 - paid} of 60 items:" in update.said
    assert "not sent, because the update was cancelled" in update.said
    project.configure(vod_requestsPerSecond="50")
    project.command("up", "--yes", "--skip-preview")
    assert project.outputs == {"runs": 60}
    assert len(emulator.ledger()) == 60
