"""The price file: decimal prices, and all problems at once, each with its line."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.prices import PriceFileError, Prices, Rate, parse_prices

TABLES = "must be a table of tables, each named by a template_id"


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(PriceFileError) as caught:
        parse_prices(text)
    return [(line, str(problem)) for line, problem in caught.value.problems]


def test_prices_of_workflows_and_the_default() -> None:
    found = parse_prices(
        """
        currency = "CNY"
        [default]
        per_run = 1
        [workflows.06853553c4d3402698a17ff5dff87fd7]
        per_minute = 0.032
        per_output = 1_0.50
        outputs = 3
        low_priority_discount = 0.3
        [workflows."a workflow"]
        per_run = 0
        """
    )
    named = Rate(
        per_minute=Decimal("0.032"),
        per_output=Decimal("10.50"),
        outputs=3,
        low_priority_discount=Decimal("0.3"),
    )
    assert found.currency == "CNY"
    assert found.rate("06853553c4d3402698a17ff5dff87fd7") == named
    assert found.rate("a workflow") == Rate(per_run=Decimal(0))
    assert found.rate("another") == Rate(per_run=Decimal(1))
    assert parse_prices('currency = "EUR"') == Prices(currency="EUR")
    assert parse_prices('currency = "EUR"').rate("another") is None


@given(st.decimals(0, 1_000_000, places=9, allow_nan=False))
def test_a_price_is_the_decimal_that_the_file_spells(price: Decimal) -> None:
    """No price passes through a binary float, in which 0.1 is not 0.1."""
    found = parse_prices(f'currency = "CNY"\ndefault.per_run = {price:f}')
    rate = found.rate("any")
    assert rate is not None
    assert rate.per_run == price


def test_all_problems_are_told_at_once_with_their_lines() -> None:
    """Also of values over several lines, of inline tables, and of keys with dots."""
    text = """currency = "yuan"
surprise = 1

[default]
per_minute = -1   # a comment
per_run = "0.1"
outputs = [
  1,
]
low_priority_discount = 30
[workflows]
flat = 5
"d e".per_run = true
inline = { per_run = 1, per_minit = 2 }
[workflows.empty]

[workflows.odd]
per_run = 0.1234567891
per_output = nan
per_minute = 1_000_001
"""
    price = "must be a number from 0 to 1,000,000, with at most 9 decimals"
    unknown = "is no setting of a price file"
    discount = "must be a number from 0 to 1, with at most 9 decimals: 0.3 is 30 % less"
    assert problems(text) == [
        (1, "currency: must be three capital letters, for example CNY"),
        (2, f"surprise: {unknown}"),
        (5, f"default.per_minute: {price}"),
        (6, f"default.per_run: {price}"),
        (7, "default.outputs: must be an integer from 0 to 1,000"),
        (10, f"default.low_priority_discount: {discount}"),
        (12, "workflows.flat: must be a table"),
        (13, f'workflows["d e"].per_run: {price}'),
        (14, f"workflows.inline.per_minit: {unknown}"),
        (15, "workflows.empty: must have per_minute, per_output or per_run; 0 is a price"),
        (18, f"workflows.odd.per_run: {price}"),
        (19, f"workflows.odd.per_output: {price}"),
        (20, f"workflows.odd.per_minute: {price}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (1, "currency: is required")),
        ("[default]\nper_run = 1", (1, "currency: is required")),
        ('currency = "CNY"\nworkflows = 3', (2, f"workflows: {TABLES}")),
        ('currency = "CNY"\ndefault = []', (2, "default: must be a table")),
        ("currency = 1", (1, "currency: must be a string")),
        ('currency = "CNY"\nx =\n', (2, "is no TOML (column 4): Invalid value")),
        ('a = 1\n\na = 2\nb = "', (3, "is no TOML (column 6): Cannot overwrite a value")),
    ],
)  # fmt: skip
def test_a_single_problem(text: str, expected: tuple[int, str]) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize("text", ["a = '''\n\n", f"a = {'9' * 5_000}", "[" * 100_000])
def test_text_that_no_parser_reads_is_a_problem(text: str) -> None:
    [(_, reason)] = problems(text)
    assert reason.startswith("is no TOML")


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-999999999", f"1.{'0' * 40}1"])
def test_a_number_beyond_every_plausible_one_is_a_problem_of_its_line(number: str) -> None:
    """An exact fraction of such a number takes all memory, or a rounded one is another price."""
    text = f'currency = "CNY"\n[default]\nper_run = {number}\nlow_priority_discount = {number}'
    assert [line for line, _ in problems(text)] == [3, 4]


def test_a_file_of_problems_is_told_soon() -> None:
    """The parser reads each statement once, however many problems there are."""
    wrong = "".join(f"[workflows.w{number}]\nper_min = [\n1]\n" for number in range(3000))
    deep = "a." * 400 + "b = 1\n"
    long = 'b = """\n' + "x\n" * 50_000 + '"""\n'
    found = problems(f'currency = "CNY"\n{deep}{long}{wrong}last = 1')
    assert [line for line, _ in found[:2]] == [2, 3]
    assert found[-1] == (59_005, "workflows.w2999.last: is no setting of a price file")
    assert len(found) == 2 + 3000 + 1


ROOT = Path(__file__).parents[2]


def test_the_example_is_that_of_the_pages_and_marked_as_invented() -> None:
    """No price of the service is shipped as a fact."""
    text = (ROOT / "examples" / "prices.toml").read_text()
    assert text.startswith("# INVENTED NUMBERS")
    assert {*parse_prices(text).workflows} == {
        "06853553c4d3402698a17ff5dff87fd7",
        "my-own-workflow",
    }
    for page, word in (("review.md", "**invented**"), ("review.zh.md", "**虚构**")):
        shown = (ROOT / "docs" / page).read_text()
        assert f'```toml title="prices.toml"\n{text}```' in shown
        assert word in shown
        keys = {*Rate.model_fields, "currency", "default"}
        table = "".join(re.findall(r"^\| `.*$", shown, re.MULTILINE))
        assert {key for key in keys if f"`{key}`" not in table} == set()
