"""What the package says of itself is true, and an index would take it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path

import yaml
from packaging.version import Version
from trove_classifiers import classifiers

from tests.package.building import NAME, PROJECT, ROOT, SUPPORTED, Built
from tests.package.environments import UV, call

TWINE = "twine==6.2.0"
LOCKS = (":!*/go.sum", ":!*/package-lock.json")
"""Files with versions of other packages."""
KINDS_OF_CHANGE = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_an_index_takes_it(built: Built, tmp_path: Path) -> None:
    """Its metadata is of a version that indexes know, its page renders."""
    check = ("tool", "run", "--from", TWINE, "twine", "--no-color", "check", "--strict")
    said = call(*UV, *check, built.wheel, built.sdist, cwd=tmp_path)
    assert said.count("PASSED") == 2


def test_the_metadata_is_the_projects(built: Built) -> None:
    metadata = built.metadata
    assert metadata["Name"] == PROJECT["name"]
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata.get_all("Provides-Extra") == [
        *("aws", "emulator", "policies", "postgres", "pytest", "socks")
    ]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()
    assert len(metadata["Summary"]) <= 100
    # There is no public address yet, so none is told.
    assert metadata.get_all("Project-URL") is None
    assert metadata["Home-page"] is None


def test_the_classifiers_are_known_and_fit_what_is_tested() -> None:
    told = PROJECT["classifiers"]
    assert told == sorted(set(told))
    assert set(told) <= set(classifiers)
    assert not [one for one in told if one.startswith("License ::")]  # the expression says it
    minors = [int(version.split(".")[1]) for version in SUPPORTED]
    assert minors == list(range(minors[0], minors[0] + len(minors)))
    assert PROJECT["requires-python"] == f">={SUPPORTED[0]}"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert settings["mypy"]["python_version"] == SUPPORTED[0]
    assert settings["pyright"]["pythonVersion"] == SUPPORTED[0]
    assert settings["ruff"]["target-version"] == "py" + SUPPORTED[0].replace(".", "")


def test_the_version_is_said_once() -> None:
    """In pyproject.toml; the policy pack is released with the package."""
    version = PROJECT["version"]
    listing = ("git", "grep", "--untracked", "--fixed-strings", "--files-with-matches", version)
    found = subprocess.run(
        [*listing, "--", "pyproject.toml", NAME, "tools", "Makefile", "docs", *LOCKS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # tools/plugin/schema.py writes the schema, and tests/plugin compares it.
    assert found.stdout.split() == [f"{NAME}/plugin/schema.json", "pyproject.toml"]
    pack = yaml.safe_load((ROOT / "policies" / "PulumiPolicy.yaml").read_text())
    assert str(pack["version"]) == version


def test_the_state_of_the_version_is_kept() -> None:
    """Before it is released: later versions are held to it by `tests/engine/test_states.py`."""
    states = ROOT / "tests" / "engine" / "states"
    for name in (PROJECT["version"], f"many-{PROJECT['version']}"):
        assert (states / f"{name}.json").exists()


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog's, newest first, and each release says whether upgrading can bill."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n")
    head, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    assert "Keep a Changelog" in head
    versions = []
    for release in rest:
        title, _, body = release.partition("\n")
        if told := re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", title):
            versions.append(Version(told[1]))
            date.fromisoformat(told[2])
        else:
            assert title == "[Unreleased]"
            assert release is rest[0]
        assert re.match(r"\n\*Can this upgrade start a run\? .+\*\n", body)
        kinds = re.findall(r"^### (.*)", body, re.MULTILINE)
        assert len(kinds) == len(set(kinds))
        assert set(kinds) <= KINDS_OF_CHANGE
    assert versions == sorted(set(versions), reverse=True)
    newest = versions[0] if versions else Version("0")
    assert newest <= Version(PROJECT["version"])
    # What is neither released nor to be released has no place.
    assert rest[0].startswith("[Unreleased]") or newest == Version(PROJECT["version"])
