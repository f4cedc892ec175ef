"""What `vod-workflow review` promises of a real preview is what the ledger gains by the `up`."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pulumi_vod_workflow.cli.__main__ import app
from pulumi_vod_workflow.core.plan_message import PlanMessage, parse_plan_message
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.lifecycle.announcements import MAX_RESOURCES_COUNTED_AT_ONCE
from tests.engine.prediction import Prediction
from tests.engine.project import Project
from tests.scale import TORTURE

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
DECLARE = '''
from pulumi import Alias, Output, ResourceOptions as O
from pulumi_vod_workflow import DirectUrlArgs

def run(name, opts=None, **more):
    """A run whose workflow tells, in the ledger, who declares it."""
    inputs = {"vid": f"{name}.v1", "template_id": f"{name}.1", **more}
    return WorkflowRun(name, opts, **{k: v for k, v in inputs.items() if v is not ...})

def batch(name, items, opts=None, **defaults):
    """A batch whose workflow, and whose items' sources, tell the same."""
    items = {
        k: item if isinstance(item, Output) else {"vid": f"{k}.v1", **item}
        for k, item in items.items()
    }
    return WorkflowBatch(name, opts, items=items, defaults={"template_id": f"{name}.1", **defaults})
'''
SPEC = '{"override_params": {"logo": [{"template_id": "l", "vars": {"text": "%s"}}]}}'
SHOTS = '{"override_params": {"snapshot": [{"template_id": ["s"], "sample_offsets": [%s]}]}}'
URNS = {
    "dynamic": "urn:pulumi:dev::project::pulumi-python:dynamic/vod:",
    "plugin": "urn:pulumi:dev::project::vod:index:",
}


@dataclass(frozen=True)
class Change:
    """One resource, and what becomes of it."""

    name: str
    before: str
    """How it is declared at first: "" if it is not."""
    after: str
    """How it is declared then."""
    promise: dict[str, tuple[int, int | None]] | tuple[int, int | None]
    """(for certain, at most), for each item if it is a batch."""
    paid: dict[str, int] | int
    """What the ledger gains."""
    ended: bool = False
    """Whether its first run has ended, and a refresh has read that."""
    fresh: bool = False
    """Whether no refresh has read its first run, so that only the journal knows it."""
    replace: bool = field(default=False)
    """Whether the engine is told to replace it."""
    type: str = "WorkflowRun"


def free(name: str, before: str, after: str, **more: Any) -> Change:
    return Change(name, before, after, (0, 0), 0, **more)


def paid(name: str, before: str, after: str, **more: Any) -> Change:
    return Change(name, before, after, (1, 1), 1, **more)


def unsure(name: str, before: str, after: str, paid: int, **more: Any) -> Change:
    return Change(name, before, after, (0, 1), paid, **more)


NEW_ID = "moving.run_id"
"""A value that is not known before `up`."""
RUNS = [
    # what is declared at all
    paid("new", "", "run('new')"),
    free("removed", "run('removed')", ""),
    free("unchanged", "run('unchanged')", "run('unchanged')"),
    paid("back", "", "run('back')"),  # its earlier run has ended, and is forgotten: see `first`
    free("retained", "run('retained', O(retain_on_delete=True))", ""),
    paid("moving", "moving = run('moving')", "moving = run('moving', vid='v2')"),
    paid("builtin", "", "run('builtin', template_id='06853553c4d3402698a17ff5dff87fd7')"),
    # every input of a start
    paid("vid", "run('vid')", "run('vid', vid='v2')"),
    paid("template", "run('template')", "run('template', template_id='template.2')"),
    paid(
        "file",
        "run('file', vid=..., direct_url={'file_name': 'a'})",
        "run('file', vid=..., direct_url={'file_name': 'b'})",
    ),
    paid(
        "space",
        "run('space', vid=..., direct_url={'file_name': 'a'})",
        "run('space', vid=..., direct_url={'file_name': 'a', 'space_name': 's'})",
    ),
    paid("source", "run('source')", "run('source', vid=..., direct_url={'file_name': 'a'})"),
    paid("logo", f"run('logo', input={SPEC % 'a'})", f"run('logo', input={SPEC % 'b'})"),
    paid("shots", f"run('shots', input={SHOTS % 1.5})", f"run('shots', input={SHOTS % 2.5})"),
    paid("condition", "run('condition')", "run('condition', input={'condition': {'c': True}})"),
    paid("plain", f"run('plain', input={SPEC % 'a'})", "run('plain')"),
    paid("priority", "run('priority')", "run('priority', priority=1)"),
    paid("callback", "run('callback', callback_args='a')", "run('callback', callback_args='b')"),
    paid("idle", "run('idle')", "run('idle', enable_low_priority=True)"),
    paid("queue", "run('queue')", "run('queue', task_list_id='q')"),
    # the same, spelled otherwise
    free("default", "run('default')", "run('default', priority=0, callback_args='')"),
    free("float", "run('float', triggers={'n': 1})", "run('float', triggers={'n': 1.0})"),
    free(
        "spelling",
        "run('spelling', vid=..., direct_url={'fileName': 'f'})",
        "run('spelling', vid=..., direct_url=DirectUrlArgs(file_name='f'))",
    ),
    # triggers, tokens
    paid("trigger-added", "run('trigger-added')", "run('trigger-added', triggers={'a': 1})"),
    paid(
        "trigger-changed",
        "run('trigger-changed', triggers={'a': 1, 'b': 1})",
        "run('trigger-changed', triggers={'a': 2})",
    ),
    free(
        "trigger-removed",
        "run('trigger-removed', triggers={'a': 1, 'b': 1})",
        "run('trigger-removed', triggers={'a': 1})",
    ),
    paid(
        "token",
        "run('token', client_token='one', triggers={'a': 1})",
        "run('token', client_token='two', triggers={'a': 2})",
    ),
    paid("token-own", "run('token-own')", "run('token-own', client_token='mine')"),
    free("token-dropped", "run('token-dropped', client_token='its')", "run('token-dropped')"),
    paid("twin-a", "", "twin = run('twin-a', client_token='twin', template_id='twin-a.1')"),
    unsure(
        "twin-b",
        "",
        "run('twin-b', O(depends_on=[twin]), vid='twin-a.v1', template_id='twin-a.1',"
        " client_token='twin')",
        0,
    ),
    # failures
    paid(
        "failed",
        "run('failed', vid='emu-fail-2003')",
        "run('failed', vid='emu-fail-2003', rerun_on_failure=True)",
        ended=True,
    ),
    free(
        "user-failed",
        "run('user-failed', vid='emu-fail-1001')",
        "run('user-failed', vid='emu-fail-1001', rerun_on_failure=True)",
        ended=True,
    ),
    free(
        "left-failed",
        "run('left-failed', vid='emu-fail-2003')",
        "run('left-failed', vid='emu-fail-2003')",
        ended=True,
    ),
    paid(
        "rerun-on",
        "run('rerun-on', vid='emu-fail-1001')",
        "run('rerun-on', vid='emu-fail-1001', rerun_on=['userError'])",
        ended=True,
    ),
    free(
        "rerun-on-another",
        "run('rerun-on-another', vid='emu-fail-1001')",
        "run('rerun-on-another', vid='emu-fail-1001', rerun_on=['systemError'])",
        ended=True,
    ),
    free("rerun", "run('rerun')", "run('rerun', rerun_on_failure=True)"),
    # adoption
    free("base", "base = run('base')", "base = run('base')"),
    free("adopting", "", "WorkflowRun('adopting', existing_run_id=base.run_id)"),
    free(
        "adopts-itself",
        "run('adopts-itself')",
        "run('adopts-itself', existing_run_id='RUN-OF-adopts-itself')",
    ),
    free(
        "adopts-other",
        "run('adopts-other')",
        "WorkflowRun('adopts-other', existing_run_id=base.run_id)",
    ),
    free(
        "no-longer-adopting",
        "WorkflowRun('no-longer-adopting', existing_run_id=base.run_id)",
        "WorkflowRun('no-longer-adopting', vid='base.v1', template_id='base.1')",
    ),
    paid(
        "own-again",
        "WorkflowRun('own-again', existing_run_id=base.run_id)",
        "run('own-again')",
    ),
    free(
        "secret-adopting",
        "",
        "WorkflowRun('secret-adopting', existing_run_id=Output.secret('RUN-OF-base'))",
    ),
    unsure(
        "adopts-unknown",
        "",
        f"run('adopts-unknown', vid='base.v1', template_id='base.1', "
        f"existing_run_id={NEW_ID}.apply(lambda _: 'RUN-OF-base'))",
        0,
    ),
    free("looked-up", "", "WorkflowRun.get('looked-up', 'RUN-OF-base')"),
    # what is not known before `up`
    paid("unknown-new", "", f"run('unknown-new', vid={NEW_ID})"),
    unsure("unknown", "run('unknown')", f"run('unknown', vid={NEW_ID})", 1),
    unsure(
        "unknown-same",
        "run('unknown-same')",
        f"run('unknown-same', vid={NEW_ID}.apply(lambda _: 'unknown-same.v1'))",
        0,
    ),
    paid(
        "unknown-and-known",
        "run('unknown-and-known')",
        f"run('unknown-and-known', vid={NEW_ID}, priority=1)",
    ),
    unsure(
        "unknown-trigger",
        "run('unknown-trigger')",
        f"run('unknown-trigger', triggers={{'a': {NEW_ID}}})",
        1,
    ),
    unsure(
        "unknown-secret",
        "run('unknown-secret')",
        f"run('unknown-secret', vid=Output.secret({NEW_ID}))",
        1,
    ),
    # who declares it
    free("renamed-from", "run('renamed-from', template_id='renamed.1')", ""),
    free(
        "renamed",
        "",
        "run('renamed', O(aliases=[Alias(name='renamed-from')]), vid='renamed-from.v1')",
    ),
    free("unaliased-from", "run('unaliased-from', template_id='unaliased.1')", ""),
    paid("unaliased", "", "run('unaliased', vid='unaliased-from.v1')"),
    paid("nested", "", "run('nested', O(parent=pulumi.ComponentResource('c:c:C', 'c')))"),
    # secrets
    paid("secret-new", "", "run('secret-new', callback_args=Output.secret('s3cr3t-a'))"),
    paid(
        "secret",
        "run('secret', callback_args=Output.secret('s3cr3t-a'))",
        "run('secret', callback_args=Output.secret('s3cr3t-b'))",
    ),
    free(
        "secret-same",
        "run('secret-same', callback_args=Output.secret('s3cr3t-a'))",
        "run('secret-same', callback_args=Output.secret('s3cr3t-a'))",
    ),
    free(
        "secret-now",
        "run('secret-now', callback_args='s3cr3t-a')",
        "run('secret-now', callback_args=Output.secret('s3cr3t-a'))",
    ),
    paid(
        "secret-trigger",
        "run('secret-trigger', triggers=Output.secret({'a': 1}))",
        "run('secret-trigger', triggers=Output.secret({'a': 2}))",
    ),
    # options of the engine
    free("protected", "run('protected')", "run('protected', O(protect=True))"),
    free(
        "ignored",
        "run('ignored', O(ignore_changes=['vid']))",
        "run('ignored', O(ignore_changes=['vid']), vid='v2')",
    ),
    paid(
        "ignored-other",
        "run('ignored-other', O(ignore_changes=['triggers']))",
        "run('ignored-other', O(ignore_changes=['triggers']), vid='v2', triggers={'a': 1})",
    ),
    free(
        "replace-on",
        "run('replace-on', O(replace_on_changes=['rerunOnFailure']))",
        "run('replace-on', O(replace_on_changes=['rerunOnFailure']), rerun_on_failure=True)",
    ),
    paid(
        "first-deleted",
        "gone = run('first-deleted', O(delete_before_replace=True))",
        "gone = run('first-deleted', O(delete_before_replace=True), vid='v2')",
    ),
    paid(
        "dependent",
        "run('dependent', vid=gone.run_id)",
        "run('dependent', vid=gone.run_id)",
    ),
    free(
        "depending",
        "run('depending', O(depends_on=[gone]))",
        "run('depending', O(depends_on=[gone]))",
    ),
    unsure("forced", "run('forced')", "run('forced')", 0, replace=True),
    free("forced-fresh", "run('forced-fresh')", "run('forced-fresh')", fresh=True, replace=True),
    unsure(
        "forced-ended", "run('forced-ended')", "run('forced-ended')", 1, ended=True, replace=True
    ),
    paid("forced-too", "run('forced-too')", "run('forced-too', vid='v2')", replace=True),
    unsure(
        "replacement-trigger",
        "run('replacement-trigger', O(replacement_trigger='a'))",
        "run('replacement-trigger', O(replacement_trigger='b'))",
        0,
    ),
    unsure(
        "replaced-with",
        "run('replaced-with', O(replace_with=[moving]))",
        "run('replaced-with', O(replace_with=[moving]))",
        0,
    ),
]
COMPLETION = "WorkflowCompletion"
BATCH = "WorkflowBatch"
OTHERS = [
    free("over", "over = run('over')", "over = run('over')", ended=True),
    free("waiting", "", "over.wait()", type=COMPLETION),
    Change(
        "items",
        "batch('items', {'same': {}, 'vid': {}, 'trigger': {}, 'gone': {},"
        " 'untriggered': {'triggers': {'a': 1}}, 'corrected': {'vid': 'emu-missing'},"
        " 'unknown': {}, 'unknown-same': {},"
        " 'adopts': {}, 'secret': {'callback_args': Output.secret('s3cr3t-a')},"
        " 'secret-same': {'callback_args': Output.secret('s3cr3t-a')}})",
        "batch('items', {'secret-same': {'callback_args': Output.secret('s3cr3t-a')},"
        " 'secret': {'callback_args': Output.secret('s3cr3t-b')}, 'added': {}, 'corrected': {},"
        f" 'unknown': {{'vid': {NEW_ID}}}, 'unknown-new': {{'callback_args': {NEW_ID}}},"
        f" 'unknown-same': {{'vid': {NEW_ID}.apply(lambda _: 'unknown-same.v1')}},"
        f" 'adopts-unknown': {{'existing_run_id': {NEW_ID}.apply(lambda _: 'RUN-OF-base'),"
        " 'vid': 'base.v1', 'template_id': 'base.1'},"
        " 'adopts': {'existing_run_id': 'RUN-OF-base', 'vid': 'base.v1', 'template_id': 'base.1'},"
        " 'untriggered': {}, 'trigger': {'triggers': {'a': 1}}, 'vid': {'vid': 'vid.v2'},"
        " 'same': {}})",
        {
            **dict.fromkeys(["same", "untriggered", "gone", "adopts", "secret-same"], (0, 0)),
            **dict.fromkeys(["vid", "trigger", "added", "corrected", "unknown-new"], (1, 1)),
            **dict.fromkeys(["unknown", "unknown-same", "adopts-unknown", "secret"], (0, 1)),
        },
        dict.fromkeys(
            ["vid", "trigger", "added", "corrected", "unknown-new", "unknown", "secret"], 1
        ),
        type=BATCH,
    ),
    Change(
        "secrets",
        "batch('secrets', {'a': {'callback_args': Output.secret('s3cr3t-a')}, 'b': {}, 'c': {}})",
        "batch('secrets', {'a': {'callback_args': Output.secret('s3cr3t-b')}, 'c': {},"
        " 'b': Output.secret({'vid': 'b.v2'}), 'd': Output.secret({'vid': 'd.v1'})})",
        {"a": (1, 1), "b": (1, 1), "c": (0, 0), "d": (1, 1)},
        {"a": 1, "b": 1, "d": 1},
        type=BATCH,
    ),
    Change(
        "defaults",
        "batch('defaults', {'sees': {}, 'own': {'priority': 2}})",
        "batch('defaults', {'own': {'priority': 2}, 'sees': {}}, priority=1)",
        {"sees": (1, 1), "own": (0, 0)},
        {"sees": 1},
        type=BATCH,
    ),
    Change(
        "many",
        "",
        "batch('many', {f'k{n:03}': {} for n in range(105)})",
        {"": (105, 105)},
        {"": 105},
        type=BATCH,
    ),
    Change(
        "again",
        "batch('again', {'a': {}})",
        "batch('again', {'a': {}, 'b': {}})",
        {"a": (0, 1), "b": (1, 1)},
        {"b": 1},
        replace=True,
        type=BATCH,
    ),
    Change(
        "again-fresh",
        "batch('again-fresh', {'a': {}})",
        "batch('again-fresh', {'a': {}, 'b': {}})",
        {"a": (0, 0), "b": (1, 1)},
        {"b": 1},
        fresh=True,
        replace=True,
        type=BATCH,
    ),
    Change(
        "limited",
        "",
        "WorkflowBatch('limited', max_failures=5, defaults={'template_id': 'limited.1'},"
        " items={'a': {'vid': 'a.v1'}, 'b': {'vid': 'b.v1'}})",
        {"a": (1, 1), "b": (1, 1)},
        {"a": 1, "b": 1},
        type=BATCH,
    ),
    Change("ended", "batch('ended', {'a': {}})", "", {"a": (0, 0)}, {}, type=BATCH),
    Change(
        "hidden",
        "",
        "WorkflowBatch('hidden', defaults={'template_id': 'hidden.1'},"
        " items=Output.secret({'a': {'vid': 'a.v1'}, 'b': {'vid': 'b.v1'}}))",
        {"": (2, 2)},
        {"": 2},
        type=BATCH,
    ),
    Change(
        "open",
        "",
        "WorkflowBatch('open', defaults={'template_id': 'open.1'},"
        f" items={NEW_ID}.apply(lambda _: {{'a': {{'vid': 'a.v1'}}}}))",
        {"": (0, None)},
        {"": 1},
        type=BATCH,
    ),
]
CHANGES = [*RUNS, *OTHERS]
Key = tuple[str, str]


def flat(change: Change) -> dict[Key, tuple[tuple[int, int | None], int]]:
    """What is expected of a change: (resource, item) -> (promise, paid)."""
    promise = change.promise if isinstance(change.promise, dict) else {"": change.promise}
    paid = change.paid if isinstance(change.paid, dict) else {"": change.paid}
    return {(change.name, item): (promise[item], paid.get(item, 0)) for item in promise}


WHOLE = {
    change.name for change in CHANGES if isinstance(change.promise, dict) and "" in change.promise
}
"""Batches that are counted as a whole."""
TYPES = {change.name: change.type for change in CHANGES}
EXPECTED = {key: found for change in CHANGES for key, found in flat(change).items()}
PACKAGED = {
    ("replace-on", ""): ((0, 1), 0),  # this host honours the option
    # Each preview reads the runs, so none of them is known to the journal alone.
    ("forced-fresh", ""): ((0, 1), 0),
    ("again-fresh", "a"): ((0, 1), 0),
}
"""What the packaged provider promises otherwise."""


@dataclass
class Outcome:
    """What was promised, and what was paid."""

    review: dict[str, Any]
    detailed: dict[str, Any]
    """The review of a preview that says more; `make test` has one only of fewer changes, below."""
    events: dict[str, Any]
    """The review of the engine's events, of a preview that says more."""
    summary: dict[str, Any] | None
    """The review of the summary of `--output json`; `make test` has one of fewer changes, below."""
    texts: list[str]
    """The review in every form."""
    lines: list[dict[str, Any]]
    """The lines in the engine's events."""
    ledger: list[dict[str, Any]]
    expected: dict[Key, tuple[tuple[int, int | None], int]]

    @property
    def promised(self) -> dict[Key, tuple[int, int | None]]:
        """What the review says, by who declares it."""
        found: dict[Key, tuple[int, int | None]] = {}
        for run in self.review["runs"]:
            key = run["resource"], "" if run["resource"] in WHOLE else run["item"] or ""
            certain, most = found.get(key, (0, 0))
            count = run["count"]
            certain += count if run["certain"] else 0
            found[key] = certain, None if count is None or most is None else most + count
        return found

    @property
    def paid(self) -> Counter[Key]:
        """What the ledger has, by who declares it."""
        found: Counter[Key] = Counter()
        for start in self.ledger:
            tagged = start["templateId"] if "." in start["templateId"] else start["vid"]
            name = tagged.partition(".")[0]
            head, _, rest = start.get("vid", "").partition(".")
            item = head if rest else "unknown"  # whose source is another run
            found[name, item if BATCH in TYPES[name] and name not in WHOLE else ""] += 1
        return found


SAYS_MORE = ("--diff", "--show-replacement-steps", "--show-sames")
"""Every option that makes a preview say more."""
ONE_CHECKPOINT = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
"""
The engine writes the state once after an update, and not after each step.

That halves its processor time for 200 resources. No update of these stories is killed.
"""
STREAMED = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}


def preview(project: Project, *options: str, form: str = "--json", **environ: str) -> bytes:
    found = subprocess.run(
        ["pulumi", "preview", form, "--stack", "dev", "--non-interactive", *options],
        cwd=project.folder,
        env={**project.environ, **environ},
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout.decode()[-3000:] + found.stderr.decode()
    return found.stdout


def reviewed(data: bytes, *options: str) -> str:
    result = CliRunner().invoke(app, ["review", *options], input=data)
    assert result.exit_code == 0, result.output
    return result.output


def bounds(summary: dict[str, Any], review: dict[str, Any]) -> set[str]:
    """
    Return the resources that a summary, which has no inputs, counts without a limit.

    It has all resources of the review, and nothing in it is certain.
    """
    counts = {run["resource"]: run["count"] for run in summary["runs"]}
    assert {run["resource"] for run in review["runs"]} <= {*counts}
    assert summary["starts"]["certain"] == 0
    return {name for name, count in counts.items() if count is None}


def declare_changes(project: Project, emulator: VodEmulator, lines: Iterable[str]) -> None:
    """Write the program with these lines, and the ids of runs for `RUN-OF-` and a name."""
    ids = {start["templateId"].split(".")[0]: start["runId"] for start in emulator.ledger()}
    text = "\n".join([DECLARE, *lines])
    project.program(re.sub(r"RUN-OF-([\w-]+)", lambda name: ids[name[1]], text))


@pytest.fixture
def outcome(like: Project, tmp_path: Path) -> Iterator[Outcome]:
    """All changes in one stack: updates and a refresh before, previews, one update after."""
    settings = EmulatorSettings(rate_limit=0, pending_seconds=1000, running_seconds=1000)
    with VodEmulator(settings) as emulator, Project(tmp_path, emulator.url, like=like) as project:

        def declare(*lines: str) -> None:
            declare_changes(project, emulator, lines)

        def done(*options: str) -> None:
            usual = dict(project.environ)
            project.environ |= ONE_CHECKPOINT
            update = project.up(*options)
            project.environ = usual
            assert update.wait() == 0, update.said

        ended = [change.name for change in CHANGES if change.ended] + ["back"]
        at_once = {"pendingSeconds": 0, "runningSeconds": 0}
        emulator.settings(rules=[{"template": f"{name}.1", **at_once} for name in ended])
        declare("run('back')", *(change.before for change in CHANGES if not change.fresh))
        done()
        declare(*(change.before for change in CHANGES))
        done("--skip-preview", "--refresh")  # it reads what was there before the update
        before = len(emulator.ledger())
        declare(*(change.after for change in CHANGES))
        forced = [
            option
            for change in CHANGES
            if change.replace
            for option in ("--replace", f"{URNS[project.host]}{change.type}::{change.name}")
        ]
        data = preview(project, *forced)
        detailed = preview(project, *SAYS_MORE, *forced) if TORTURE else data
        events = preview(project, "--color=always", *SAYS_MORE, *forced, **STREAMED)
        summary = preview(project, *forced, form="--output=json") if TORTURE else None
        assert len(emulator.ledger()) == before
        done("--skip-preview", *forced)
        yield Outcome(
            json.loads(reviewed(data, "--format=json")),
            json.loads(reviewed(detailed, "--format=json")),
            json.loads(reviewed(events, "--format=json")),
            json.loads(reviewed(summary, "--format=json")) if summary else None,
            [reviewed(data, f"--format={form}") for form in ("terminal", "markdown", "json")],
            [
                line
                for event in map(json.loads, events.splitlines())
                if (line := event.get("diagnosticEvent"))
            ],
            emulator.ledger()[before:],
            {**EXPECTED, **(PACKAGED if project.host == "plugin" else {})},
        )


def test_each_expectation_keeps_the_promise() -> None:
    """No start is paid that was not promised, and each that was certain is paid."""
    assert len(EXPECTED) >= 100
    for (certain, at_most), paid in EXPECTED.values():
        assert certain <= paid
        assert at_most is None or paid <= at_most


@pytest.mark.torture
def test_the_ledger_gains_what_is_promised(outcome: Outcome, subtests: pytest.Subtests) -> None:
    """For each change: what is promised is what it costs, or bounds it where it cannot be known."""
    for key, expected in outcome.expected.items():
        with subtests.test(".".join(filter(None, key))):
            assert (outcome.promised.get(key, (0, 0)), outcome.paid[key]) == expected
    with subtests.test("nothing else is promised or paid"):
        assert {*outcome.promised} | {*outcome.paid} <= {*outcome.expected}
        starts = outcome.review["starts"]
        assert starts["certain"] == sum(certain for (certain, _), _ in outcome.expected.values())
        assert starts["atMost"] is None
    with subtests.test("the JSON alone predicts the ledger"):
        assert [*Prediction.of(outcome.review).problems(outcome.ledger)] == []
    with subtests.test("a preview that says more, and events, promise the same"):
        assert outcome.detailed == outcome.events == outcome.review
    if outcome.summary:
        with subtests.test("the summary, which has no inputs, bounds it"):
            batches = {urn for urn, kind in TYPES.items() if kind == BATCH}
            assert bounds(outcome.summary, outcome.review) <= batches
    with subtests.test("the same work is told"):
        same = {run["resource"]: run["sameWork"] for run in outcome.review["runs"]}
        assert same["unaliased"]["resource"] == "unaliased-from"
        assert same["unaliased"]["remedy"] == "aliases"
    plans: dict[str, list[PlanMessage]] = defaultdict(list)
    lasting: dict[str, str] = {}
    for line in outcome.lines:
        name = line.get("urn", "").rpartition("::")[2]
        text = line["message"].replace("<{%reset%}>", "").strip()
        found = parse_plan_message(text)
        if found is not None:
            plans[name].append(found)
        if not line.get("ephemeral") and line["severity"] == "info":
            lasting[name] = text
    with subtests.test("each resource has one message for each operation"):
        for found_plans in plans.values():
            assert len({plan.operation for plan in found_plans}) == len(found_plans)
        reported = {run["resource"] for run in outcome.review["runs"]}
        free = {part["resource"] for part in outcome.review["free"] if part["what"] != "recorded"}
        runs = {name for name in plans if TYPES[name] != BATCH}
        assert len(runs) > MAX_RESOURCES_COUNTED_AT_ONCE
        assert {name for name in reported if TYPES[name] == BATCH} <= {*plans}
        assert free - {"looked-up", "waiting", "over-completion"} <= {*plans}
        assert not {"unchanged", "base", "protected", "default"} & {*plans}
    with subtests.test("the message counts what is promised of each batch"):
        for name in (name for name, kind in TYPES.items() if kind == BATCH and name in plans):
            most = [
                most for (found, _), ((_, most), _) in outcome.expected.items() if found == name
            ]
            total = None if None in most else sum(number for number in most if number)
            assert plans[name][-1].start_count == total
    with subtests.test("people read a sentence last"):
        assert [name for name, text in lasting.items() if parse_plan_message(text)] == []
    with subtests.test("no secret is in any form"):
        assert "s3cr3t" not in json.dumps(outcome.lines)
        for text in outcome.texts:
            assert "s3cr3t" not in text
            assert "emulator-secret-key" not in text


RENAMED = """
from pulumi import Alias, ResourceOptions as O

def run(name, opts=None, **more):
    WorkflowRun(name, opts, vid=name[0], template_id="t", **more)

def batch(name, opts=None, **items):
    WorkflowBatch(name, opts, items=items, defaults={"template_id": "t"})
"""


def test_what_the_review_advises_keeps_the_runs(like: Project, tmp_path: Path) -> None:
    """
    Renamed or moved, a resource or an item is paid again; as the review says it is free.

    The review names a copy of a run that stays, too. The preview leaves out what does not change:
    only the provider knows of the other run. The summary of a preview bounds what it promises.
    """
    settings = EmulatorSettings(rate_limit=0, pending_seconds=1000, running_seconds=1000)
    stays = "stays = WorkflowRun('stays', vid='v', template_id='t')"
    with VodEmulator(settings) as emulator, Project(tmp_path, emulator.url, like=like) as project:

        def declare(*lines: str) -> None:
            project.program("\n".join([RENAMED, stays, *lines]))

        def runs(digest: bytes) -> dict[str, dict[str, Any]]:
            promised = json.loads(reviewed(digest, "--format=json"))
            assert promised["starts"]["certain"] == promised["starts"]["atMost"]
            return {
                ".".join(filter(None, (run["resource"], run["item"]))): run
                for run in promised["runs"]
            }

        declare(
            "run('a-old')",
            "run('m-run')",
            "batch('old', x={'vid': 'x'}, y={'vid': 'y'})",
            "batch('kept', k={'vid': 'k'}, n={'vid': 'n'})",
        )
        update = project.up()
        assert update.wait() == 0, update.said
        paid = emulator.ledger()
        declare(
            "run('a-new')",
            "run('n-run')",
            "batch('new', x={'vid': 'x'}, y={'vid': 'y'})",
            "batch('kept', l={'vid': 'k'}, m={'vid': 'm'})",
            "WorkflowRun('copy', O(depends_on=[stays]), vid='v', template_id='t')",  # checked later
            "run('other')",
            "batch('others', o={'vid': 'o1'}, p={'vid': 'o2'})",
        )
        digest = preview(project)
        summary = json.loads(reviewed(preview(project, form="--output=json"), "--format=json"))
        promised = json.loads(reviewed(digest, "--format=json"))
        assert bounds(summary, promised) <= {"new", "kept", "others"}
        again = runs(digest)
        for name in ("other", "others.o", "others.p"):
            assert again.pop(name)["sameWork"] is None
        [warning] = again.pop("copy")["warnings"]
        assert warning.endswith("each run is paid: stays")
        assert "paid: stays" in reviewed(digest)
        same = {name: run["sameWork"] for name, run in again.items()}
        assert {name: work["remedy"] for name, work in same.items()} == {
            "a-new": "aliases",
            "n-run": "existingRunId",
            "new.x": "aliases",
            "new.y": "aliases",
            "kept.l": "existingRunId",
            "kept.m": "existingRunId",
        }
        ids = {name: work["runId"] for name, work in same.items()}
        declare(
            f"run('a-new', O(aliases=[Alias(name={same['a-new']['resource']!r})]))",
            f"run('n-run', existing_run_id={ids['n-run']!r})",
            f"batch('new', O(aliases=[{same['new.x']['urn']!r}]),"
            " x={'vid': 'x'}, y={'vid': 'y'})",
            f"batch('kept', l={{'vid': 'k', 'existing_run_id': {ids['kept.l']!r}}},"
            f" m={{'vid': 'm', 'existing_run_id': {ids['kept.m']!r}}})",
        )
        assert runs(preview(project, *SAYS_MORE)) == {}
        update = project.up()
        assert update.wait() == 0, update.said
        assert emulator.ledger() == paid
