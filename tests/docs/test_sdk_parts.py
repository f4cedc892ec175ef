"""The modules of `sdk_compat`, and the page that lists them."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

from pulumi_vod_workflow.dynamic import sdk_compat

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "sdk-parts.md").read_text()
MODULES = [module.name for module in pkgutil.iter_modules(sdk_compat.__path__)]
LABELS = ["Private part", "Buys", "Without it", "Tested on"]


def parts(name: str) -> dict[str, str]:
    """What a module's docstring says under each label, on one line."""
    text = importlib.import_module(f"{sdk_compat.__name__}.{name}").__doc__ or ""
    found = re.split(rf"^({'|'.join(LABELS)}): ", text, flags=re.MULTILINE)
    assert found[1::2] == LABELS
    return dict(zip(LABELS, (" ".join(part.split()) for part in found[2::2]), strict=True))


def test_there_are_at_most_eight() -> None:
    assert len(MODULES) <= 8


def test_the_page_lists_each() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (name, *(parts(name)[label].rstrip(".") for label in LABELS[:3])) for name in MODULES
    ]


@pytest.mark.parametrize("name", MODULES)
def test_each_was_tested_on_the_oldest_and_the_newest(name: str) -> None:
    """The lowest release that is allowed, and the pinned one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [lowest] = re.findall(r"^pulumi>=([\d.]+)", "\n".join(project["dependencies"]), re.MULTILINE)
    pins = (ROOT / "requirements.txt").read_text()
    [pinned] = re.findall(r"^pulumi==([\d.]+)", pins, re.MULTILINE)
    assert parts(name)["Tested on"] == f"{lowest}.0 and {pinned}."
    assert f"{lowest}.0 and {pinned}" in PAGE
