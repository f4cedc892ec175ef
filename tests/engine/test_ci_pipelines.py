"""
The pipelines of the examples, for GitHub Actions, GitLab CI and Jenkins: their commands run here.

The system's own part is played: a fresh checkout for each job, its expressions and variables, and
the API of comments (`comment_api`). All jobs are on one stack. The engine previews each program and
state once; a later preview of the same repeats what the engine said. Everything else is real.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from tests.engine.checkout import ROOT, Checkout, blocks
from tests.engine.comment_api import TOKEN, CommentApi, serving
from tests.engine.vault import Vault

EXAMPLE = ROOT / "examples" / "ci"
WORKFLOW = EXAMPLE / ".github" / "workflows" / "videos.yml"
GITLAB = EXAMPLE / ".gitlab-ci.yml"
JENKINS = EXAMPLE / "Jenkinsfile"
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
REGARDLESS = {"${{ !cancelled() && steps.install.outcome == 'success' }}"}
"""Conditions of steps that run after a failure, too."""
REPEATING = """#!/bin/sh
set -eu
case "$*" in
"preview --stack prod --json")
    kept={folder}/$(cksum <__main__.py | tr ' ' -).json
    if [ ! -f "$kept" ]; then
        {pulumi} "$@" >"$kept.new" || {{ code=$?; cat "$kept.new"; exit $code; }}
        mv "$kept.new" "$kept"
    fi
    exec cat "$kept" ;;
