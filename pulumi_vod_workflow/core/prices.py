"""
The price file: the user's own prices of runs, in TOML. The service's prices are in no file.

An entry is for one workflow (`template_id`); `default` is for workflows without an entry. All
prices have the one currency of the file, so amounts of several currencies never meet.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, NoReturn, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.text import property_path
from pulumi_vod_workflow.errors import Problem

MAX_PRICE: Final = 1_000_000
"""The highest price, in units of the currency: a higher one is probably a mistake."""
MAX_DECIMALS: Final = 9
"""The most digits of a price after its point."""
MAX_OUTPUTS: Final = 1_000
"""The highest number of outputs of a workflow."""


def _number(value: object) -> Decimal | None:
    """Return a finite number of TOML; `None` if the value is anything else."""
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def _price(value: object) -> Decimal:
    number = _number(value)
    if number is not None and 0 <= number <= MAX_PRICE:
        exponent = number.normalize().as_tuple().exponent
        if isinstance(exponent, int) and -exponent <= MAX_DECIMALS:
            return number
    raise _rule(f"a number from 0 to {MAX_PRICE:,}, with at most {MAX_DECIMALS} decimals")


def _discount(value: object) -> Decimal:
    number = _number(value)
    if number is not None and 0 <= number <= 1:
        return number
    raise _rule("a number from 0 to 1, for example 0.3 for 30 % less")


def _outputs(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_OUTPUTS:
        return value
    raise _rule(f"an integer from 0 to {MAX_OUTPUTS:,}")


def _rule(text: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "must be {text}", {"text": text})


Price = Annotated[Decimal, BeforeValidator(_price)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Rate(_Table):
    """The prices of a run of one workflow. An absent price is part of no estimate."""

    per_minute: Price | None = None
    """The price of one minute of the source; a part of a minute costs its part."""
    per_output: Price | None = None
    """The price of one output."""
    per_run: Price | None = None
    """The price of a run, whatever its source and outputs."""
    outputs: Annotated[int, BeforeValidator(_outputs)] | None = None
    """
    The number of outputs of a run.

    The default is the number of tasks of a built-in workflow; for other workflows it is not known.
    """
    low_priority_discount: Annotated[Decimal, BeforeValidator(_discount)] = Decimal()
    """The part of each price that a run with `enableLowPriority` saves: 0 (the default) to 1."""

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.per_minute is None and self.per_output is None and self.per_run is None:
            raise PydanticCustomError(
                "empty", "must have per_minute, per_output or per_run; 0 is a price"
            )
        return self


class Prices(_Table):
    """The prices of a file."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    """The currency of all prices: three capital letters, for example `CNY`."""
    default: Rate | None = None
    """The prices of the workflows without an entry."""
    workflows: dict[str, Rate] = Field(default_factory=dict)
    """`template_id` of a workflow -> its prices, which replace those of the default as a whole."""

    def rate(self, template_id: str) -> Rate | None:
        """Return the prices of a workflow; `None` if the file has none."""
        return self.workflows.get(template_id, self.default)


class PriceFileError(ValueError):
    """The problems of a price file."""

    def __init__(self, problems: list[tuple[int, Problem]]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = sorted(problems, key=lambda item: item[0])
        """(line, problem), in the order of the lines."""


def parse_prices(text: str) -> Prices:
    """
    Return the prices of a file.

    Raises:
        PriceFileError: with all problems, each with its line. Of an error of TOML itself only the
            first is known.

    """
    try:
        document = _parse(text)
    except (ValueError, RecursionError) as error:  # an integer may be too long for Python
        _raise_syntax_error(text, error)
    try:
        return Prices.model_validate(document)
    except ValidationError as error:
        found = [(tuple(item["loc"]), _reason(item)) for item in error.errors()]
        raise PriceFileError(
            [(_line_of(text, path), Problem(property_path(*path), why)) for path, why in found]
        ) from None


_REASONS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is no setting of a price file",
    "string_pattern_mismatch": "must be three capital letters, for example CNY",
    "string_type": "must be a string",
    "model_type": "must be a table",
    "dict_type": "must be a table of tables, each named by a template_id",
}


def _reason(error: Mapping[str, Any]) -> str:
    # pydantic's own texts quote the value.
    return _REASONS.get(error["type"]) or str(error["msg"])


def _parse(text: str) -> dict[str, Any]:
    # TOML's floats are decimal texts, so no price passes through a binary float.
    return tomllib.loads(text, parse_float=Decimal)


def _raise_syntax_error(text: str, error: Exception) -> NoReturn:
    reason, _, place = str(error).partition(" (at ")
    words = place.removesuffix(")").replace(",", "").split()
    in_line = len(words) == 4 and words[0] == "line"
    line = int(words[1]) if in_line else text.rstrip("\n").count("\n") + 1
    column = f" (column {words[3]})" if in_line else ""
    raise PriceFileError([(line, Problem("", f"is no TOML{column}: {reason}"))]) from None


def _line_of(text: str, path: tuple[int | str, ...]) -> int:
    """Return the first line of the statement that adds a path, or its nearest existing table."""
    # `tomllib` has no positions. The first lines of a file are TOML, too, unless they cut a value.
    lines = text.split("\n")
    while path and not _has(_parse(text), path):
        path = path[:-1]
    if not path:
        return 1
    low, high = 1, len(lines)  # the numbers of lines among which is the first with the path
    while low < high:
        middle = (low + high) // 2
        end, found = _beginning(lines, middle)
        if _has(found, path):
            high = end
        else:
            low = middle + 1
    return _beginning(lines, high - 1)[0] + 1


def _beginning(lines: list[str], count: int) -> tuple[int, dict[str, Any]]:
    """Return the longest readable beginning of at most so many lines: its length and content."""
    for end in range(count, 0, -1):
        try:
            return end, _parse("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:  # the end cuts a value
            continue
    return 0, {}


def _has(value: Any, path: tuple[int | str, ...]) -> bool:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
