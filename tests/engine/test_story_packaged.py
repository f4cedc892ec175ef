"""What only the packaged provider does, on the real engine, with the ledger of the emulator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import CustomTimeouts, ResourceOptions
from pulumi import automation as auto

from pulumi_vod_workflow.core.resource_types import COMPLETION_TYPE, PACKAGED_TYPES, RUN_TYPE
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.plugin import WorkflowBatch, WorkflowCompletion, WorkflowRun
from tests.engine.harness import Outcome, Program, Story
from tests.engine.hosts import EXECUTABLE
from tests.hosts.server import serve
from tests.scale import only_in_torture

pytestmark = pytest.mark.hosts("plugin")
HUSH = "s3cr3t-value"
LONG = HUSH * 50


def run(opts: ResourceOptions | None = None, **inputs: Any) -> Program:
    """Return a program of one run that exports what a preview knows."""
    declared = {"vid": "v1", "template_id": "t1", **inputs}

    def program() -> None:
        made = WorkflowRun("run", opts, **declared)
        pulumi.export("token", made.client_token)
        pulumi.export("region", made.region)
        pulumi.export("run", made.run_id)
        pulumi.export("phase", made.phase.apply(str.upper))

    return program


def test_a_preview_knows_the_end_of_runs_and_shows_what_a_rerun_pays(story: Story) -> None:
    """A run that had failed before the command is rerun by it, if it has a preview itself."""
    program = run(rerun_on_failure=True)
    story.emulator.outcome("2001", times=2)
    first = story.pays(program, 1)
    planned = story.shown.text
    assert f'token : "{first.outputs["token"]}"' in planned
    assert 'region: "cn-north-1"' in planned
    assert "run   : [unknown]" in planned

    # It fails now, and a preview of the same command may have read it before.
    story.emulator.advance(2001)
    story.stays(program)
    assert story.run["phase"] == "failed"
    rerun = story.pays(program, 1)
    assert ("create-replacement", "run") in rerun.changed

    # It has failed long before the command. But `up --skip-preview` shows nothing, and the preview
    # that its user has seen may be older than the failure.
    story.emulator.advance(9000)
    assert story.preview(program).starts == 1
    story.stays(program)


def test_a_wait_continues_and_an_import_changes_nothing(story: Story) -> None:
    """
    A custom timeout limits one wait. The next update continues it free, also after a refresh.

    An import of the run changes nothing. Nor do another region and other settings.
    """

    def program() -> None:
        made = WorkflowRun("run", vid="v1", template_id="t1")
        limits = ResourceOptions(custom_timeouts=CustomTimeouts(create="1s", update="1s"))
        WorkflowCompletion("wait", limits, runs={"run": made.run_id}, timeout="1h")

    assert "1 of 1 runs have not ended after 1 s" in story.failing_up(program).text
    [wait] = story.of_type(COMPLETION_TYPE).values()
    [reason] = wait["initErrors"]
    assert "hint: run `pulumi up` again to continue the wait" in reason
    story.refresh()  # the engine forgets the error
    assert "initErrors" not in story.of_type(COMPLETION_TYPE)["wait"]
    story.emulator.advance(5000)
    run_id = story.run["runId"]

    def with_import() -> None:
        program()
        WorkflowRun("imported", ResourceOptions(import_=run_id), existing_run_id=run_id)

    changed = story.up(with_import).changed
    assert sorted(changed) == [("import", "imported"), ("update", "wait")]
    assert story.completion["results"]["run"]["phase"] == "succeeded"
    assert "initErrors" not in story.of_type(COMPLETION_TYPE)["wait"]
    story.write_config(vod_region="ap-southeast-1", vod_resendWithin="9")
    story.stays(with_import)
    assert len(story.emulator.ledger()) == 1


LIMITS = {"none": "0", "zero": "0s", "longest": "2562047h47m", "past": "-1s"}
"""Custom timeouts that the engine accepts; zero is its default."""


@only_in_torture("the engine reads custom timeouts, and another test has a short one")
@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0.2)
def test_odd_custom_timeouts_pay_once(story: Story) -> None:
    """Only a wait has a limit. A text that is no duration is the engine's own error."""

    def program(**limits: str) -> Program:
        def declare() -> None:
            for name, limit in limits.items():
                timeouts = CustomTimeouts(create=limit, update=limit, delete=limit)
                opts = ResourceOptions(custom_timeouts=timeouts)
                made = WorkflowRun(name, opts, vid=name, template_id="t1")
                WorkflowCompletion(f"{name}-wait", opts, runs=[made], timeout="1h")

        return declare

    with pytest.raises(auto.CommandError, match="unable to parse customTimeout Value soon"):
        story.stack.preview(program=program(no="soon"))
    assert story.emulator.ledger() == []
    failed = story.failing_up(program(**LIMITS), continue_on_error=True).text
    assert "1 of 1 runs have not ended after 0 s" in failed
    waits = story.of_type(COMPLETION_TYPE)
    assert [name for name, wait in waits.items() if "initErrors" in wait] == ["past-wait"]
    assert len(story.emulator.ledger()) == len(LIMITS)
    story.up(program(**{**LIMITS, "past": "1h"}))
    assert len(story.emulator.ledger()) == len(LIMITS)


