"""
The price file: the user's own prices of runs, in TOML. The service's prices are in no file.

An entry is for one workflow (`template_id`); `default` is for workflows without an entry. All
prices have the one currency of the file, so amounts of several currencies never meet.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
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
"""The most digits of a price, a discount or a limit after its point."""
MAX_OUTPUTS: Final = 1_000
"""The highest number of outputs of a workflow."""


def parse_amount(value: object, highest: int) -> Decimal | None:
    """
    Return a number from 0 to `highest` with at most `MAX_DECIMALS` decimals.

    `None` for anything else: an exact fraction of `1e999999999` would fill the memory.
    """
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        return None
    number = Decimal(value)
    if not (number.is_finite() and 0 <= number <= highest):
        return None
    return number if number == number.quantize(_SMALLEST) else None


_SMALLEST: Final = Decimal(1).scaleb(-MAX_DECIMALS)


def _price(value: object) -> Decimal:
    number = parse_amount(value, MAX_PRICE)
    if number is None:
        raise _rule(f"a number from 0 to {MAX_PRICE:,}, with at most {MAX_DECIMALS} decimals")
    return number


def _discount(value: object) -> Decimal:
    number = parse_amount(value, 1)
    if number is None:
        raise _rule(f"a number from 0 to 1, with at most {MAX_DECIMALS} decimals: 0.3 is 30 % less")
    return number


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
        lines = _lines_of_paths(text)
        raise PriceFileError(
            [(_line_of(lines, path), Problem(property_path(*path), why)) for path, why in found]
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
    return tomllib.loads(text, parse_float=_parse_decimal)


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent has too many digits
        return Decimal("NaN")


def _raise_syntax_error(text: str, error: Exception) -> NoReturn:
    reason, _, place = str(error).partition(" (at ")
    words = place.removesuffix(")").replace(",", "").split()
    in_line = len(words) == 4 and words[0] == "line"
    line = int(words[1]) if in_line else text.rstrip("\n").count("\n") + 1
    column = f" (column {words[3]})" if in_line else ""
    raise PriceFileError([(line, Problem("", f"is no TOML{column}: {reason}"))]) from None


_MAX_PATH: Final = 3
"""The most names of a problem's path, as in `workflows.my-own.per_run`."""
_CLOSING: Final = re.compile("""\\"{3}|'{3}|]""")
"""The end of a value of several lines."""


def _lines_of_paths(text: str) -> dict[tuple[str, ...], int]:
    """Return path -> the first line of the first statement that adds it."""
    # `tomllib` has no positions. Each statement is TOML by itself.
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    begin, statement = 1, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        statement.append(line)
        if len(statement) > 1 and not _CLOSING.search(line):
            continue
        try:
            added = [*_paths(_parse("\n".join(statement)))]
        except tomllib.TOMLDecodeError:  # the value has more lines
            continue
        is_header = statement[0].lstrip(" \t").startswith("[")
        for path in added:
            found.setdefault(path if is_header else (*table, *path), begin)
        table = added[-1] if is_header else table
        begin, statement = number + 1, []
    return found


def _paths(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the values in a table, each after that of its table."""
    if not isinstance(value, dict) or len(path) == _MAX_PATH:
        return
    for key, item in value.items():
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _line_of(lines: Mapping[tuple[str, ...], int], path: tuple[int | str, ...]) -> int:
    """Return the line of a path, or of its nearest existing table."""
    names = tuple(map(str, path))
    while names and names not in lines:
        names = names[:-1]
    return lines.get(names, 1)
