"""The site is built without a warning, needs no network, and is complete in both languages."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pulumi_vod_workflow
from tests.engine.pages import REGISTRY, blocks
from tests.once import made_once

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ENGLISH_ONLY = {"changelog.md", "contributing.md", "sdk-parts.md", "security.md"}
"""Files of the repository that are on the site, too, and have no Chinese page."""
DOCSTRINGS = "\n::: "
"""A page with one has no Chinese page either."""
PAGES = sorted(
    page
    for path in {*DOCS.rglob("*.md")} - {*DOCS.glob("upstream/*"), *map(DOCS.joinpath, REGISTRY)}
    if not (page := path.relative_to(DOCS)).name.endswith(".zh.md")
)
TRANSLATED = [
    page
    for page in PAGES
    if page.name not in ENGLISH_ONLY and DOCSTRINGS not in (DOCS / page).read_text()
]
PAIRS = [
    (ROOT / "README.md", ROOT / "README.zh.md"),
    (ROOT / "policies" / "README.md", ROOT / "policies" / "README.zh.md"),
    *((DOCS / page, DOCS / page.with_suffix(".zh.md")) for page in TRANSLATED),
]
CHINESE = [chinese for _, chinese in PAIRS[1:]]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+\.md)[^)]*\)(.英文.)?")
AVOIDED = {
    "日志文件": "发送记录",  # journal
    "询问": "报错并要求选择",  # the preview stops and asks
    "应答": "响应",  # an answer of the service
    "堆栈": "栈",  # a stack of Pulumi
    "提供程序": "provider",
    "CI 任务": "CI 作业",  # 任务 is the service's word for a task of a run
    "结束的任务": "结束的作业",
    "沿用": "复用",  # to reuse a run
    "去重规则": "幂等规则",  # the service's rule for identical starts
}
"""A term that the Chinese pages do not use -> the one that they do."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as CI builds it: any warning is an error, and none is hidden by a lower level."""
    return made_once(tmp_path_factory, "site", build) / "site"


def build(folder: Path) -> None:
    """Build the site into a folder of it."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert set(re.findall("^[A-Z]{4,}", said, re.MULTILINE)) <= {"INFO"}, said


def built(folder: Path, page: Path) -> Path:
    """Return the built file of a page."""
    place = page.parent if page.name == "index.md" else page.with_suffix("")
    return folder / place / "index.html"


@pytest.mark.waits
def test_each_page_is_there_in_both_languages(site: Path) -> None:
    """Where there is no translation, the Chinese site shows the English page."""
    for page in PAGES:
        for folder in (site, site / "zh"):
            assert built(folder, page).is_file(), page
    for page in TRANSLATED:
        assert len(re.findall("[\u4e00-\u9fff]", built(site / "zh", page).read_text())) > 300, page


def test_a_link_into_a_page_works_in_both_languages(site: Path) -> None:
    """The anchors of headings are the same, but in files of the repository."""
    anchors = re.compile(r'<h[2-6] id="([^"]+)"')
    for page in TRANSLATED:
        if "{{ " not in (DOCS / page).read_text():
            english, chinese = (
                anchors.findall(built(folder, page).read_text()) for folder in (site, site / "zh")
            )
            assert english == chinese, page


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture: links are the only addresses."""
    loads = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=\"?(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text()), page
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text()), style


def test_the_reference_has_every_public_name(site: Path) -> None:
    """Each with its docstring's first words."""
    pages = "".join(page.read_text() for page in (site / "reference").rglob("*.html"))
    for name in pulumi_vod_workflow.__all__:
        assert f'id="pulumi_vod_workflow.{name}"' in pages
        words = re.findall(r"\w+", (getattr(pulumi_vod_workflow, name).__doc__ or "").strip())
        assert words[0] in pages


def test_the_repositorys_own_pages_are_the_sites(site: Path) -> None:
    """They are written once: links lead to the site's pages, those to other files are names."""
    security = (site / "security" / "index.html").read_text()
    assert 'href="../safety/"' in security
    assert 'href="../changelog/"' in security
    assert "pyproject.toml" in (site / "contributing" / "index.html").read_text()
    assert 'href="pyproject.toml"' not in (site / "contributing" / "index.html").read_text()
    assert "Map of the code" in (site / "contributing" / "index.html").read_text()


IN_ENGLISH = "\N{FULLWIDTH LEFT PARENTHESIS}英文\N{FULLWIDTH RIGHT PARENTHESIS}"
GROUPS = {
    "index.html": ["Learn", "How-to guides", "Reference", "Background"],
    "zh/index.html": ["学习", "操作指南", "参考", "背景"],
}


