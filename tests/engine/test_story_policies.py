"""The policy pack on the real engine: what it stops costs nothing, what it lets pass is paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import ROOT, Project

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

SETTINGS: dict[str, Any] = {
    "at-most-starts": {"max": 3},
    "at-most-cost": {"prices": "prices.toml", "max": 3.5, "assumedMinutes": 2},
    "allowed-templates": {"templates": ["t1"]},
    "allowed-spaces": {"spaces": ["s1"]},
    "runs-protected": "mandatory",
}
BREAKS_ALL = """
    from datetime import UTC, datetime
    batch = WorkflowBatch(
        "batch",
        items={
            "a": {"vid": "v1"},
            "b": {"vid": "v2", "triggers": {"at": datetime.now(UTC).isoformat()}},
        },
        defaults={"template_id": "t9"},
    )
    source = {"file_name": "f", "space_name": "s9"}
    opts = pulumi.ResourceOptions(depends_on=batch)
    file = WorkflowRun("file", opts, direct_url=source, template_id="t1")
    WorkflowRun(
        "high",
        pulumi.ResourceOptions(depends_on=file),
        vid="v1",
        template_id="t1",
        priority=5,
        callback_args=pulumi.Output.secret("hush 13800138000"),
    )
    """
VIOLATIONS = {
    ("at-most-starts", "high"): "1 start here, 4 in this update so far; the maximum is 3. Change",
    (
        "at-most-cost",
        "high",
    ): "cost here: 1.02 CNY, in this update so far: 4.08 CNY; the maximum is 3.5 CNY. Change",
    ("allowed-templates", "batch"): "defaults.templateId: must be an allowed workflow: t1. Use one",
    ("allowed-spaces", "file"): "directUrl.spaceName: must be an allowed space: s1. Use a",
    (
        "no-high-priority",
        "high",
    ): "priority: must be at most 0 on dev, because it is not a production stack.",
    ("no-time-based-triggers", "batch"): "items.b.triggers.at: has the present time, so every",
    ("no-personal-data", "high"): "callbackArgs: must not contain a Chinese mobile number.",
    ("runs-protected", "batch"): "the resource is not protected. Set opts=pulumi.Resource",
}
COMPLIES = """
    opts = pulumi.ResourceOptions(protect=True)
    WorkflowBatch(
        "batch",
        opts,
        items={"a": {"vid": "v1"}, "b": {"vid": "v2", "triggers": {"release": "2020-01-01"}}},
        defaults={"template_id": "t1"},
    )
    source = {"file_name": "f", "space_name": "s1"}
    WorkflowRun("file", opts, direct_url=source, template_id="t1", callback_args="order-7")
    """


@pytest.fixture
def project(tmp_path: Path, emulator: VodEmulator, like: Project) -> Iterator[Project]:
    with Project(tmp_path, emulator.url, like=like) as project:
        yield project


def under(project: Project, settings: dict[str, Any], *arguments: str) -> tuple[bool, str]:
    """Whether a command under the pack succeeds, and what it says."""
    path = project.folder / "policies.json"
    path.write_text(json.dumps(settings))
    pack = ("--policy-pack", str(ROOT / "policies"), "--policy-pack-config", str(path))
    command = project.start(*arguments, "--stack", project.stack, *pack)
    succeeds = command.wait() == 0
    assert "Traceback" not in command.said
    return succeeds, command.said


def told(text: str, policy: str, name: str) -> str:
    """What is said of one violation."""
    parts = text.rpartition("Policies:")[2].split("- [mandatory]")
    found = [part for part in parts if part.split()[0] == policy and f": {name})" in part]
    assert found, f"{policy} of {name} is not in\n{text}"
    return found[0]


def test_each_policy_says_how_to_comply_and_nothing_is_started(
    project: Project, emulator: VodEmulator
) -> None:
    prices = 'currency = "CNY"\ndefault = { per_run = 1, per_minute = 0.01 }\n'
    (project.folder / "prices.toml").write_text(prices)
    project.program(BREAKS_ALL)
    passes, text = under(project, SETTINGS, "preview")
    assert not passes
    for (policy, name), message in VIOLATIONS.items():
        assert message in told(text, policy, name)
    stopped = under(project, SETTINGS, "up", "--yes", "--skip-preview")
    assert not stopped[0]
    assert "hush" not in text + stopped[1]
    assert emulator.ledger() == []
    project.program(COMPLIES)
    passes, text = under(project, SETTINGS, "up", "--yes", "--skip-preview")
    assert passes, text
    assert "[mandatory]" not in text
    assert len(emulator.ledger()) == 3


def in_order(*names: str, priority: int = 0, **items: str) -> str:
    """Return a program of runs, `new` or `new:old`, each after the one before, then a batch."""
    return f"""
    before, items = [], {items}
    for number, name in enumerate({names}):
        new, _, old = name.partition(":")
        opts = pulumi.ResourceOptions(
            depends_on=before[-1:], aliases=[pulumi.Alias(name=old)] if old else None
        )
        run = WorkflowRun(
            new,
            opts,
            vid="v1",
            template_id="t1",
            callback_args=pulumi.Output.secret("hush"),
            priority=0 if number else {priority},
        )
        before.append(run)
    if items:
        WorkflowBatch(
            "batch",
            pulumi.ResourceOptions(depends_on=before[-1:]),
            items={{key: {{"vid": vid}} for key, vid in items.items()}},
            defaults={{"template_id": "t1"}},
        )
    """


def at_most(most: int, **settings: str) -> dict[str, Any]:
    config = {"enforcementLevel": "mandatory", "max": most, **settings}
    return {"all": "disabled", "at-most-starts": config}


def test_no_more_than_allowed_are_started(project: Project, emulator: VodEmulator) -> None:
    names = ("r0", "r1", "r2", "r3")
    project.program(in_order(*names))
    passes, text = under(project, at_most(2), "up", "--yes", "--skip-preview")
    assert not passes
    message = told(text, "at-most-starts", "r2")
    assert "1 start here, 3 in this update so far; the maximum is 2. Change or add fewer" in message
    assert len(emulator.ledger()) == 2

    # What is recorded does not count, secret as it may be; of a batch, what starts does.
    project.program(in_order(*names, a="v1", b="v2"))
    passes, text = under(project, at_most(4), "up", "--yes", "--skip-preview")
    assert passes, text
    assert len(emulator.ledger()) == 6

    # Nor does what is renamed, removed or adopted: a run and two items start.
    run_id = emulator.ledger()[0]["runId"]
    changed = in_order("r0", "moved:r1", "r2", priority=1, a="v1", b="v9", c="v3")
    project.program(f'{changed}\n    WorkflowRun("adopted", existing_run_id="{run_id}")\n')
    passes, text = under(project, at_most(2), "preview")
    assert not passes
    assert "2 starts here, 3 in" in told(text, "at-most-starts", "batch")
    passes, text = under(project, at_most(3), "up", "--yes", "--skip-preview")
    assert passes, text
    assert len(emulator.ledger()) == 9
    # Where the state cannot be read, all that is declared does.
    passes, text = under(project, at_most(5, organization="elsewhere"), "preview")
    assert not passes
    message = told(text, "at-most-starts", "batch")
    assert "6 in this update so far; the maximum is 5 (`pulumi stack export" in message
    assert "so every declared run counts" in message
