"""The redaction of secrets in texts of the service."""

# A service or a proxy's page may quote the request in its own escaping. So the redactor searches
# for each secret in every usual escaping, and in mixtures of them.

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Final

REDACTED: Final = "(redacted)"
"""The replacement of a secret."""
# Messages show fewer characters than this even if the redactor replaces most of a text.
MAX_SCANNED_CHARS: Final = 32 << 10
"""The length of the scanned part of a text, in characters."""
# A replacement of shorter texts would make a message unreadable and protect nothing.
MIN_SECRET_CHARS: Final = 4
"""The shortest secret that is replaced, in characters."""
DIGITS: Final = "0123456789abcdefABCDEF"
# A quotation may be cut inside of the secret.
PREFIX_CHARS: Final = 12
"""The length of a secret's beginning that is replaced, too, in characters."""


@lru_cache(maxsize=8)
def make_redactor(*secrets: str) -> Callable[[str], str]:
    """
    Return a function that replaces `secrets` and signatures in a text.

    The function cuts a text after its first 32,768 characters.
    """
    # A signature has 64 hexadecimal digits. A signature that the service computed and quotes would
    # sign the request, too.
    known = sorted(
        {text for text in secrets if len(text) >= MIN_SECRET_CHARS}, key=len, reverse=True
    )
    heads = [re.escape(text[:PREFIX_CHARS]) for text in known]
    plain = re.compile("|".join([*heads, f"[{DIGITS}]{{64}}"]), re.IGNORECASE)

    @cache
    def escaped() -> re.Pattern[str]:
        # To compile this large pattern takes 0.01 s, and most processes never need it.
        digits = _alternatives(pattern for digit in DIGITS for pattern in _encodings(digit))
        patterns = [*map(_secret_pattern, known), f"{digits}{{64}}"]
        return re.compile("|".join(patterns), re.IGNORECASE)

    def hide(text: str) -> str:
        # UTF-16 read as UTF-8 has a zero after each character.
        text = text[:MAX_SCANNED_CHARS].replace("\0", "")
        # The fast path of nearly all texts: without escapes the plain pattern is sufficient.
        if not _ESCAPED.search(text) and not plain.search(text):
            return text
        return escaped().sub(REDACTED, text)

    return hide


def _secret_pattern(text: str) -> str:
    """Return a pattern of a secret's beginning and the following word."""
    head, tail = text[:PREFIX_CHARS], text[PREFIX_CHARS:]
    rest = _text_pattern(tail) if re.search(_BREAK, tail) else ""
    return f"{_text_pattern(head)}(?:{rest}|{_WORD})" if rest else f"{_text_pattern(head)}{_WORD}"


_ESCAPED: Final = re.compile(r"[\\%&+]")
_BREAK: Final = r"[\s\"'<>]"
_WORD: Final = r"[^\s\"'<>]*"


def _text_pattern(text: str) -> str:
    return "".join(_alternatives(_encodings(char)) for char in text)


def _alternatives(patterns: Iterable[str]) -> str:
    # Without duplicates: the matcher would try all combinations of equal alternatives.
    return f"(?:{'|'.join(dict.fromkeys(patterns))})"


def _encodings(char: str) -> Iterable[str]:
    """Yield patterns of a character: plain, in JSON, in a URL, in HTML, and escaped repeatedly."""
    # Repetition is bounded: an unbounded pattern takes exponential time on a hostile text.
    yield "".join(rf"\\{{1,4}}u{unit}" for unit in re.findall("....", _utf16(char)))
    yield "".join(f"%(?:25){{0,2}}{byte:02x}" for byte in char.encode())
    yield rf"&(?:amp;){{0,2}}#(?:0{{0,4}}{ord(char)}|x0{{0,4}}{ord(char):x});"
    if not char.isalnum():
        yield "&(?:amp;){0,2}[a-z]{2,8};"
    if char == " ":
        yield r"\+"
    # Last, because a backslash may begin one of the escapes above.
    yield rf"\\{{0,4}}{re.escape(char.lower())}"


def _utf16(char: str) -> str:
    return char.encode("utf-16-be").hex()
