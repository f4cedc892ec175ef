"""`pulumi new` with our template makes a project that previews, runs and ends as it is."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
import yaml
from pulumi import automation as auto

from tests.engine.checkout import ROOT, Checkout, blocks, tracked
from tests.package.environments import UV, WHOLE, call

TEMPLATE = "templates/vod-workflow-python"
PAGE = ROOT / "docs" / "getting-started.md"
CLONE = "/path/to/clone"
"""The page's name for this checkout."""
NEW = f"pulumi new {CLONE}/{TEMPLATE}"


@pytest.fixture
def checkout(command: auto.PulumiCommand, tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def new(checkout: Checkout, name: str, options: str, commands: str = NEW) -> Path:
    """Type `commands`, the last of which is `pulumi new`, with answers to its questions."""
    folder = checkout.folder / name
    folder.mkdir(exist_ok=True)
    script = commands.rstrip().replace("~", str(checkout.folder)).replace(CLONE, str(ROOT))
    answers = f"--yes --offline --name {name} --description 'My films'"
    checkout.type(f"{script} {answers} {options}", folder)
    return folder


def with_dependencies(project: Path) -> None:
    """
    Make a project's environment, without the package, by uv.

    `make package` has `pulumi new` make it all by pip: 14 s of processor time.
    """
    venv = project / "venv"
    call(*UV, "venv", "--seed", "--python", sys.executable, venv, cwd=project.parent)
    tested = ("--constraint", ROOT / "requirements.txt", "--requirement", ROOT / "pyproject.toml")
    call(*UV, "pip", "install", "--python", venv / "bin" / "python", *tested, cwd=project.parent)


def test_it_is_filled_in(checkout: Checkout) -> None:
    """Without a stack: the files of the template, with the answers in their places."""
    folder = new(checkout, "films", "--generate-only")
    made = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert set(made) == {Path(name).name for name in tracked(TEMPLATE)}
    assert [name for name, text in made.items() if "${" in text] == []
    assert made["Pulumi.yaml"].startswith("name: films\ndescription: My films\n")
    assert made["README.md"].startswith("# films\n")
    assert "template:" not in made["Pulumi.yaml"].splitlines()


@pytest.mark.parametrize("template", [TEMPLATE, "templates/vod-workflow-yaml"])
def test_keys_are_asked_for_as_secrets(template: str) -> None:
    asked = yaml.safe_load((ROOT / template / "Pulumi.yaml").read_text())["template"]["config"]
    keys = [name for name, how in asked.items() if how.get("secret")]
    assert keys == ["vod:accessKey", "vod:secretKey"]
    assert [name for name in keys if "default" in asked[name]] == []


@pytest.mark.timeout(900)  # in `make package` pip installs the package and its dependencies
def test_it_runs_as_it_is(checkout: Checkout) -> None:
    """One run, on the emulator, in the project's own environment; keys not given leave nothing."""
    [commands] = [text for text in blocks(PAGE, "sh") if NEW in text]
    if not WHOLE:
        with_dependencies(checkout.folder / "serial")
    folder = new(checkout, "serial", "--stack dev --force", commands)
    settings = yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())["config"]
    assert settings == {
        "serial:templateId": "06853553c4d3402698a17ff5dff87fd7",
        "serial:vid": "v0d399g10001csunlgaljhtddi6hgvn0",
        "vod:endpoint": "emulator",
        "vod:region": "cn-north-1",
    }
    runtime = yaml.safe_load((folder / "Pulumi.yaml").read_text())["runtime"]
    assert runtime == {"name": "python", "options": {"toolchain": "pip", "virtualenv": "venv"}}
    assert any((folder / "venv").glob("lib/python*/site-packages/pulumi_vod_workflow"))
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        # A preview that looked for a plugin to download would wait here.
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environ = {"HTTPS_PROXY": url, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        checkout.type("timeout 100 pulumi preview", folder, **environ)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    said = checkout.type(
        """
        cp -r ../wheels .
        { echo "--find-links wheels"; cat requirements.txt; } >with-wheels
        mv with-wheels requirements.txt
        rm -r venv/lib/python*/site-packages/pulumi_vod_workflow*
        pulumi install
        pulumi up --yes --skip-preview
        pulumi preview --expect-no-changes
        pulumi stack output --json >outputs.json
        pulumi destroy --yes --skip-preview
        """,
        folder,
    )
    assert "embedded emulator, nothing is real or paid" in said
    outputs = json.loads((folder / "outputs.json").read_text())
    assert outputs["phase"] == "succeeded"
    assert len(outputs["files"]) == 5
    [start] = checkout.ledger()
    assert (start["vid"], start["runId"]) == ("v0d399g10001csunlgaljhtddi6hgvn0", outputs["runId"])
