"""The types of input values, each with its rule."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, get_args
from urllib.parse import unquote

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.execution import StatusClass
from pulumi_vod_workflow.core.values import UNKNOWN

# Numbers travel as IEEE doubles. Above 2**53 two integers can be one double.
MAX_EXACT_INTEGER: Final = 2**53 - 1
"""The largest integer with an exact double."""

# The page has no upper limit. The official SDKs' integers have 32 bits.
MAX_INT32: Final = 2**31 - 1
"""The largest integer that the official SDKs can send."""

# -- rules of types ----------------------------------------------------------------------------


def described_as(text: str) -> WrapValidator:
    """Return a validator that accepts unknowns, and reports "must be `text`" for other values."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if value is UNKNOWN:
            return value
        try:
            return handler(value)
        except ValidationError as error:
            if all(item["loc"] for item in error.errors()):
                raise  # the problem is an item's, with its own message
        raise PydanticCustomError("allowed", "must be {allowed}", {"allowed": text})

    return WrapValidator(validate)


def satisfies(test: Callable[[Any], bool]) -> WrapValidator:
    """Return a validator that rejects a value of the right type which fails `test`."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        result = handler(value)
        if not test(result):
            raise PydanticCustomError("test", "not allowed")
        return result

    return WrapValidator(validate)


def _is_json(value: object) -> bool:
    """Return whether `value` is exactly representable JSON; unknowns are accepted."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, (int, float)):  # bool is an int; NaN compares false
        return -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    return value is None or value is UNKNOWN or isinstance(value, str)


_OBJECT_TEXT: Final = re.compile(
    r"__str__.{1,20}Output|\bat 0x[0-9a-f]{6,}>|calling[\W_]*str[\W_]*on[\W_]*an[\W_]*output",
    re.IGNORECASE | re.DOTALL,
)
"""The `str` of an Output, also percent-encoded or in a file name, and the `repr` of an object."""

OBJECT_TEXT_REASON: Final = (
    "contains Python's text of an Output or of another object, not its value; build the text with "
    "Output.format, Output.concat or .apply"
)


def is_object_text(text: str) -> bool:
    """Return whether `text` contains Python's text of an Output or another object."""
    # f"{output}" gives a warning text. A start with it would be paid, and fail.
    return _OBJECT_TEXT.search(text) is not None


_SCHEME: Final = re.compile(r"[^a-z0-9]*[a-z][a-z0-9+._-]*://", re.IGNORECASE)
"""A URL scheme, also after quotes, blanks or invisible characters."""


def _is_path(value: str) -> bool:
    if not value or any(unicodedata.category(letter) == "Cc" for letter in value):
        return False
    return not _SCHEME.match(unicodedata.normalize("NFKC", unquote(value)))


def _is_id(value: str) -> bool:
    return bool(value) and value == value.strip() and value.isprintable()


def is_item_key(value: str) -> bool:
    """Return whether `value` can be an item's key."""
    # Pulumi reserves properties that begin with `__`, and does not show them.
    return _is_id(value) and len(value) <= 200 and not value.startswith("__")


ITEM_KEYS: Final = (
    "a printable string of 1 to 200 characters, without white space around it and without two "
    "underscores at the start"
)


def _is_template_choice(ids: list[object]) -> bool:
    # The page: All replaces a list of ids.
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

STATUS_CLASSES: Final[tuple[str, ...]] = get_args(StatusClass)

StatusClasses = Annotated[
    list[Annotated[StatusClass, described_as(" or ".join(STATUS_CLASSES))]],
    described_as(f"a list of {', '.join(STATUS_CLASSES)}"),
]

# The page, Priority.
Priority = Annotated[int, Field(ge=-5, le=5), described_as("an integer from -5 to 5")]

# The page, CallbackArgs.
CallbackArgs = Annotated[
    str,
    satisfies(lambda text: len(text.encode()) <= 512),
    described_as("a string of at most 512 bytes in UTF-8"),
]

# vod-api-facts 4, ClientToken.
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

# vod-api-facts 10: the page has `All`, an SDK comment `ALL`; no document has the rules of case.
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
