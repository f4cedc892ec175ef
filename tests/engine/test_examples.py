"""Every example runs as its page says: its commands, what they print, and what they start."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from pulumi import automation as auto

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.checkout import ROOT, Checkout, blocks, tracked
from tests.engine.pages import NO_PREVIEW
from tests.engine.vault import Vault

EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir())
OTHERS = [name for name in EXAMPLES if name != "quickstart"]
"""All but the one that `make up` runs, and `test_make.py` with it."""
STARTS = re.compile(r"^\*\*Starts\*\* (\d+) runs?\b", re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(
    command: auto.PulumiCommand, tmp_path_factory: pytest.TempPathFactory, vault: Vault
) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"), vault)


def plain(text: str) -> str:
    """Whatever the spaces and ends of lines."""
    return " ".join(text.split())


def left(checkout: Checkout) -> set[Path]:
    """Return the stacks that hold anything."""
    states = (checkout.state / ".pulumi" / "stacks").rglob("*.json")
    latest = {path: json.loads(path.read_text())["checkpoint"]["latest"] for path in states}
    return {path for path, state in latest.items() if state and state.get("resources")}


def starts(example: str) -> int:
    [told] = STARTS.findall((ROOT / "examples" / example / "README.md").read_text())
    return int(told)


def with_told_previews(commands: str) -> str:
    """Return commands; those have their own preview whose comment names it."""
    [name] = NO_PREVIEW
    return re.sub(r"^(?=.*# .*\bits preview\b)", f"{name}=false ", commands, flags=re.MULTILINE)


@pytest.mark.parametrize("example", OTHERS)
def test_it_runs_as_its_page_says(checkout: Checkout, example: str) -> None:
    folder = checkout.folder / "examples" / example
    page = folder / "README.md"
    before, others = len(checkout.ledger()), left(checkout)
    [commands] = blocks(page, "sh")
    assert "destroy" in commands
    said = plain(checkout.type(with_told_previews(commands), folder, **NO_PREVIEW))
    shown = blocks(page, "json") + [
        line for block in blocks(page, "text") for line in block.splitlines()
    ]
    assert shown
    assert [text for text in shown if plain(text) not in said] == [], said
    assert len(checkout.ledger()) - before == starts(example)
    assert left(checkout) == others


def test_the_list_has_every_example_and_what_it_starts() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(\1/README\.md\) \| [^|]+ \| (\d+) runs? \|",
        (ROOT / "examples" / "README.md").read_text(),
        re.MULTILINE,
    )
    assert {name: int(told) for name, told in rows} == {name: starts(name) for name in EXAMPLES}


def test_each_names_what_a_user_installs() -> None:
    named = {name: ROOT / "examples" / name / "requirements.txt" for name in OTHERS}
    told = {name: path.read_text() for name, path in named.items()}
    assert told == dict.fromkeys(OTHERS, "pulumi-vod-workflow>=0.1\n")


def test_none_holds_a_key() -> None:
    files = [*tracked("examples"), *tracked("templates")]
    texts = {name: (ROOT / name).read_text() for name in files}
    assert len(texts) > 40
    key = re.compile(r"AKLT\w|(?:accessKey|secretKey|ACCESS_KEY|SECRET_KEY)\w*: *[\w\"'](?!\n)")
    assert [name for name, text in texts.items() if key.search(text)] == []


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0.1, running_seconds=0.2)
def test_prod_is_protected(checkout: Checkout, emulator: VodEmulator, tmp_path: Path) -> None:
    """The real stack's own settings, on a service that counts: what would pay again stops."""
    folder = tmp_path / "dev_prod"
    shutil.copytree(checkout.folder / "examples" / "dev_prod", folder)
    (tmp_path / "state").mkdir()
    keys = {"VOLCENGINE_ACCESS_KEY": "AKLTEMULATOR", "VOLCENGINE_SECRET_KEY": "emulator-secret-key"}
    backend = f"file://{tmp_path / 'state'}"
    shell = {**keys, "PULUMI_BACKEND_URL": backend}
    checkout.type(
        f"""
        pulumi stack init prod
        pulumi config set vod:endpoint {emulator.url}
        pulumi up --yes --skip-preview
        """,
        folder,
        **shell,
    )
    assert sorted(start["vid"] for start in emulator.ledger()) == [
        "v0d399g10001",
        "v0d399g10002",
        "v0d399g10003",
    ]
    said = checkout.type(
        """
        pulumi config set workflow 1ddda0dd053c4c7488926eb2eb77eb34
        if pulumi up --yes; then exit 1; fi
        """,
        folder,
        **shell,
    )
    assert "marked for protection" in plain(said)
    assert len(emulator.ledger()) == 3