DEFAULT_LIMIT = 4 << 20
"""The most bytes of a message without an option of gRPC."""


@only_in_torture("2,500 starts take 50 s; `make torture` has them")
def test_a_large_batch_passes_in_both_directions(story: Story) -> None:
    """Check, Create, Read, Diff and Update have requests and answers above gRPC's usual limit."""
    count = 2_500
    text = "x" * (2 * DEFAULT_LIMIT // count)
    keys = [f"k{number:05}" for number in range(count)]

    def program(*keys: str) -> Program:
        items = {key: {"vid": key, "triggers": {"text": text}} for key in keys}

        def declare() -> None:
            WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})

        return declare

    story.pays(program(*keys[1:]), count - 1)
    assert len(json.dumps(story.batch["items"])) > DEFAULT_LIMIT
    story.emulator.advance(5000)
    assert story.refresh().changed == []
    story.pays(program(*keys), 1)
    story.stays(program(*keys))
    assert story.batch["runs"].keys() == {*keys}
    assert len(story.emulator.ledger()) == count


def test_secrets_by_the_marks_of_the_engine(story: Story) -> None:
    """An input, the token made of it, and the stack's keys, which are in plain in its file."""

    def program(number: int = 1) -> None:
        triggers = {"shown": number, "a": pulumi.Output.secret(HUSH)}
        made = WorkflowRun("run", vid="v1", template_id="t1", triggers=triggers)
        pulumi.export("triggers", made.triggers)
        pulumi.export("token", made.client_token)

    def wrong() -> None:
        WorkflowRun("run", vid="v1", template_id="t1", callback_args=pulumi.Output.secret(LONG))

    said = [story.preview(program, diff=True).text, story.up(program).text]
    said.append(story.preview(lambda: program(2), diff=True).text)
    assert re.search(r"~ triggers *: \{\s+~ shown *: 1 => 2\s+\}", said[-1])
    said.append(story.preview(wrong).text)
    assert "callbackArgs: must be" in said[-1]
    assert HUSH not in "".join(said)
    assert story.run["triggers"]["shown"] == 1
    [state] = story.state.rglob(f"stacks/**/{story.stack.name}.json")
    written = state.read_text()
    for secret in (HUSH, story.config["vod:secretKey"], "pvw1-"):
        assert secret not in written
    assert '"shown":1' in written


