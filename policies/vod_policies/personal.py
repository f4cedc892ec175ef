"""Patterns of personal data in a text, with their check digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

from pulumi_vod_workflow.errors import ConfigurationError


def _is_resident_id(found: str) -> bool:
    """Check birthday and check digit (GB 11643)."""
    try:
        date(int(found[6:10]), int(found[10:12]), int(found[12:14]))
    except ValueError:
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * int(digit) for weight, digit in zip(weights, found, strict=False))
    return found[17].upper() == "10X98765432"[total % 11]


def _is_luhn(found: str) -> bool:
    """Check the check digit (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(found) if digit.isdigit()]
    doubled = [digit * (1 + place % 2) for place, digit in enumerate(digits)]
    return sum(sum(divmod(number, 10)) for number in doubled) % 10 == 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """The pattern of one kind of data."""

    name: str
    """The name in a message, with its article."""
    regex: re.Pattern[str]
    is_valid: Callable[[str], bool] = bool
    """A further check of a match of the expression."""


KINDS: Final[Mapping[str, Pattern]] = {
    "email": Pattern("an e-mail address", re.compile(r"[\w.%+-]{1,64}@[\w-]+(?:\.[\w-]+)+")),
    "mobile": Pattern(
        "a Chinese mobile number",
        re.compile(r"(?<!\d)(?:(?:00|\+)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"),
    ),
    "residentId": Pattern(
        "a Chinese resident identity number",
        re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?![\dXx])"),
        _is_resident_id,
    ),
    "bankCard": Pattern(
        "a UnionPay card number", re.compile(r"(?<!\d)62(?:[ -]?\d){14,17}(?!\d)"), _is_luhn
    ),
}
"""The built-in patterns, by their names in the configuration."""


def patterns(kinds: Collection[str], more: Mapping[str, str]) -> list[Pattern]:
    """
    Return the chosen patterns.

    Args:
        kinds: names in `KINDS`.
        more: name -> regular expression of further patterns.

    Raises:
        ConfigurationError: an expression is invalid.

    """
    chosen = [KINDS[kind] for kind in KINDS if kind in kinds]
    for name, regex in more.items():
        try:
            chosen.append(Pattern(name, re.compile(regex)))
        except re.error as error:
            raise ConfigurationError(
                f"patterns.{name}: invalid regular expression: {error}"
            ) from None
    return chosen


def found_in(text: str, known: Iterable[Pattern]) -> Iterator[str]:
    """Yield each kind of data in a text, also in percent encoding and in full-width forms."""
    text = normalize("NFKC", text)
    texts = (text, unquote(text))
    for pattern in known:
        if any(
            pattern.is_valid(found[0]) for text in texts for found in pattern.regex.finditer(text)
        ):
            yield pattern.name
