"""Escapes of untrusted text: for a terminal, for a comment in Markdown, and for HTML."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import Any, Final

from pulumi_vod_workflow.core.secrets import Secret

# -- for a terminal ----------------------------------------------------------------------------


def escape_controls(value: Any) -> str:
    """
    Return a text without control characters and without a secret; newlines stay.

    A control character could move the cursor, and hide or replace text of the command.
    """
    if isinstance(value, Secret):
        return "[secret]"
    text = str(value)
    if text.isprintable():  # nearly every text
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text.encode(errors="backslashreplace").decode()
    )


def escape_line(value: Any) -> str:
    """Return the text of `escape_controls` on one line."""
    return escape_controls(value).replace("\n", "\\n")


# -- for a review ------------------------------------------------------------------------------


def escape_invisible(text: object) -> str:
    """Return a text on one line that shows every character, combining ones included."""
    return _escape_decomposed(escape_line(text))


def escape_character(char: str) -> str:
    """Return a character as a JSON escape."""
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _escape_decomposed(text: str) -> str:
    """Return a text with an escape for each character that NFC joins with the one before."""
    if unicodedata.is_normalized("NFC", text):
        return text
    before = " " + text[:-1]
    return "".join(
        escape_character(char) if unicodedata.normalize("NFC", last + char) != last + char else char
        for last, char in zip(before, text, strict=True)
    )


# -- for a comment in Markdown -----------------------------------------------------------------


def markdown_code(text: str) -> str:
    """
    Return any text as code in Markdown, also for a cell of a table.

    GitHub and GitLab find no mentions, references, links or emoji in code.
    """
    text = escape_invisible(text)
    if not text or "|" in text:  # a bar ends a cell, also within code
        return f"<code>{_entities(text)}</code>"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # Markdown removes one space at both ends.
    pad = " " if text[0] in " `" or text[-1] in " `" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _entities(text: str) -> str:
    return "".join(
        char if char.isalnum() or char in " ,;()=+-" else f"&#{ord(char)};" for char in text
    )


_UNIT: Final = re.compile(
    r"""(?P<lead>["'(]*)`(?P<code>[^`]+)`(?P<trail>[)"',;:.?!]*)(?![^ ]) | (?P<word>[^ ]+)""",
    re.VERBOSE,
)
_PLAIN_WORD: Final = re.compile(
    r"""["'(]* (?: [^\W_]+ (?:['-][^\W_]+)* | [0-9]+(?:[.,][0-9]+)*%? ) [)"',;:.?!]* | →""",
    re.VERBOSE,
)
_REFERENCE: Final = re.compile(r"\W*(?:[a-z]\w*-[0-9]+|[0-9a-f]{7,})\W*", re.IGNORECASE)
"""The number of an issue or the hash of a commit: GitHub and GitLab make links of them."""
_LIST_NUMBER: Final = re.compile(r"[0-9]+[.)]")


def markdown_text(text: str) -> str:
    """
    Return a sentence as Markdown: plain words stay, everything else is code.

    So no name or value in the sentence can add structure, a link or a mention.
    """
    text = escape_invisible(text).strip()
    found: list[tuple[str, str, str]] = []  # the code of a unit, and the plain text around it
    for unit in _UNIT.finditer(text):
        word = unit["word"]
        if word is None:
            found.append((unit["lead"], unit["code"], unit["trail"]))
            continue
        is_list = not found and _LIST_NUMBER.fullmatch(word)
        if _PLAIN_WORD.fullmatch(word) and not _REFERENCE.fullmatch(word) and not is_list:
            found.append((word, "", ""))
            continue
        lead, code, trail = _around_code(word)
        if found and found[-1][1] and not found[-1][2] and not lead:
            before, first, _ = found.pop()
            lead, code = before, f"{first} {code}"  # code of several words
        found.append((lead, code, trail))
    return " ".join(
        f"{lead}{markdown_code(code) if code else ''}{trail}" for lead, code, trail in found
    )


def _around_code(word: str) -> tuple[str, str, str]:
    """Return the punctuation of the sentence before a word, the word, and that after it."""
    core = word.rstrip(",;:.?!")
    opened, closed = core.count("("), core.count(")")
    is_whole = core.startswith("(") and core.endswith(")")
    lead = "(" if core.startswith("(") and (is_whole or opened > closed) else ""
    core = core.removeprefix(lead)
    if is_whole or closed > opened:
        core = core.removesuffix(")")
    return (lead, core, word[len(lead) + len(core) :]) if core else ("", word, "")


# -- for an HTML page --------------------------------------------------------------------------


def html_text(value: Any) -> str:
    """Return a value as text on one line of an HTML page."""
    return escape(escape_line(value))


def html_prose(value: Any) -> str:
    """Return a sentence of the package for an HTML page, with code for its backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html_text(value))