@pytest.mark.parametrize("home", GROUPS)
def test_the_navigation_lists_each_page_by_its_title(site: Path, home: str) -> None:
    """In groups; on the Chinese site all labels are Chinese, and name the pages in English."""
    side = (site / home).read_text().partition('data-md-level="0"')[2]
    side = side.partition('class="md-sidebar md-sidebar--secondary"')[0]
    groups = re.findall(r'for="__nav_\d+"[^>]*>\s*<span[^>]*>\s*([^<]+?)\s*<', side)
    assert list(dict.fromkeys(groups)) == GROUPS[home]
    shown = re.findall(
        r'<a href="([^"#:]+)" class="md-nav__link">.*?<span class="md-ellipsis">\s*([^<]+?)\s*<',
        side,
        re.DOTALL,
    )
    linked = {Path(f"{link.strip('./')}.md") for link, _ in shown}
    assert linked == {*PAGES} - {Path("index.md")}
    for link, label in shown:
        page = (site / home).parent / link / "index.html"
        title = re.search(r"<h1[^>]*>(.*?)<a class=.headerlink", page.read_text(), re.DOTALL)
        assert title, link
        is_english = home == "zh/index.html" and Path(f"{link.strip('./')}.md") not in TRANSLATED
        assert label == html.unescape(re.sub("<[^>]+>", "", title[1])) or is_english
        assert label.endswith(IN_ENGLISH) == is_english, label


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_languages_are_in_step(english: Path, chinese: Path) -> None:
    """The same headings, tables and code; only words and comments differ."""

    def shape(page: Path) -> list[str]:
        text = re.sub(r"^```.*?^```$", "```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        rows = [line for line in text.splitlines() if re.match(r"#|\||```|!!!", line)]
        return [f"|{row.count('|')}" if row.startswith("|") else row.split(" ")[0] for row in rows]

    assert shape(english) == shape(chinese)
    assert [(block.language, block.title, block.code, block.note) for block in blocks(english)] == [
        (block.language, block.title, block.code, block.note) for block in blocks(chinese)
    ]


@pytest.mark.parametrize(("english", "chinese"), PAIRS[1:], ids=lambda path: path.name)
def test_tables_name_the_same_things(english: Path, chinese: Path) -> None:
    """Each row has the same code, numbers and identifiers, and the same cells are empty."""

    def rows(page: Path) -> list[tuple[list[str], list[bool]]]:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        found = [line for line in text.splitlines() if line.startswith("|")]
        return [
            (
                sorted(set(re.findall(r"`[^`]+`|\d+(?:[,.]\d+)*|\w*[a-z][A-Z]\w*", row))),
                [not cell.strip() for cell in row.split("|")],
            )
            for row in found
        ]

    for said, also_said in zip(rows(english), rows(chinese), strict=True):
        assert said == also_said


@pytest.mark.parametrize(("english", "chinese"), PAIRS[1:], ids=lambda path: path.name)
def test_no_chinese_page_leaves_anything_out(english: Path, chinese: Path) -> None:
    """All code that the English page's text names, and every page that it links to."""

    def named(page: Path) -> set[str]:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        code = {" ".join(words.split()) for words in re.findall(r"`([^`]+)`", text)}
        return code | set(re.findall(r"\]\(([^)#]+)", text.replace(".zh.md", ".md")))

    assert named(english) - named(chinese) == set()


def test_every_page_has_its_chinese_one() -> None:
    """A new page needs one, docstrings, or a place in `ENGLISH_ONLY`; then a Chinese title."""
    assert set(DOCS.rglob("*.zh.md")) == {DOCS / page.with_suffix(".zh.md") for page in TRANSLATED}
    titles = re.findall(r"^    (\S+\.md): ", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert {Path(page) for page in titles} == {*PAGES} - {*TRANSLATED}


@pytest.mark.parametrize("page", [ROOT / "README.zh.md", *CHINESE], ids=lambda page: page.name)
def test_chinese_pages_use_one_term_for_each_thing(page: Path) -> None:
    for word, instead in AVOIDED.items():
        assert word not in page.read_text(), f"{word}: {instead}"


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_link_to_a_page_in_english_says_so(page: Path) -> None:
    for target, mark in LINK.findall(page.read_text()):
        linked = (page.parent / target).resolve()
        assert bool(mark) == (linked.with_suffix(".zh.md") not in CHINESE), target


def test_the_drawing_names_modules_that_are_there() -> None:
    drawing = (DOCS / "architecture.svg").read_text()
    names = " ".join(re.findall(r'class="m"[^>]*>([^<]+)<', drawing)).split()
    assert len(names) > 25
    for name in names:
        module = ROOT / "pulumi_vod_workflow" / name
        assert module.is_dir() or module.with_suffix(".py").is_file(), name