"up "*) rm -f {folder}/*.json ;;
esac
exec {pulumi} "$@"
"""
"""A command `pulumi` that repeats what a preview of the same program said, until an update."""
STAGE = re.compile(r"^    stage\('(\w+)'\) \{.*?^    \}$", re.MULTILINE | re.DOTALL)
SH = re.compile(r"\bsh (?:'''(.*?)'''|'(.*?)')", re.DOTALL)
SETTING = re.compile(r"^    (\w+) = '(.*?)'", re.MULTILINE)


class Machines:
    """A repository, and the machines that the jobs of its pipelines run on."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        (folder / "checkout").mkdir()
        self.checkout = Checkout(folder / "checkout", vault)
        self.repository = self.checkout.folder / "examples" / "ci"
        self.folder = folder
        self.count = 0
        self.checkout.type("pulumi stack init prod", self.repository)
        found = shutil.which("pulumi", path=self.checkout.environ["PATH"])
        previews, commands = folder / "previews", folder / "bin"
        previews.mkdir()
        commands.mkdir()
        (commands / "pulumi").write_text(REPEATING.format(folder=previews, pulumi=found))
        (commands / "pulumi").chmod(0o755)
        self.path = f"{commands}{os.pathsep}{self.checkout.environ['PATH']}"

    def fresh(self) -> Path:
        """Return the folder of a checkout on a fresh machine."""
        self.count += 1
        machine = self.folder / f"machine-{self.count}"
        shutil.copytree(self.repository, machine)
        return machine

    def script(self, text: str, machine: Path, environ: dict[str, str]) -> tuple[int, str]:
        """Run a script of a job; return its exit code and its output."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=machine,
            env={**self.checkout.environ, "PATH": self.path, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout
        return done.returncode, done.stdout


class Runner:
    """The runner of GitHub Actions."""

    def __init__(self, machines: Machines, api: CommentApi) -> None:
        self.machines, self.checkout, self.api = machines, machines.checkout, api
        self.repository = machines.repository
        self.jobs: dict[str, dict[str, Any]] = {}
        self.env: dict[str, str] = {}
        self.installed = False
        self.load(WORKFLOW.read_text())

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
            "vars.VOD_WORKFLOW_DOCS": "",
            "github.token": TOKEN,
            "github.event.pull_request.number": "1",
            "github.event.pull_request.head.sha": "0123456789abcdef",
        }
        return {
            name: EXPRESSION.sub(lambda found: known[found[1]], value)
            for name, value in values.items()
        }

    def run(self, name: str) -> tuple[int, str]:
        """Run a job on a fresh machine; return its exit code and what it said."""
        job, machine = self.jobs[name], self.machines.fresh()
        environ = {**self.api.environ, **self.told({**self.env, **job.get("env", {})})}
        code, said = 0, ""
        for step in job["steps"]:
            if code and step.get("if") not in REGARDLESS:
                continue
            if step.get("name") == "Install":
                if self.installed:
                    continue
                self.installed = True
            if "uses" in step:
                # Checkout, Python and Pulumi are there. Nothing is kept from job to job.
                action, _, _ = step["uses"].partition("@")
                assert action in {"actions/checkout", "actions/setup-python", "pulumi/actions"}
                continue
            assert "${{" not in step["run"], "what others wrote must not become a command"
            variables = {**environ, **self.told(step.get("env", {}))}
            status, output = self.machines.script(step["run"], machine, variables)
            code, said = code or status, said + output
        return code, said

    def comment(self) -> str:
        """Return the only comment."""
        [body] = self.api.bodies()
        return str(body)


def test_the_jobs_of_three_systems_review_deploy_and_pay_once(
    command: auto.PulumiCommand, tmp_path: Path, vault: Vault
) -> None:
    """
    GitHub and GitLab review a change, a build of Jenkins deploys it, and its machine is killed.

    That leaves a state without the runs. The journal is beside the state.
    """
    machines = Machines(tmp_path, vault)
    state = "--stack prod --file ../../before.json"
    with serving("github") as api:
        github = Runner(machines, api)
        github_deploys_nothing_that_costs_too_much(github)
        github_posts_the_review_of_the_page(github)
        gitlab_updates_its_note_in_place(machines)
        assert machines.checkout.ledger() == []
        machines.checkout.type(f"pulumi stack export {state}", machines.repository)
        jenkins_reviews_deploys_and_archives_the_page_of_the_runs(machines)
        paid = machines.checkout.ledger()
        assert sorted(start["vid"] for start in paid) == [
            "v0d399g10001csunlgaljhtddi6hgvn0",
            "v0d399g10001csunlgaljhtddi6hgvn1",
        ]
        machines.checkout.type(f"pulumi stack import {state}", machines.repository)
        code, said = github.run("deploy")
        assert code == 0, said
        assert "(free): an earlier update started it" in said
        assert machines.checkout.ledger() == paid


def github_deploys_nothing_that_costs_too_much(runner: Runner) -> None:
    runner.load(WORKFLOW.read_text().replace('MAX_COST: "50"', 'MAX_COST: "6.19"'))
    code, said = runner.run("deploy")
    assert code == 3, said
    assert "6.20 CNY would be spent, more than" in said
    runner.load(WORKFLOW.read_text())


def github_posts_the_review_of_the_page(runner: Runner) -> None:
    code, said = runner.run("review")
    assert code == 0, said
    [shown] = blocks(runner.repository / "README.md", "markdown")
    assert [method for method, _ in runner.api.calls] == ["GET", "POST"]
    posted = runner.comment().splitlines()
    assert [line for line in shown.splitlines() if line not in posted] == []


def gitlab_updates_its_note_in_place(machines: Machines) -> None:
    """Also when the change starts too many runs, and when its preview fails."""
    pipeline = yaml.safe_load(GITLAB.read_text())
    script = "\n".join(pipeline["review"]["script"])  # the environment is there
    with serving("gitlab") as api:
        environ = {
            **api.environ,
            **pipeline["variables"],
            "PULUMI_BACKEND_URL": machines.checkout.backend,
            "VOD_WORKFLOW_DOCS": "https://docs.example",
        }
        code, said = machines.script(script, machines.fresh(), {**environ, "MAX_STARTS": "1"})
        assert code == 3, said
        [note] = api.bodies()
        assert "**Over the limit:** 2 runs may be started, more than `--max-starts` 1" in note
        assert "[costs](https://docs.example/review/#costs)" in note
        machine = machines.fresh()
        program = machine / "__main__.py"
        program.write_text(program.read_text().replace("template_id=", "template_id=1 or "))
        code, said = machines.script(script, machine, environ)
        assert code not in (0, 3), said
        [note] = api.bodies()
        assert "### `prod`: no review, because a command failed" in note
        assert [method for method, path in api.calls if not path.endswith("/user")] == [
            "GET", "POST", "GET", "PUT",
        ]  # fmt: skip


def jenkins_reviews_deploys_and_archives_the_page_of_the_runs(machines: Machines) -> None:
    text = JENKINS.read_text()
    assert text.count("{") == text.count("}")
    assert "disableConcurrentBuilds(abortPrevious: false)" in text
    stages = {found[1]: found[0] for found in STAGE.finditer(text)}
    assert [*stages] == ["Install", "Review", "Deploy"]
    assert "when { branch 'main' }" in stages["Deploy"]
    assert [name for name, stage in stages.items() if "VOLCENGINE" in stage] == ["Deploy"]
    variables = dict(SETTING.findall(text))
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert variables == {
        name: workflow["env"][name] for name in ("STACK", "MAX_STARTS", "MAX_COST")
    }
    machine = machines.fresh()
    environ = {**variables, "PULUMI_BACKEND_URL": machines.checkout.backend}
    for name in ("Review", "Deploy"):  # the environment is there
        for first, second in SH.findall(stages[name]):
            script = (first or second).replace("\\\n", "")  # as Groovy joins lines
            code, said = machines.script(script, machine, environ)
            assert code == 0, said
    archived = re.findall(r"archiveArtifacts artifacts: '(.*?)'", text)
    assert archived == ["review.md", "runs.html"]
    assert "2 runs would be started" in (machine / "review.md").read_text()
    page = (machine / "runs.html").read_text()
    assert page.startswith("<!doctype html>")
    assert all(name in page for name in ("harbour", "lighthouse"))


def test_no_two_deployments_at_once() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    deploying = [job for job in jobs.values() if "pulumi up" in json.dumps(job)]
    assert [job["concurrency"] for job in deploying] == [
        {"group": "videos-deploy-prod", "cancel-in-progress": False}
    ]
    assert "VOLCENGINE" not in json.dumps(jobs["review"])


def test_gitlab_runs_the_same_commands() -> None:
    workflow, pipeline = (yaml.safe_load(path.read_text()) for path in (WORKFLOW, GITLAB))
    names = ("STACK", "MAX_STARTS", "MAX_COST")
    assert {name: workflow["env"][name] for name in names} == pipeline["variables"]
    for name in ("review", "deploy"):
        steps = [step["run"] for step in workflow["jobs"][name]["steps"] if "run" in step]
        commands = [*pipeline["default"]["before_script"], *pipeline[name]["script"]]
        if name == "deploy":
            assert commands == steps
        assert [step for step in steps if step not in "\n".join(commands)] == []
    assert pipeline["deploy"]["resource_group"] == "videos-deploy-prod"
    assert pipeline["deploy"]["interruptible"] is False
    assert "VOLC" not in json.dumps(pipeline["review"])
    assert pipeline["review"]["artifacts"]["when"] == "always"
    assert "$CI_MERGE_REQUEST_IID" in pipeline["review"]["resource_group"]
