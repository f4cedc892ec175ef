"""
What the site adds to Markdown, so that each page is written once and reads well on its own, too.

`{{ README.md }}` alone in a page stands for that file of the repository. Links are written as they
work in the repository: those to files that the site has as pages lead to the pages, those to other
files of the repository become their names.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
INCLUDED: Final = re.compile(r"\{\{ (\S+\.md) \}\}\s*")
LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")
LANGUAGES: Final = re.compile(r"^\[(?:English|中文)\]\(README[^)]*\)\n+", re.MULTILINE)
"""A README's link to the other one: the site has a switch for that."""


def pages(folder: Path) -> dict[str, str]:
    """Return the page, below `docs`, that each file of the repository is shown as."""
    shown = {}
    for path in sorted(folder.rglob("*.md")):
        page = path.relative_to(folder).as_posix()
        shown[f"docs/{page}"] = page
        included = INCLUDED.fullmatch(path.read_text(encoding="utf-8"))
        if included:
            shown[included[1]] = page
    return shown


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Put an included file in its place, and lead links where they lead on the site."""
    source = f"docs/{page.file.src_uri}"
    included = INCLUDED.fullmatch(markdown)
    if included:
        source = included[1]
        markdown = LANGUAGES.sub("", (ROOT / source).read_text(encoding="utf-8"))
    shown = pages(Path(config["docs_dir"]))
    here = os.path.dirname(page.file.src_uri)  # noqa: PTH120 - a URI, not a path

    def led(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        file = os.path.normpath(os.path.join(os.path.dirname(source), target))  # noqa: PTH118, PTH120
        if file in shown:
            return f"[{text}]({os.path.relpath(shown[file], here or '.')}{anchor})"
        return text if (ROOT / file).exists() and not file.startswith("docs/") else link[0]

    return LINK.sub(led, markdown)
