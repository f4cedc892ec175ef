"""The console command on real stacks: what became of runs, and of updates that were cut short."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from pulumi_vod_workflow.cli.__main__ import app
from pulumi_vod_workflow.core.property_marks import SIGNATURE
from pulumi_vod_workflow.emulator.settings import EmulatorSettings
from tests.engine.hosts import PACKAGES
from tests.engine.project import Project, until
from torture.crash import crash, end, first, strike
from torture.stand import Stand

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

KEYS = {
    "VOLCENGINE_ACCESS_KEY": EmulatorSettings().access_key,
    "VOLCENGINE_SECRET_KEY": EmulatorSettings().secret_key,
}
COMMAND = [sys.executable, "-m", "pulumi_vod_workflow.cli"]


@pytest.fixture
def stand(tmp_path: Path, like: Project) -> Iterator[Stand]:
    with Stand(tmp_path / "stand", like, {"vod:resendWithin": "0"}) as stand:
        yield stand


def environ(project: Project) -> dict[str, str]:
    """Return the environment of a person, with the keys if those of the state are encrypted."""
    return {**project.environ, **(KEYS if project.host == "plugin" else {})}


def vod(project: Project, *arguments: str, code: int = 0) -> str:
    """
    Run the console command where a person would, and return what it said.

    It runs in this process, because a start of Python takes most of a second.
    """
    with chdir(project.folder), patch.dict(os.environ, environ(project), clear=True):
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.stdout


def export(project: Project, name: str = "export.json") -> str:
    file = project.folder / name
    project.command("stack", "export", "--stack", project.stack, "--file", str(file))
    return str(file)


def starts(told: str) -> dict[str, dict[str, Any]]:
    """What `recover --format json` says of each start."""
    return {
        start["name"]: start
        for operation in json.loads(told)["operations"]
        for start in operation["starts"]
    }


def test_recover_leads_out_of_a_crash_without_a_second_start(stand: Stand) -> None:
    """A create whose answer came, then a batch with one that never did; each as it is told."""
    project, chance = stand.project, random.Random(1)
    stand.declared.runs = {"run": {"vid": "v-run", "template_id": "t"}}
    assert crash(stand, "group", "returned", 1, chance)
    [paid] = stand.ledger
    told = starts(vod(project, "recover", "--stack", "dev", "--format", "json"))
    assert told.keys() == {"run"}
    found = told["run"]
    assert (found["became"], found["runId"], found["phase"]) \
        == ("accepted", paid["runId"], "pending")  # fmt: skip
    text = vod(project, "recover", export(project))
    assert f"run: accepted as {paid['runId']} at {paid['acceptedAt'][:16]}" in text
    assert f'WorkflowRun("run"): existing_run_id="{paid["runId"]}"' in text

    # It advises `pulumi up`; that one is cut short, too, while a batch has one start unanswered.
    stand.declared.items = {f"k{n}": {"vid": f"v-k{n}", "template_id": "t"} for n in range(3)}
    trap = stand.gate.trap("accepted", 2)
    command = stand.begin()
    assert first(command, trap.reached.is_set)
    until(lambda: sum(passage.delivered for passage in stand.gate.passages) == 3)
    [journal] = stand.folder.rglob("vod-journal.sqlite3")
    until(lambda: len(accepted(journal)) == 3 and "run" in stand.recorded)
    strike(command, "group")
    trap.release(lost=True)
    end(stand, command, patient=False)
    assert len(stand.ledger) == 4, "the run was taken over; each item was started once"
    ids = {start["vid"].removeprefix("v-"): start["runId"] for start in stand.ledger}
    [lost] = set(ids.values()) - accepted(journal)
    [unclear] = [name for name, run_id in ids.items() if run_id == lost]
    file = export(project)
    told = starts(vod(project, "recover", file, "--format", "json", code=1))
    assert {name: (start["became"], start["runId"]) for name, start in told.items()} == {
        "run": ("recorded", ids["run"]),
        **{f"batch[k{n}]": ("accepted", ids[f"k{n}"]) for n in range(3)},
        f"batch[{unclear}]": ("unclear", None),
    }
    text = vod(project, "recover", file, "--offline", code=1)
    assert re.search(rf"  batch\[{unclear}\]: sent .* UTC, no response. A RUN MAY EXIST", text)
    assert "hint: adopt the run: set `existing_run_id`" in text

    # As it says: what it found in the console is adopted, the rest takes itself over.
    preview = stand.preview()
    assert preview.questions == {unclear}, preview.text
    stand.declared.items[unclear] = {"vid": f"v-{unclear}", "existing_run_id": lost}
    said = stand.up()
    assert (said.code, said.promised, said.paid) == (0, 0, 0), said.text
    assert stand.recorded == ids
    text = vod(project, "recover", export(project))
    assert "the state has its run; nothing to do" in text
    assert "refresh --clear-pending-creates" in text
    project.command("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "-s", "dev")
    assert "Nothing to recover" in vod(project, "recover", "--stack", "dev")
    assert len(stand.ledger) == 4


def test_what_is_forgotten_is_started_as_if_it_had_never_been_sent(stand: Stand) -> None:
    """The person has looked and seen nothing yet: the same start again, which joins the run."""
    project = stand.project
    stand.declared.runs = {"run": {"vid": "v-run", "template_id": "t"}}
    trap = stand.gate.trap("accepted", 1)
    command = stand.begin()
    assert first(command, trap.reached.is_set)
    strike(command, "group")
    trap.release(lost=True)
    end(stand, command, patient=False)
    assert stand.preview().questions == {"run"}
    told = starts(vod(project, "recover", "--stack", "dev", "--format", "json", code=1))
    assert told["run"]["became"] == "unclear"
    text = vod(project, "recover", "--stack", "dev", "--forget", "run")
    assert "removed from the journal: run\n" in text
    assert "shows which of these starts the program still declares" in text
    said = stand.end(stand.begin())
    assert said.code == 0, said.text
    [paid] = stand.ledger
    assert stand.recorded == {"run": paid["runId"]}


def accepted(journal: Path) -> set[str]:
    """The ids of runs that a journal holds."""
    with sqlite3.connect(journal) as file:
        rows = file.execute("SELECT run_id FROM starts WHERE run_id IS NOT NULL").fetchall()
    file.close()
    return {run_id for (run_id,) in rows}


def test_recover_helps_on_another_machine_and_with_secrets(stand: Stand) -> None:
    """Without the journal it says that it knows nothing; the id it told elsewhere is adopted."""
    project = stand.project
    project.configure(vod_region="cn-north-1")
    stand.declared.runs = {"run": {"vid": "v-run", "template_id": "t"}}
    stand.write()
    (stand.folder / "__main__.py").write_text(
        f"import pulumi\nfrom {PACKAGES[project.host]} import WorkflowRun\n"
        'args = dict(vid="v-run", template_id="t",\n'
        '            callback_args=pulumi.Output.secret("hush-hush-4711"))\n'
        'WorkflowRun("run", **args, existing_run_id=pulumi.Config().get("adopt"))\n'
    )
    assert crash(stand, "group", "returned", 1, random.Random(1))
    [paid] = stand.ledger
    file = export(project)
    text = vod(project, "recover", file)
    assert f"run: accepted as {paid['runId']}" in text
    assert "found by its name only" in text
    [journal] = stand.folder.rglob("vod-journal.sqlite3")
    journal.unlink()
    elsewhere = vod(project, "recover", file, code=1)
    assert "; there is none)" in elsewhere
    assert "run: begun by an unfinished operation before 20" in elsewhere
    assert " UTC, not in the journal. A RUN MAY EXIST" in elsewhere
    assert "run `vod-workflow recover` on the machine of that update" in elsewhere
    for said in (text, elsewhere):
        assert "hush" not in said
    project.configure(project_adopt=paid["runId"])
    assert project.up().wait() == 0
    assert stand.recorded == {"run": paid["runId"]}
    assert len(stand.ledger) == 1
    shown = vod(project, "runs", export(project), "--html", "page.html", "--format", "json")
    page = (project.folder / "page.html").read_text()
    assert "hush" not in shown + page
    assert paid["runId"] in shown


def test_runs_of_a_real_stack(tmp_path: Path, like: Project) -> None:
    """
    Runs, items, and results of a wait, each once; then the watch follows what still runs.

    The first Ctrl-C ends a watch, cleanly, with what is known so far.
    """
    with Stand(tmp_path / "stand", like) as stand:
        project = stand.project
        at_once = {"pendingSeconds": 0, "runningSeconds": 0}
        stand.emulator.settings(rules=[{"template": "at-once", **at_once}])
        project.program(
            """
            key = pulumi.Output.secret("hush-hush-4711")
            WorkflowRun("secret", vid="v-secret", template_id="t", callback_args=key)
            bad = WorkflowRun("bad", vid="emu-fail-1001", template_id="t")
            batch = WorkflowBatch(
                "batch", items={"a": {"vid": "a"}, "b": {"vid": "emu-fail-2003"}},
                defaults={"template_id": "at-once"},
            )
            batch.wait(on_failure="record")
            """
        )
        assert project.up().wait() == 0
        file = export(project)
        told = json.loads(vod(project, "runs", file, "--format", "json"))
        rows = {", ".join(row["names"]): row for row in told["runs"]}
        phases = {name: row["phase"] for name, row in rows.items()}
        assert phases == {
            "bad": "submitted",
            "secret": "submitted",
            "batch[a]": "succeeded",
            "batch[b]": "failed",
        }
        assert {row["runId"] for row in rows.values()} == stand.ids
        assert rows["batch[a]"]["transcodes"][0]["format"] == "mp4"
        assert "transcoding timed out" in rows["batch[b]"]["statusReason"]

        watch = subprocess.Popen(
            [*COMMAND, "runs", file, "--watch"],
            env=environ(project),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watch.stderr is not None
        for _ in ("secret", "bad"):
            assert ": pending (PendingStart: queued)" in watch.stderr.readline()
        watch.send_signal(signal.SIGINT)
        out, error = watch.communicate(timeout=20)
        assert watch.returncode == 130, out + error
        assert re.search(r"pending +secret ", out)
        assert "Traceback" not in error

        stand.emulator.advance(5000)
        before = Path(file).read_bytes()
        text = vod(project, "runs", file, "--watch", "--html", "page.html", "--fail-on-failed",
                   code=1)  # fmt: skip
        assert "1001: the source is damaged or cannot be parsed" in text
        assert "Correct the declaration (paid: starts one run)." in text
        assert re.search(r"succeeded +secret .* \[secret\] +emu:", text)
        assert "The state is unchanged" in text
        page = (project.folder / "page.html").read_text()
        ciphers = re.findall(r'"ciphertext": ?"([^"]+)"', before.decode())
        assert ciphers
        assert SIGNATURE in before.decode()
        for secret in ("hush-hush", SIGNATURE, *ciphers):
            assert secret not in text + page
        assert Path(export(project)).read_bytes() == before
        assert len(stand.ledger) == 4
