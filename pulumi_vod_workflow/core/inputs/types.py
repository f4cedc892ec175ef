"""The kinds of values that inputs have, and what each allows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.values import UNKNOWN

MAX_EXACT_INTEGER: Final = 2**53 - 1
"""Numbers travel as IEEE doubles: from the next one on, two integers can be one double."""

MAX_INT32: Final = 2**31 - 1
"""The page gives no upper limit; official SDKs cannot spell or read a larger integer."""

# -- what is allowed, said once for each kind of value ----------------------------------------


def described_as(text: str) -> WrapValidator:
    """Let unknowns pass, and answer anything that does not fit with what would."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if value is UNKNOWN:
            return value
        try:
            return handler(value)
        except ValidationError as error:
            if all(item["loc"] for item in error.errors()):
                raise  # the container fits; some of its items do not
        raise PydanticCustomError("allowed", "must be {allowed}", {"allowed": text})

    return WrapValidator(validate)


def satisfies(test: Callable[[Any], bool]) -> WrapValidator:
    """Refuse a well-typed value that fails `test`; `allowed` says why."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        result = handler(value)
        if not test(result):
            raise PydanticCustomError("test", "not allowed")
        return result

    return WrapValidator(validate)


def _is_json(value: object) -> bool:
    """Tell whether `value` is exactly representable JSON; unknowns count as such."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, (int, float)):  # bool is an int; NaN compares false
        return -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    return value is None or value is UNKNOWN or isinstance(value, str)


_OF_AN_OBJECT: Final = re.compile(
    r"__str__.{1,20}Output|\bat 0x[0-9a-f]{6,}>|calling[\W_]*str[\W_]*on[\W_]*an[\W_]*output",
    re.IGNORECASE | re.DOTALL,
)
"""
The SDK's text for `str` of an Output, also percent-encoded or made a file's name, and Python's
`repr` of an object.
"""

TEXT_OF_AN_OBJECT: Final = (
    "holds Python's text of an Output or of another object, not its value; build the text with "
    "Output.format, Output.concat or .apply"
)


def is_text_of_an_object(text: str) -> bool:
    """Tell whether a program has put an Output, or another object, into `text` itself."""
    return _OF_AN_OBJECT.search(text) is not None


_SCHEME: Final = re.compile(r"[^a-z0-9]*[a-z][a-z0-9+._-]*://", re.IGNORECASE)
"""A scheme, also after quotes, blanks, or characters that are not seen."""


def _is_path(value: str) -> bool:
    if not value or any(unicodedata.category(letter) == "Cc" for letter in value):
        return False
    return not _SCHEME.match(unicodedata.normalize("NFKC", unquote(value)))


def _is_id(value: str) -> bool:
    return bool(value) and value == value.strip() and value.isprintable()


def is_item_key(value: str) -> bool:
    """Tell whether `value` can be an item's key; Pulumi keeps `__` for itself, and hides it."""
    return _is_id(value) and len(value) <= 200 and not value.startswith("__")


ITEM_KEYS: Final = (
    "a printable string of 1 to 200 characters, without white space around it, that does not begin "
    "with two underscores"
)


def _is_template_choice(ids: list[object]) -> bool:
    return "All" not in ids or len(ids) == 1


Id = Annotated[
    str,
    satisfies(_is_id),
    described_as("a non-empty, printable string without white space around it"),
]

ItemKey = Annotated[str, satisfies(is_item_key), described_as(ITEM_KEYS)]

Text = Annotated[str, Field(min_length=1), described_as("a non-empty string")]

FileName = Annotated[
    str,
    satisfies(_is_path),
    described_as("a non-empty path in the space, without scheme:// (a result's file_name is one)"),
]

Flag = Annotated[bool, described_as("true or false")]

Priority = Annotated[int, Field(ge=-5, le=5), described_as("an integer from -5 to 5")]

CallbackArgs = Annotated[
    str,
    satisfies(lambda text: len(text.encode()) <= 512),
    described_as("a string of at most 512 bytes in UTF-8"),
]

ClientToken = Annotated[
    str,
    Field(pattern=r"^[\x20-\x7e]{1,64}\z"),
    described_as("1 to 64 printable ASCII characters; upper and lower case differ"),
]

Milliseconds = Annotated[
    int, Field(ge=0, le=MAX_INT32), described_as("an integer of milliseconds, 0 to 2147483647")
]

Seconds = Annotated[
    float,
    Field(ge=0, le=MAX_EXACT_INTEGER, allow_inf_nan=False),
    described_as("a number of seconds, 0 or more"),
]

Pixels = Annotated[
    int, Field(ge=0, le=4096), described_as("an integer of pixels from 0 to 4096; 0 scales")
]

Index = Annotated[int, Field(ge=0, le=MAX_INT32), described_as("an integer, 0 to 2147483647")]

TemplateChoice = Annotated[
    str,
    satisfies(lambda text: _is_id(text) and (text == "All" or text.lower() != "all")),
    described_as("a template id, or All (spelled like that) for every template of the kind"),
]

TemplateChoices = Annotated[
    list[TemplateChoice],
    Field(min_length=1),
    satisfies(_is_template_choice),
    described_as("a non-empty list of template ids, or [All] alone"),
]

TextMap = Annotated[
    dict[str, Annotated[str, described_as("a string")]], described_as("a map of strings to strings")
]

FlagMap = Annotated[dict[str, Flag], described_as("a map of condition names to true or false")]

TriggerMap = Annotated[
    dict[
        str,
        Annotated[
            Any,
            satisfies(_is_json),
            described_as("JSON with numbers below 2**53; write a larger one as text"),
        ],
    ],
    described_as("a map of names to values; a new or changed value starts a new run"),
]
