"""Start records belong to the backend of the state, however the backend is named."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.engine.harness import Story, run
from tests.engine.project import Project
from torture.crash import crash, first
from torture.declared import FILE, PROGRAM
from torture.stand import Stand

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def test_two_backends_with_one_journal_keep_their_own_runs(tmp_path: Path, like: Project) -> None:
    """Project, stack and resource have the same names; one update was killed after its answer."""
    shared = {"vod:journal": str(tmp_path / "journal.sqlite3")}
    with Stand(tmp_path / "one", like, shared) as one:
        one.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
        assert crash(one, "group", "returned", 1, random.Random(1))
        [first] = one.runs_of("v")
        one.emulator.advance(5000)
        with Project(tmp_path / "two", one.gate.url, like=like, config=shared) as two:
            two.program(PROGRAM)
            (two.folder / FILE).write_text((one.folder / FILE).read_text())
            command = two.up()
            assert command.wait() == 0, command.said
            assert "reuses" not in command.said
        assert len(one.runs_of("v")) == 2, "the second stack has started its own run"

        # The same backend by the project's file, relative and with a slash at the end.
        del one.project.environ["PULUMI_BACKEND_URL"]
        (one.folder / "Pulumi.yaml").write_text(
            "name: project\nruntime: python\nbackend: {url: 'file://./state/'}\n"
        )
        said = one.up()
        assert (said.code, said.promised, said.paid) == (0, 0, 0), said.text
        assert f"reuses {first} (free)" in said.text
        assert one.recorded == {"run": first}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the folder of the engine")
def test_a_backend_that_only_an_automation_program_names_is_found(story: Story) -> None:
    """`main` is the program's folder, and `Pulumi.yaml` is in the workspace's folder."""
    workspace = story.stack.workspace
    workspace.env_vars = {
        name: value for name, value in workspace.env_vars.items() if name != "PULUMI_BACKEND_URL"
    }
    journal = story.state / ".pulumi" / "vod-journal.sqlite3"
    journal.unlink()
    said = story.up(run())
    assert len(story.emulator.ledger()) == 1
    assert "warning" not in said.text
    assert [*story.folder.rglob("vod-journal.sqlite3")] == [journal]


def test_a_journal_that_is_set_back_reads_the_state_again(tmp_path: Path, like: Project) -> None:
    """In between, an update with another journal was killed. Neither of the two had a preview."""
    with Stand(tmp_path / "stand", like, {"vod:resendWithin": "0"}) as stand:
        first, other = (str(stand.project.state / f"{name}.sqlite3") for name in "ab")
        stand.project.configure(vod_journal=first)
        stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
        assert stand.end(stand.begin()).code == 0
        stand.project.configure(vod_journal=other)
        stand.declared.runs["lost"] = {"vid": "lost", "template_id": "t"}
        assert crash(stand, "group", "accepted", 1, random.Random(1))
        stand.project.configure(vod_journal=first)
        stand.emulator.advance(5000)
        said = stand.up()
        assert said.questions == {"lost"}, said.text
        assert said.paid == 0


@pytest.mark.hosts("dynamic", "plugin")
def test_a_start_that_failed_is_known_after_a_change_of_the_journal(
    tmp_path: Path, like: Project
) -> None:
    """No kill: the state has nothing of it. A preview with another journal changes nothing."""
    with Stand(tmp_path / "stand", like) as stand:
        stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
        stand.project.configure(vod_journal=str(tmp_path / "first.sqlite3"))
        trap = stand.gate.trap("accepted", 1)
        command = stand.begin()
        assert first(command, trap.reached.is_set)
        stand.emulator.fault(action="StartWorkflow", kind="reset", times=999)
        trap.release(lost=True)
        assert command.wait() != 0
        stand.emulator.fault(action="StartWorkflow", kind="reset", times=0)
        stand.emulator.advance(5000)
        stand.project.configure(vod_resendWithin="0", vod_journal=str(tmp_path / "other.sqlite3"))
        assert stand.preview().questions == {"run"}
        stand.project.configure(vod_journal="")
        said = stand.up()
        assert said.questions == {"run"}, said.text
        assert stand.paid == {"v": 1}


def test_a_preview_elsewhere_takes_no_start_of_an_update(tmp_path: Path, like: Project) -> None:
    """The two machines share a chosen journal. The update has not claimed all its starts yet."""
    with Stand(tmp_path / "stand", like) as stand:
        stand.project.configure(
            vod_journal=str(tmp_path / "shared.sqlite3"), vod_requestsPerSecond="1"
        )
        names = [f"r{number}" for number in range(4)]
        stand.declared.runs = {name: {"vid": name, "template_id": "t"} for name in names}
        stand.write()
        trap = stand.gate.trap("accepted", 1)
        command = stand.project.up("--skip-preview", "--parallel", "16")
        assert first(command, trap.reached.is_set)
        assert stand.preview().questions
        trap.release()
        assert command.wait() == 0, command.said
        assert stand.paid == dict.fromkeys(names, 1)


def test_a_password_in_the_plain_configuration_is_warned_of_once(
    tmp_path: Path, like: Project
) -> None:
    url = "postgresql://me:HIDDEN@127.0.0.1:1/journal"
    with Project(tmp_path / "project", "http://127.0.0.1:1", like=like) as project:
        project.program(
            "for name in 'ab': WorkflowRun(name, vid=f'v{name}', template_id='t', priority=9)"
        )
        options: tuple[str, ...]
        for options, is_warned in (((), True), (("--secret",), False)):
            project.command("config", "set", "vod:journal", url, "--stack", "dev", *options)
            preview = project.start("preview", "--stack", "dev", "--diff")
            assert preview.wait() != 0, "a priority of 9 is rejected"
            assert "HIDDEN" not in preview.said
            warnings = [
                event.diagnostic_event.message
                for event in preview.events
                if event.diagnostic_event and "password in plain" in event.diagnostic_event.message
            ]
            assert len(warnings) == is_warned, preview.said
