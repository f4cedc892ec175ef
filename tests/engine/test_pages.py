"""Every code block of the documentation does what its page says; see `pages.py` for how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.pages import SHELLS, Block, Reader, blocks, pages, was_said
from tests.engine.project import ROOT, Project
from tests.engine.vault import Vault

LISTS = "what it says of stacks like these is held by tests/engine/test_story_runs.py"
TEMPLATES = "tests/engine/test_templates.py types it, with answers"
REVIEWS = "tests/cli holds the samples of the whole program that they are of"
NOT_RUN = {
    ("README.md", "make up "): "tests/engine/test_make.py runs the one; the other runs this test",
    (
        "README.md",
        "python3 -m venv ",
    ): "tests/package installs it, test_make.py the engine",
    ("docs/getting-started.md", "pulumi new"): TEMPLATES,
    ("docs/how-to/other-languages.md", "python3 -m venv "): "tests/package installs it",
    ("docs/review.md", "project/dev: 7 runs would be started"): REVIEWS,
    ("docs/review.md", "### `project/dev`: 7 runs"): REVIEWS,
    ("docs/review.md", "estimate: at least"): "tests/cli/test_review_costs.py has such lines",
    ("docs/review.md", '{"kind": "vod.plan"'): "tests/docs/test_schemas.py reads the message",
    ("docs/runs.md", "$ vod-workflow runs"): LISTS,
    ("docs/runs.md", "$ vod-workflow recover"): LISTS,
    ("policies/README.md", "--policy-pack "): "tests/engine/test_story_policies.py runs the pack",
    ("policies/README.md", "at-most-starts"): "tests/policies/test_pack.py reads it as a setting",
}
"""(page, how a block begins) -> why it is not run here."""
REPEATED = {
    "docs/how-to/read-the-results.md": "README.md",
    "docs/how-to/upgrade.md": "docs/how-to/expired-record.md",
    "docs/index.md": "docs/how-to/expired-record.md",
}
"""Page -> one that has its program and its commands, and more between them."""


def not_run(page: Path, block: Block) -> str | None:
    """Return why a block is not run here."""
    name = page.relative_to(ROOT).as_posix()
    reasons = [why for (of, begin), why in NOT_RUN.items() if of == name and begin in block.text]
    return reasons[0] if reasons else None


EVERY = [(page, block) for page in pages() for block in blocks(page)]
FOLLOWED = dict.fromkeys(
    page
    for page, block in EVERY
    if not not_run(page, block) and page.relative_to(ROOT).as_posix() not in REPEATED
)


@pytest.fixture(scope="session")
def like(
    tmp_path_factory: pytest.TempPathFactory, command: object, vault: Vault
) -> Iterator[Project]:
    """A stack, made once."""
    with Project(tmp_path_factory.mktemp("like"), "emulator", vault=vault) as project:
        yield project


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_works_as_written(
    request: pytest.FixtureRequest, page: Path, tmp_path: Path, like: Project, vault: Vault
) -> None:
    """Each block, in the page's order, in one folder."""
    found = [block for block in blocks(page) if not not_run(page, block)]
    own = any("pulumi stack init" in block.text for block in found)
    in_yaml = any(block.is_yaml_program for block in found)
    hosts = [request.getfixturevalue("yaml_host")] if in_yaml else []
    with Reader(tmp_path, like, vault, starts_from_nothing=own, hosts=hosts) as reader:
        for block in found:
            try:
                reader.do(block)
            except AssertionError as error:
                raise AssertionError(f"{page}:{block.line}: {error}") from error
    for name in [name for name, other in REPEATED.items() if ROOT / other == page]:
        for block in blocks(ROOT / name):
            if block.language == "text":
                was_said(block.text, reader.all_said)
    if page == ROOT / "README.md":
        assert "embedded emulator, nothing is real or paid" in reader.all_said
        assert "succeeded (0: finished" in reader.all_said
        assert reader.all_said.count("tos://tos-cn-v-emulator/") >= 5
        assert "2 unchanged" in reader.all_said, "the program in YAML"
        assert len(reader.ledger()) == 1, "the one run"
    if page == ROOT / "docs" / "how-to" / "other-languages.md":
        assert "= 1 imported" in reader.all_said
        assert len(reader.ledger()) == 1, "one run in YAML and Python, and back"
    if page == ROOT / "docs" / "many-videos.md":
        sources = [str(start.get("vid")) for start in reader.ledger()]
        first, second = (f"v0d399g10001csunlgaljhtddi6hgvn{number}" for number in range(2))
        of_batch, of_file, of_run = [first, second], [first, "None"], [first]
        assert sorted(sources) == sorted([*of_batch, *of_file, *of_run])


def test_what_is_not_run_is_there() -> None:
    """Each exception is of one block."""
    assert sum(not_run(page, block) is not None for page, block in EVERY) == len(NOT_RUN)


def steps(page: Path) -> Iterator[str]:
    """Yield a page's programs and commands in its order, without their comments."""
    for block in blocks(page):
        if block.language in SHELLS:
            yield from block.code.splitlines()
        elif block.language == "python":
            yield block.code


@pytest.mark.parametrize(("page", "other"), REPEATED.items())
def test_a_page_that_is_not_followed_repeats_another(page: str, other: str) -> None:
    """So each of its steps works, and what it shows is said there."""
    assert {block.language for block in blocks(ROOT / page)} <= {"python", "text", *SHELLS}
    assert [block for block in blocks(ROOT / page) if block.note] == []
    found = steps(ROOT / other)  # each search begins where the last one ended
    assert [step for step in steps(ROOT / page) if step not in found] == []
