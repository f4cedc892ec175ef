"""
Adapt the repository's Markdown to the site, so that each page is written once.

- `{{ SECURITY.md }}` alone in a page is replaced by that file of the repository.
- Links are written for the repository. A link to a file that the site shows leads to its page. Any
  other link to a file of the repository is replaced by its text.
- The Chinese navigation marks each page that is in English only, and has a Chinese title for it.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
INCLUDED: Final = re.compile(r"\{\{ (\S+\.md) \}\}\s*")
IN_ENGLISH: Final = "\N{FULLWIDTH LEFT PARENTHESIS}英文\N{FULLWIDTH RIGHT PARENTHESIS}"
TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


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
    """Insert an included file, set a page's Chinese title, and adapt its links."""
    source = f"docs/{page.file.src_uri}"
    included = INCLUDED.fullmatch(markdown)
    if included:
        source = included[1]
        markdown = (ROOT / source).read_text(encoding="utf-8")
    if config["theme"]["language"] == "zh" and not page.file.src_uri.endswith(".zh.md"):
        chinese = config["extra"]["chinese_titles"].get(page.file.src_uri)
        page.meta["title"] = f"{chinese or TITLE.findall(markdown)[0]}{IN_ENGLISH}"
    shown = pages(Path(config["docs_dir"]))
    here = os.path.dirname(page.file.src_uri)  # noqa: PTH120 - a URI, not a path

    def led(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        file = os.path.normpath(os.path.join(os.path.dirname(source), target))  # noqa: PTH118, PTH120
        if file in shown:
            return f"[{text}]({os.path.relpath(shown[file], here or '.')}{anchor})"
        return text if (ROOT / file).exists() and not file.startswith("docs/") else link[0]

    return LINK.sub(led, markdown)
