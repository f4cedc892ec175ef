"""
The service's words become words that can be shown: what signs a request is not in them.

A service, or a page of a proxy in between, may quote the request that it was sent, escaped in its
own way. So what is secret is looked for in every spelling that is usual, or a mix of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

REDACTED: Final = "(redacted)"
MAX_SCANNED_CHARS: Final = 32 << 10
"""Characters of a text that are looked at: more than is ever shown, however much is hidden."""
MIN_SECRET_CHARS: Final = 4
"""Characters of a secret; to hide less would only garble."""
DIGITS: Final = "0123456789abcdefABCDEF"
PREFIX_CHARS: Final = 12
"""Characters of a secret by which it is known when the quotation of it was cut."""


@lru_cache(maxsize=8)
def make_redactor(*secrets: str) -> Callable[[str], str]:
    """
    Return what hides `secrets`, and anything that may be a signature, in a text.

    A signature is known by its form, 64 hexadecimal digits: one that the service computed itself,
    and tells, would sign the request as well. A text is cut after its first 32,768 characters.
    """
    known = sorted(
        {text for text in secrets if len(text) >= MIN_SECRET_CHARS}, key=len, reverse=True
    )
    digits = _any(pattern for digit in DIGITS for pattern in _encodings(digit))
    pattern = re.compile("|".join([*map(_secret, known), f"{digits}{{64}}"]), re.IGNORECASE)
    heads = [re.escape(text[:PREFIX_CHARS]) for text in known]
    plain = re.compile("|".join([*heads, f"[{DIGITS}]{{64}}"]), re.IGNORECASE)

    def hide(text: str) -> str:
        # Without the zeros of UTF-16, which would stand between its characters.
        text = text[:MAX_SCANNED_CHARS].replace("\0", "")
        if not _ESCAPED.search(text) and not plain.search(text):
            return text  # as nearly all: what is not escaped is there as it is, or not at all
        return pattern.sub(REDACTED, text)

    return hide


def _secret(text: str) -> str:
    """Match a text by its beginning: the end of a quotation may have been cut."""
    head, tail = text[:PREFIX_CHARS], text[PREFIX_CHARS:]
    rest = _spelled(tail) if re.search(_BREAK, tail) else ""
    return f"{_spelled(head)}(?:{rest}|{_WORD})" if rest else f"{_spelled(head)}{_WORD}"


_ESCAPED: Final = re.compile(r"[\\%&+]")
_BREAK: Final = r"[\s\"'<>]"
_WORD: Final = r"[^\s\"'<>]*"


def _spelled(text: str) -> str:
    return "".join(_any(_encodings(char)) for char in text)


def _any(patterns: Iterable[str]) -> str:
    # Each once: two ways to read the same text would be tried in all their combinations.
    return f"(?:{'|'.join(dict.fromkeys(patterns))})"


def _encodings(char: str) -> Iterable[str]:
    """
    Yield patterns: as it is, in JSON, in a URL, in HTML; each escaped more than once, too.

    But not any number of times: a text that is made for it would take long to be looked through.
    """
    yield "".join(rf"\\{{1,4}}u{unit}" for unit in re.findall("....", _utf16(char)))
    yield "".join(f"%(?:25){{0,2}}{byte:02x}" for byte in char.encode())
    yield rf"&(?:amp;){{0,2}}#(?:0{{0,4}}{ord(char)}|x0{{0,4}}{ord(char):x});"
    if not char.isalnum():
        yield "&(?:amp;){0,2}[a-z]{2,8};"
    if char == " ":
        yield r"\+"
    yield rf"\\{{0,4}}{re.escape(char.lower())}"  # last: a backslash may begin another spelling


def _utf16(char: str) -> str:
    return char.encode("utf-16-be").hex()