def test_a_preview_of_unknown_keys_shows_what_is_paid(story: Story) -> None:
    """
    Another resource determines the keys of a provider, and the same update changes its run and adds
    another one.

    Each line about a run stands on the row of its own resource.
    """

    def program(edition: int) -> None:
        triggers = {"edition": edition}
        source = WorkflowRun("source", vid="v1", template_id="t1", triggers=triggers)
        config = {key.removeprefix("vod:"): text for key, text in story.config.items()}
        key = source.run_id.apply(lambda _: config["secretKey"])
        provider = pulumi.ProviderResource("vod", "own", {**config, "secretKey": key})
        opts = ResourceOptions(provider=provider)
        WorkflowRun("changed", opts, vid="v2", template_id="t1", triggers=triggers)
        WorkflowRun("same", opts, vid="v3", template_id="t1")
        if edition == 2:
            WorkflowRun("added", opts, vid="v4", template_id="t1")

    def rows(outcome: Outcome, *names: str) -> None:
        for name in names:
            run_id = story.resources[name]["id"]
            assert [text for of, text in outcome.lines if run_id in text and of != name] == []
            assert [text for of, text in outcome.lines if of == name]

    rows(story.up(lambda: program(1)), "source", "changed", "same")
    assert len(story.emulator.ledger()) == 3
    story.emulator.advance(5000)
    outcome = story.pays(lambda: program(2), 3)
    rows(outcome, "source", "changed", "added")
    for name in ("source", "changed", "added"):
        assert (name, "starts a paid run") in story.shown.lines
    replaced = {name for op, name in outcome.changed if op == "create-replacement"}
    assert replaced == {"source", "changed"}
    assert story.config["vod:secretKey"] not in story.shown.text


@only_in_torture("test_story_migration.py has a second create of one name in each direction")
def test_two_creates_of_one_name_are_one_start(
    story: Story, command: auto.PulumiCommand, plugin_folder: Path
) -> None:
    """`pulumi do --stateless` records nothing: the second create finds the run of the first one."""
    names = {"endpoint": "endpoint", "accessKey": "access-key", "secretKey": "secret-key"}
    settings = [f"--vod:{flag}={story.config[f'vod:{key}']}" for key, flag in names.items()]
    package = ["--package", str(plugin_folder / EXECUTABLE), *settings]
    create = ["vod:index:WorkflowRun", "create", "--vid", "v1", "--template-id", "t1"]
    words = ["do", *package, *create, "--stateless", "--yes", "--output", "json"]
    environ = dict(story.stack.workspace.env_vars)
    if "--stateless" not in command.run([*words[:-4], "--help"], str(story.folder), environ).stdout:
        pytest.skip("this engine has no `pulumi do --stateless`")
    shown = [command.run([*words], str(story.folder), environ).stdout for _ in range(2)]
    [start] = story.emulator.ledger()
    assert [re.findall('"runId": "(.+)"', text) for text in shown] == [[start["runId"]]] * 2


@only_in_torture("tests/plugin has an attached provider of several connections")
def test_an_attached_provider_serves_several_provider_resources(story: Story) -> None:
    """All of them attach to one process, and each run starts at the endpoint of its own one."""
    with VodEmulator() as other, serve("-m", "pulumi_vod_workflow.plugin", attached=True) as server:

        def program() -> None:
            for name, emulator in {"one": story.emulator, "two": other}.items():
                config = {key.removeprefix("vod:"): text for key, text in emulator.config.items()}
                provider = pulumi.ProviderResource("vod", name, config)
                WorkflowRun(name, ResourceOptions(provider=provider), vid="v1", template_id="t1")

        environ = story.stack.workspace.env_vars
        attach = {"PULUMI_DEBUG_PROVIDERS": f"vod:{server.port}"}
        story.stack.workspace.env_vars = {**environ, **attach}
        story.pays_for(program, promised=2, paid=1)
        assert len(other.ledger()) == 1
        story.stays(program)
        endpoints = {name: run["outputs"]["endpoint"] for name, run in story.resources.items()}
        assert endpoints == {"one": story.emulator.url, "two": other.url}
        assert len(other.ledger()) == 1


@only_in_torture("`make torture` shows what the option would pay")
def test_replace_on_changes_would_pay_for_a_change_that_starts_nothing(story: Story) -> None:
    """A default that is written down is free, but not with the option: tools/plugin/schema.py."""
    options = {"free": None, "paid": ResourceOptions(replace_on_changes=["priority"])}

    def program(**more: Any) -> Program:
        def declare() -> None:
            for name, opts in options.items():
                inputs = {"vid": name, "templateId": "t1", **more}
                pulumi.CustomResource(PACKAGED_TYPES[RUN_TYPE], name, inputs, opts)

        return declare

    story.pays(program(), 2)
    story.emulator.advance(5000)  # the service joins an equal start to an unfinished run
    replaced = story.pays(program(priority=0), 1)
    assert ("create-replacement", "paid") in replaced.changed
