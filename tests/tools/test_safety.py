"""The page about what can go wrong names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_claim_names_a_test() -> None:
    """Each row has a test, and each test that is named exists."""
    page = (ROOT / "docs" / "safety.md").read_text()
    tests = {
        node.name
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    named = re.findall(r"`(test_\w+)`", page)
    assert not set(named) - tests
    rows = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
    without = [row for row in rows if "`test_" not in row and "shown by" not in row]
    assert not without


def test_the_first_page_of_a_contributor_names_files_that_are_there() -> None:
    """Each row of "Change one rule in ten minutes" has a rule's file and its test."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    first = page.partition("## Change one rule")[2].partition("\n## ")[0]
    rows = re.findall(r"^ +\| [^|`]+.*\| `([^`]+)` \| `([^`]+)` \|$", first, re.MULTILINE)
    assert len(rows) == 7
    for module, test in rows:
        assert (ROOT / "pulumi_vod_workflow" / module).exists(), module
        assert (ROOT / test).is_file(), test
