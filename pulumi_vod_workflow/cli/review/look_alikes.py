"""Texts that look the same: their difference, and a spelling of both that shows it."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import Final

from pulumi_vod_workflow.cli.sanitize import escape_character

SAME_TEXT: Final = "same text, another Unicode form"
LOOKS_ALIKE: Final = "looks alike, other characters"

_ALIKE: Final = str.maketrans(
    # Cyrillic, Greek, then kana and CJK, dashes and quotation marks.
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0501\u04bb\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0406\u0408\u0405"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03bf\u03bd\u03b1\u03c1"
    "\u30fc\u30ed\u30ab\u30cb\u30a8\u30bf\u30c8\u30cf\u30d8"
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2018\u2019",
    "aceopxyijsdhqwABEKMHOPCTXYIJSABEZHIKMNOPTYXovap"
    "\u4e00\u53e3\u529b\u4e8c\u5de5\u5915\u535c\u516b\u3078-------''",
)
"""Characters that most fonts draw like another one, beyond the normal forms of Unicode."""
_UNSEEN: Final = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f\uffa0]")
"""Characters without a glyph, beside those of the category Cf."""


def confusable_reason(one: str, other: str) -> str:
    """Return why two different texts look the same; empty if they do not."""
    if one == other:
        return ""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return SAME_TEXT
    return LOOKS_ALIKE if _drawn(one) == _drawn(other) else ""


def _drawn(text: str) -> str:
    """Return a form that is equal for texts that look the same."""
    seen = (char for char in _UNSEEN.sub("", text) if unicodedata.category(char) != "Cf")
    form = unicodedata.normalize("NFKC", "".join(seen)).translate(_ALIKE)
    return " ".join(unicodedata.normalize("NFKC", form).split())


def common(one: str, other: str) -> int:
    """Return the length of the common beginning of two texts."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def distinguishable(one: str, other: str) -> tuple[str, str]:
    """Return both, with escapes for spaces and all but ASCII in the parts that differ."""
    head = common(one, other)
    rests = one[head:], other[head:]
    tail = common(rests[0][::-1], rests[1][::-1])
    first, second = (
        text[:head] + _escaped(rest[: len(rest) - tail]) + rest[len(rest) - tail :]
        for text, rest in zip((one, other), rests, strict=True)
    )
    return first, second


def _escaped(text: str) -> str:
    return "".join(
        char if char.isascii() and char != " " else escape_character(char) for char in text
    )
