"""`pulumi new` with our template makes a project that previews, runs and ends as it is."""

from __future__ import annotations

import json
import socket
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from pulumi import automation as auto

from tests.engine.checkout import ROOT, Checkout, blocks, tracked
from tests.engine.vault import Vault
from tests.package.environments import UV, WHOLE, call

TEMPLATE = "templates/vod-workflow-python"
PAGE = ROOT / "docs" / "getting-started.md"
CLONE = "/path/to/clone"
"""The page's name for this checkout."""
ONLY_OURS = {
    "PIP_NO_BUILD_ISOLATION": "0",  # the text of "no" for this option
    "PIP_NO_COMPILE": "1",
    "PIP_NO_INDEX": "1",
}
"""Has pip install our wheel alone, which this environment's tools build: all else is there."""
INSTALL = "pulumi install" if WHOLE else "venv/bin/python -m pip install -r requirements.txt"
"""In `make test` what `pulumi install` does last; `pulumi new` has done all of it."""
NEW = f"pulumi new {CLONE}/{TEMPLATE}"


@pytest.fixture
def checkout(command: auto.PulumiCommand, tmp_path: Path, vault: Vault) -> Checkout:
    return Checkout(tmp_path, vault)


def new(checkout: Checkout, name: str, commands: str) -> Path:
    """Type `commands`, the last of which is `pulumi new`, with answers to its questions."""
    folder = checkout.folder / name
    folder.mkdir(exist_ok=True)
    environ = {} if WHOLE else ONLY_OURS
    script = commands.rstrip().replace("~", str(checkout.folder)).replace(CLONE, str(ROOT))
    answers = f"--yes --offline --name {name} --description 'My films' --stack dev --force"
    checkout.type(f"{script} {answers}", folder, **environ)
    return folder


def with_dependencies(project: Path) -> None:
    """
    Make a project's environment, which finds the dependencies in the environment of the tests.

    `make package` has `pulumi new` make it all by pip: 14 s of processor time.
    """
    call(*UV, "venv", "--seed", "--python", sys.executable, project / "venv", cwd=project.parent)
    dependencies = project.parent / "dependencies"
    dependencies.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "pulumi_vod_workflow" not in entry.name:
            (dependencies / entry.name).symlink_to(entry)
    [packages] = project.glob("venv/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")


def is_filled_in(folder: Path) -> None:
    """Check that the files of a project are those of the template, with the answers in place."""
    made = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert set(made) - {"Pulumi.dev.yaml"} == {Path(name).name for name in tracked(TEMPLATE)}
    assert [name for name, text in made.items() if "${" in text] == []
    assert made["Pulumi.yaml"].startswith(f"name: {folder.name}\ndescription: My films\n")
    assert made["README.md"].startswith(f"# {folder.name}\n")
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
    folder = new(checkout, "serial", commands)
    is_filled_in(folder)
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
    checkout.type(
        f"""
        cp -r ../wheels .
        {{ echo "--find-links wheels"; cat requirements.txt; }} >with-wheels
        mv with-wheels requirements.txt
        rm -r venv/lib/python*/site-packages/pulumi_vod_workflow*
        {INSTALL}
        """,
        folder,
        **({} if WHOLE else ONLY_OURS),
    )
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
        pulumi up --yes --skip-preview
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
