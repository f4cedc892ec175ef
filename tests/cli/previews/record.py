"""
Record previews of the real engine.

Command: `tools/with-engine .venv/bin/python -m tests.cli.previews.record [NAME ...]`.

The engine applies one program of a scenario, and previews another one. The output stays as it is,
except for machine paths and the events about outputs, which nothing reads.
The other files here are older recordings, in which the provider sends no lasting message.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.engine.project import Project

HERE = Path(__file__).parent
WITHIN = {"vod:resendWithin": "60"}  # seconds: an update and a preview lie between
RUN = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowRun::"
BATCH = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowBatch::"
COMMON = """
from pulumi import Alias, Output, ResourceOptions as O
BUILT_IN = "06853553c4d3402698a17ff5dff87fd7"

def run(name, opts=None, **more):
    return WorkflowRun(name, opts, **{"vid": "v1", "template_id": "t1", **more})

def batch(name, items, opts=None):
    return WorkflowBatch(name, opts, items=items, defaults={"template_id": "t1"})

def logo(text):
    return {"override_params": {"logo": [{"template_id": "l", "vars": {"t": text}}]}}
"""


@dataclass(frozen=True)
class Scenario:
    """A stack before and after a change."""

    before: str
    after: str
    refresh: bool = False
    options: tuple[str, ...] = ()
    lost: str = ""
    """A program before both. The service accepts its starts, and the answers are lost."""


MIXED = Scenario(
    before="""
        run("trig", triggers={"a": 1, "b": 1})
        run("changed", input=logo("Hi"))
        run("dbr", O(delete_before_replace=True))
        run("free")
        run("ren")
        run("secret", callback_args=Output.secret("a"))
        same = run("same")
        run("after", vid=same.run_id)
        batch("b", {"gone": {"vid": "v"}, "x": {"vid": "v1"}, "y": {"vid": "v2"},
                    "z": {"vid": "emu-missing"}})
        run("gone")
    """,
    after="""
        trig = run("trig", triggers={"a": 2, "c": 1})
        run("changed", input=logo("Ho"))
        run("dbr", O(delete_before_replace=True), vid="v2")
        run("free", rerun_on_failure=True)
        run("ren2", O(aliases=[Alias(name="ren")]))
        run("secret", callback_args=Output.secret("b"))
        run("newsec", vid=Output.secret("v9"), template_id=BUILT_IN)
        same = run("same")
        run("after", vid=trig.run_id)
        run("new", vid=trig.run_id, template_id=BUILT_IN)
        batch("b2", trig.run_id.apply(lambda _: {}))
        trig.wait()
        batch("b", {"x": {"vid": "v1"}, "y": {"vid": "v3"}, "z": {"vid": "emu-missing"},
                    "n": {"vid": trig.run_id}, "s": {"vid": Output.secret("v9")}})
        WorkflowRun("adopt", existing_run_id=same.run_id)
        same.wait()
    """,
)
SECRETS = Scenario(
    before="""
        run("roc", rerun_on_failure=False)
        run("a")
        dbr = run("dbr", O(delete_before_replace=True))
        run("dep", vid=dbr.run_id)
        run("rt", O(replacement_trigger="a"), vid="v")
        run("sec", vid="v", triggers=Output.secret({"a": 1}))
        run("sec2", vid="v", triggers={"a": Output.secret(1)})
        run("sec3", vid="v")
        run("rw", vid="v")
        run("ret", O(retain_on_delete=True), vid="v")
        batch("b", {"x": {"vid": Output.secret("x1")}, "y": {"vid": Output.secret("y1")}})
        batch("bs", Output.secret({"x": {"vid": "x1"}}))
    """,
    after="""
        run("roc", rerun_on_failure=True)
        a = run("a", vid="v2")
        dbr = run("dbr", O(delete_before_replace=True), vid="v2")
        run("dep", vid=dbr.run_id)
        run("rt", O(replacement_trigger="b"), vid="v")
        run("sec", vid="v", triggers=Output.secret({"a": 2}))
        run("sec2", vid="v", triggers={"a": Output.secret(2)})
        run("sec3", vid=Output.secret(a.run_id))
        run("rw", O(replace_with=[a]), vid="v")
        run("tok1", vid="v", client_token="mine")
        run("tok2", vid="v", client_token="mine")
        WorkflowRun("lookup", existing_run_id=Output.secret("emu:00000001000000000000000000000001"))
        batch("b", {"x": {"vid": Output.secret("x1")}, "y": {"vid": Output.secret("y2")}})
        batch("bs", Output.secret({"x": {"vid": "x1"}, "y": {"vid": "y1"}}))
    """,
    refresh=True,
)
JOURNAL = Scenario(
    lost="""
        run("lost")
        batch("unclear", {"a": {"vid": "a"}, "b": {"vid": "b"}})
    """,
    before="""
        run("fresh")
        run("hidden", callback_args=Output.secret("a"))
        batch("again", {"a": {"vid": "a"}})
    """,
    after="""
        run("fresh")
        run("hidden", callback_args=Output.secret("a"))
        batch("again", {"a": {"vid": "a"}, "b": {"vid": "b"}})
        run("lost")
        batch("unclear", {"a": {"vid": "a"}, "b": {"vid": "b"}, "c": {"vid": "c"}})
    """,
    options=(
        "--replace", f"{RUN}fresh", "--replace", f"{RUN}hidden", "--replace", f"{BATCH}again",
    ),
)  # fmt: skip
FORMS = Scenario(
    before="""
        def own(name, **more):
            return run(name, **{"vid": name, "template_id": BUILT_IN, **more})

        own("gone")
        own("trailer", triggers={"edition": 1})
        WorkflowBatch("episodes", defaults={"template_id": BUILT_IN},
                      items={key: {"vid": key} for key in "abz"})
        own("base")
        own("quiet", callback_args=Output.secret("a"))
    """,
    after="""
        def own(name, **more):
            return run(name, **{"vid": name, "template_id": BUILT_IN, **more})

        trailer = own("trailer", triggers={"edition": 2})
        WorkflowBatch("episodes", defaults={"template_id": BUILT_IN},
                      items={"a": {"vid": "a"}, "b": {"vid": "b", "priority": 2},
                             "c": {"vid": "c"}})
        base = own("base")
        WorkflowRun("adopts", existing_run_id=base.run_id)
        base.wait()
        own("quiet", callback_args=Output.secret("b"))
        own("after", vid=trailer.run_id)
    """,
)


def preview(project: Project, *options: str, form: str = "--json", streamed: bool = False) -> str:
    """Return what a preview writes in one of its forms."""
    stream = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"} if streamed else {}
    done = subprocess.run(
        ["pulumi", "preview", form, "--stack", "dev", "--non-interactive", *options],
        cwd=project.folder,
        env={**project.environ, **stream},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout.decode() + done.stderr.decode())
    text = done.stdout.decode().replace(str(project.folder), "/home/me/project")
    # Traces have the paths of Python and of the engine, relative to the project.
    return text.replace(f"../..{Path.home()}/", "../../home/me/")


def prepare(scenario: Scenario, project: Project, emulator: VodEmulator) -> None:
    """Apply the programs before the preview."""
    if scenario.lost:
        emulator.fault(action="StartWorkflow", kind="reset", when="after", times=999)
        project.program(COMMON + textwrap.dedent(scenario.lost))
        project.up("--yes", "--skip-preview", "--continue-on-error").wait()
        emulator.fault(action="StartWorkflow", kind="reset", times=0)
    project.program(COMMON + textwrap.dedent(scenario.before))
    project.up("--yes", "--skip-preview", "--continue-on-error").wait()
    if scenario.refresh:
        project.command("refresh", "--yes", "--stack", "dev")
    project.program(COMMON + textwrap.dedent(scenario.after))


def main(names: Sequence[str]) -> None:
    """Record the named scenarios, by default all."""
    scenarios = {"mixed": MIXED, "secrets": SECRETS, "journal": JOURNAL, "forms": FORMS}
    for name in names or scenarios:
        scenario = scenarios[name]
        settings = EmulatorSettings(
            rate_limit=0, pending_seconds=1000, running_seconds=1000, seed=1
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            VodEmulator(settings) as emulator,
            Project(Path(folder), emulator.url, config=WITHIN) as project,
        ):
            prepare(scenario, project, emulator)
            digest = json.loads(preview(project, *scenario.options))
            (HERE / f"{name}.json").write_text(f"{json.dumps(digest, indent=1)}\n")
            if scenario is FORMS:
                events = preview(project, "--color=always", streamed=True).splitlines()
                kept = [line for line in events if "resOutputsEvent" not in line]
                (HERE / f"{name}-events.jsonl").write_text("\n".join(kept) + "\n")
                summary = preview(project, form="--output=json")
                (HERE / f"{name}-summary.json").write_text(f"{summary.strip()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
