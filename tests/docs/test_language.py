"""
The language of pages, docstrings and messages keeps to the style guide in CONTRIBUTING.md.

Prose is counted, and nothing else: no code, no headings, no quotations. The words are counted in
tables, too; the length of sentences is not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "pulumi_vod_workflow"
LONGEST: Final = 25
"""Words in one sentence (rule 1)."""


class Limits(NamedTuple):
    """The most that a kind of text may have; each number may only fall."""

    long_percent: float
    """Sentences of more than `LONGEST` words, in percent of all."""
    openings: int
    words: int


LIMITS: Final = {
    "pages": Limits(long_percent=1, openings=0, words=0),
    "docstrings": Limits(long_percent=0.5, openings=0, words=0),
    "messages": Limits(long_percent=0.1, openings=0, words=0),
}

OPENINGS: Final = {
    "pages": "What|Who|Whose|Whoever|Nobody|It|They|Others|The (?:rest|others)|"
    "(?:That|This|These|Those) (?:is|are|was|were|has|have|means|makes|costs|can|may|will|must)",
    "docstrings": "What|Who|Whose|Where|When|How",
    "messages": "What|Who|Whose|Whoever|Nobody",
}
"""How no sentence of a page or message, and no docstring, begins (rules 2, 6 and 14)."""

WORDS: Final = re.compile(
    r"\b(?:"
    r"tells?|told|telling|says?|said|saying|asks?|asked|asking"  # rule 4
    r"|go(?:es)? on|going on|went on|gone on|become[s]?|became|com(?:es?|ing) to|came to"
    r"|st(?:ands?|anding|ood) for|hold[s]?|held|tak(?:es?|en|ing)(?: \w+)? over|took(?: \w+)? over"
    r"|the person|a person|persons|who|whom|whoever|nobody"  # rule 2
    r"|anew|unasked|of its own|simply|just|easy|easily|e\.g\."  # the table, rule 12
    r")\b",
    re.IGNORECASE,
)


class Text(NamedTuple):
    """A paragraph, an item of a list, a docstring or a message."""

    place: str
    prose: str
    is_cell: bool = False
    """Of a table: its words are counted, not its sentences."""
    is_start: bool = True
    """Of a docstring: only there its opening counts."""

    def sentences(self) -> list[str]:
        found = re.split(r"(?<=[.!?])[)*]*\s+", " ".join(self.prose.split()))
        return [sentence for sentence in found if re.search(r"\w", sentence)]


def plain(text: str) -> str:
    """Return a text with one word in the place of each code, quotation and link."""
    text = re.sub(r"`[^`]+`", "Code", text)
    text = re.sub(r'"[^"\n]{1,300}"|“[^”]*”', "Quoted", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", text)
    return re.sub(r"\*\*|\{#[^}]*\}", "", text)


def pages() -> Iterator[Text]:
    """Yield the prose of the pages in English, without headings and blocks."""
    found = [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(path for folder in ("docs", "examples", "policies", "templates")
          for path in sorted((ROOT / folder).rglob("*.md")) if ".zh." not in path.name),
    ]  # fmt: skip
    assert len(found) > 45
    for path in found:
        name = path.relative_to(ROOT).as_posix()
        text = re.sub(r"^( *)```.*?^\1```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"<!--.*-->|^:::.*\n(?: .*\n)*|\{\{.*\}\}", "\n\n", text, flags=re.MULTILINE)
        for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\|)", text):
            line = paragraph.strip()
            if line.startswith("|"):
                yield from (Text(name, plain(cell), is_cell=True) for cell in line.split("|"))
            elif not line.startswith("#"):
                kept = re.sub(r"^(?:(?:[-*]|\d+\.) +|!!! \w+)", "", line)
                yield Text(name, plain(kept).strip().removesuffix("Quoted"))


def strings() -> Iterator[tuple[str, str, bool]]:
    """Yield each string of the package with its place, and whether it is a docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text())
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inside: set[int] = set()
        for node in ast.walk(tree):
            if id(node) in inside:
                continue
            if isinstance(node, ast.JoinedStr):
                inside.update(id(part) for part in ast.walk(node))
                parts = [part.value if isinstance(part, ast.Constant) else "X"
                         for part in node.values]  # fmt: skip
                yield f"{name}:{node.lineno}", "".join(map(str, parts)), False
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{name}:{node.lineno}", node.value, id(node) in statements


def docstrings() -> Iterator[Text]:
    """Yield the paragraphs of docstrings, and each entry of their sections."""
    for place, text, is_docstring in strings():
        if is_docstring:
            prose = re.sub(r"^( *)```.*?^\1```$|^ *\w+:$", "", text, flags=re.MULTILINE | re.DOTALL)
            entries = r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\s+[\w*, ]+: )"
            for number, paragraph in enumerate(re.split(entries, prose.strip())):
                yield Text(place, plain(paragraph), is_start=number == 0)


def messages() -> Iterator[Text]:
    """Yield the sentences that are no docstrings: at least four words, and no other language."""
    foreign = re.compile(r"[{}<>|\\]|^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|ALTER)\b")
    for place, text, is_docstring in strings():
        if not is_docstring and len(text.split()) > 3 and not foreign.search(text):
            for paragraph in text.split("\n"):
                yield Text(place, plain(paragraph))


KINDS: Final[dict[str, Callable[[], Iterator[Text]]]] = {
    "pages": pages,
    "docstrings": docstrings,
    "messages": messages,
}


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_short_and_name_who_acts(kind: str) -> None:
    limits, opening = LIMITS[kind], re.compile(rf"(?:{OPENINGS[kind]})\b")
    count, long, openings, words = 0, [], [], []
    for text in KINDS[kind]():
        words += [f"{text.place}: {found[0]}: {text.prose}" for found in WORDS.finditer(text.prose)]
        if text.is_cell:
            continue
        for number, sentence in enumerate(text.sentences()):
            count += 1
            if len(re.findall(r"\w[\w'-]*", sentence)) > LONGEST:
                long.append(f"{text.place}: {sentence}")
            counts = kind != "docstrings" or (text.is_start and number == 0)
            if counts and opening.match(sentence):
                openings.append(f"{text.place}: {sentence}")
    assert count > 500, "something is read"
    percent = 100 * len(long) / count
    assert percent <= limits.long_percent, f"{percent:.1f} % of {count}\n" + "\n".join(long)
    assert len(openings) <= limits.openings, f"{len(openings)}\n" + "\n".join(openings)
    assert len(words) <= limits.words, f"{len(words)}\n" + "\n".join(words)


def test_the_counting_counts() -> None:
    """A sentence in each form that is counted, and some that are not."""
    long = " ".join(["word"] * 26) + ". Short."
    assert [len(sentence.split()) for sentence in Text("x", long).sentences()] == [26, 1]
    assert WORDS.findall("Whoever asks is told, and goes on; a holder, takes 5 s, tooling.") == [
        "Whoever", "asks", "told", "goes on",
    ]  # fmt: skip
    assert plain('`a b` [is told](x.md) "is asked"') == "Code is told Quoted"
