"""Escapes of untrusted text: for a terminal, for Markdown on GitHub, and for HTML."""

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


_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./:=+-]*")


def markdown_code(text: str) -> str:
    """
    Return any text as code in Markdown.

    GitHub looks for no mentions, issues, links or commits in code. Entities replace every other
    character than letters, digits and a few signs, so that no Markdown reads them as structure.
    """
    text = escape_invisible(text)
    if _PLAIN.fullmatch(text):
        return f"`{text}`"
    return f"<code>{html_entities(text)}</code>"


_HARMLESS: Final = frozenset(" \"'(),;→-=+%?")


def html_entities(text: str) -> str:
    """Return a text with entities for all that Markdown, HTML or GitHub could interpret."""
    return "".join(
        char if char.isalnum() or char in _HARMLESS else f"&#{ord(char)};"
        for char in escape_invisible(text)
    )


# -- for an HTML page --------------------------------------------------------------------------


def html_text(value: Any) -> str:
    """Return a value as text on one line of an HTML page."""
    return escape(escape_line(value))


def html_prose(value: Any) -> str:
    """Return a sentence of the package for an HTML page, with code for its backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html_text(value))
