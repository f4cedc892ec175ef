"""
The pipeline of the examples, for GitHub Actions and GitLab CI: its commands run as a runner does.

GitHub's own part is played here: a fresh checkout for each job, its expressions, and the command
`gh`, which keeps what it was told. Everything else is real. GitLab's jobs have the same commands.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation as auto

from tests.engine.checkout import ROOT, Checkout, blocks
from tests.engine.vault import Vault

EXAMPLE = ROOT / "examples" / "ci"
WORKFLOW = EXAMPLE / ".github" / "workflows" / "videos.yml"
GITLAB = EXAMPLE / ".gitlab-ci.yml"
PULL_REQUEST = "https://github.com/me/videos/pull/1"
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
REGARDLESS = {"always()", "${{ !cancelled() }}"}
"""Conditions of steps that run after a failure, too."""


class Runner:
    """A repository at GitHub, and the machines that its jobs run on."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.checkout = Checkout(folder / "checkout", vault)
        self.repository = self.checkout.folder / "examples" / "ci"
        self.folder = folder
        self.jobs: dict[str, dict[str, Any]] = {}
        self.env: dict[str, str] = {}
        self.load(WORKFLOW.read_text())
        self.count = 0
        gh = folder / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$OUT.args"\ncp "$7" "$OUT"\n')
        gh.chmod(0o755)
        self.checkout.type("pulumi stack init prod", self.repository)

    def load(self, text: str) -> None:
        """Take a workflow."""
        workflow = yaml.safe_load(text)
        self.jobs, self.env = workflow["jobs"], workflow["env"]

    def told(self, values: dict[str, str]) -> dict[str, str]:
        """Fill GitHub's expressions in; one that is not known here fails."""
        known = {
            "vars.PULUMI_BACKEND_URL": self.checkout.backend,
            "secrets.PULUMI_CONFIG_PASSPHRASE": "",
            "secrets.VOLCENGINE_ACCESS_KEY": "AKLTUNUSED",
            "secrets.VOLCENGINE_SECRET_KEY": "unused",
            "github.token": "token",
            "github.event.pull_request.html_url": PULL_REQUEST,
        }
        return {
            name: EXPRESSION.sub(lambda found: known[found[1]], value)
            for name, value in values.items()
        }

    def run(self, name: str) -> tuple[int, str]:
        """Run a job on a fresh machine; return its exit code and what it said."""
        self.count += 1
        job, machine = self.jobs[name], self.folder / f"machine-{self.count}"
        shutil.copytree(self.repository, machine)
        environ = {
            **self.checkout.environ,
            **self.told({**self.env, **job.get("env", {})}),
            "OUT": str(self.folder / f"comment-{self.count}"),
        }
        environ["PATH"] = f"{self.folder / 'bin'}:{environ['PATH']}"
        code, said = 0, ""
        for step in job["steps"]:
            if code and step.get("if") not in REGARDLESS:
                continue
            if "uses" in step:
                # Checkout, Python and Pulumi are there. Nothing is kept from job to job.
                action, _, _ = step["uses"].partition("@")
                assert action in {"actions/checkout", "actions/setup-python", "pulumi/actions"}
                continue
            assert "${{" not in step["run"], "what others wrote must not become a command"
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=machine,
                env={**environ, **self.told(step.get("env", {}))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            code, said = code or done.returncode, said + done.stdout
            assert "Traceback" not in said
        return code, said

    def comment(self) -> str:
        """What the last job posted."""
        posted = self.folder / f"comment-{self.count}"
        arguments = posted.with_suffix(".args").read_text().split("\n")
        assert arguments[:3] == ["pr", "comment", PULL_REQUEST]
        return posted.read_text()


@pytest.fixture
def runner(command: auto.PulumiCommand, tmp_path: Path, vault: Vault) -> Runner:
    (tmp_path / "checkout").mkdir()
    return Runner(tmp_path, vault)


def test_it_reviews_deploys_and_pays_once(runner: Runner) -> None:
    """Also after a kill, which leaves a state without the runs. The journal is beside the state."""
    runner.load(WORKFLOW.read_text().replace('MAX_STARTS: "20"', 'MAX_STARTS: "1"'))
    code, said = runner.run("review")
    assert code == 3, said
    assert "2 runs would be started" in runner.comment()
    code, said = runner.run("deploy")
    assert code == 3, said

    runner.load(WORKFLOW.read_text())
    code, said = runner.run("review")
    assert code == 0, said
    [shown] = blocks(runner.repository / "README.md", "markdown")
    posted = runner.comment().splitlines()
    assert [line for line in shown.splitlines() if line not in posted] == []
    assert runner.checkout.ledger() == []

    state = "--stack prod --file ../../before.json"
    runner.checkout.type(f"pulumi stack export {state}", runner.repository)
    code, said = runner.run("deploy")
    assert code == 0, said
    paid = runner.checkout.ledger()
    assert sorted(start["vid"] for start in paid) == [
        "v0d399g10001csunlgaljhtddi6hgvn0",
        "v0d399g10001csunlgaljhtddi6hgvn1",
    ]
    runner.checkout.type(f"pulumi stack import {state}", runner.repository)
    code, said = runner.run("deploy")
    assert code == 0, said
    assert "(free): an earlier update started it" in said
    assert runner.checkout.ledger() == paid


def test_no_two_deployments_at_once() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    deploying = [job for job in jobs.values() if "pulumi up" in json.dumps(job)]
    assert [job["concurrency"] for job in deploying] == [
        {"group": "videos-deploy-prod", "cancel-in-progress": False}
    ]
    assert "VOLCENGINE" not in json.dumps(jobs["review"])


def test_gitlab_runs_the_same_commands() -> None:
    """Its own part differs: it shows the review as an artifact."""
    workflow, pipeline = (yaml.safe_load(path.read_text()) for path in (WORKFLOW, GITLAB))
    assert {name: workflow["env"][name] for name in ("STACK", "MAX_STARTS")} == pipeline[
        "variables"
    ]
    for name in ("review", "deploy"):
        steps = [step["run"] for step in workflow["jobs"][name]["steps"] if "run" in step]
        posted = [step for step in steps if "gh pr comment" in step]
        commands = [*pipeline["default"]["before_script"], *pipeline[name]["script"]]
        assert commands == [step for step in steps if step not in posted]
    assert pipeline["deploy"]["resource_group"] == "videos-deploy-prod"
    assert pipeline["deploy"]["interruptible"] is False
    assert "VOLC" not in json.dumps(pipeline["review"])
    assert pipeline["review"]["artifacts"]["when"] == "always"
