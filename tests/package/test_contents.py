"""What is built holds the package, all of it, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.package.building import NAME, PROJECT, ROOT, STEM, Built, build
from tools.engine.language_host import required_plugins

RUBBISH = (
    ".DS_Store",
    ".env",
    ".mypy_cache/3.11/x.json",
    ".vod-emulator.sqlite3",
    "__pycache__/x.cpython-311.pyc",
)
"""What lies in the folders of people who work."""


READ = ("docs", "examples", "policies", "templates")
"""Folders that the README leads its reader to."""


def repository(*folders: str) -> set[str]:
    """The files that belong to the repository."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
    names = subprocess.run(
        [*listing, *folders], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return {name for name in names.split("\0") if name and (ROOT / name).is_file()}


def test_the_wheel_is_the_package(built: Built) -> None:
    """No tests, tools, policies or benchmarks; with the marker of its types."""
    about = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    package = repository(NAME)
    assert built.wheel.name == f"{STEM}-py3-none-any.whl"
    assert set(built.wheel_files) == package | {f"{STEM}.dist-info/{name}" for name in about}
    assert {name for name in package if not name.endswith(".py")} == {
        f"{NAME}/cli/runs/report.css",
        f"{NAME}/cli/runs/report.js",
        f"{NAME}/emulator/dashboard.css",
        f"{NAME}/emulator/dashboard.js",
        f"{NAME}/plugin/schema.json",
        f"{NAME}/pulumi-plugin.json",
        f"{NAME}/py.typed",
    }
    for name in package:
        assert built.wheel_files[name] == (ROOT / name).read_bytes()


def test_it_has_pulumi_download_no_plugin(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file that says so: for the name alone Pulumi's Python host asks for one."""
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert required_plugins(sys.executable, tmp_path) == []
    (tmp_path / NAME / "pulumi-plugin.json").unlink()
    [asked] = required_plugins(sys.executable, tmp_path)
    assert (asked["name"], asked["version"]) == ("vod-workflow", f"v{PROJECT['version']}")


def test_the_sdist_has_the_sources_their_tests_and_what_readers_are_led_to(built: Built) -> None:
    """And of the tests only those that need nothing but Python: no engine, tools or SDKs."""
    loose = {"README.md", "README.zh.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
    loose |= {"LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}  # the last reads the backend
    assert {name for name in built.sdist_files if "/" not in name} == loose
    folders = {name.rpartition("/")[0] for name in built.sdist_files} - {""}
    assert {folder.partition("/")[0] for folder in folders} == {NAME, "tests", *READ}
    assert {folder.split("/")[1] for folder in folders if folder.startswith("tests/")} == {
        "core",
        "dynamic",
        "emulator",
        "hosts",
        "journal",
        "lifecycle",
        "resources",
        "transport",
    }
    assert built.sdist_files - {"PKG-INFO"} <= repository()
    assert built.sdist_files >= repository(NAME, "tests/core", *READ)


def test_what_people_have_lying_about_is_left_out(built: Built, tmp_path: Path) -> None:
    """Caches, editors' and stacks' files change not a byte, though git knows nothing of them."""
    copy = tmp_path / "copy"
    for name in built.sdist_files - {"PKG-INFO"}:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for folder in (".", NAME, f"{NAME}/core", "docs", "tests", "tests/core"):
        for name in RUBBISH:
            (copy / folder / name).parent.mkdir(exist_ok=True, parents=True)
            (copy / folder / name).write_text("secret")
    for name in ("transport/client.py.orig", "core/keys.json"):
        (copy / NAME / name).write_text("secret")
    again = build(copy, tmp_path / "dist")
    assert again.wheel_files == built.wheel_files
    assert again.sdist_files == built.sdist_files
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.sdist.read_bytes() == built.sdist.read_bytes()


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    """To the byte, so that anybody can check what was published."""
    again = build(built.unpack(tmp_path), tmp_path / "dist", "--target", "wheel")
    assert again.wheel.read_bytes() == built.wheel.read_bytes()


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_page_links_to_what_comes_with_it(built: Built, page: str) -> None:
    """Its links are relative: there is no public address that they could lead to."""
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text())
    assert links
    assert {link for link in links if "://" not in link} <= built.sdist_files
    assert PROJECT["readme"] == "README.md"
