"""`vod-workflow review --prices`: the cost of the starts of a preview, and its limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    DurationBasis,
    DurationGroup,
    Items,
    StartGroup,
    start_groups,
)
from pulumi_vod_workflow.core.property_marks import UNKNOWN_TEXT
from pulumi_vod_workflow.core.start_reason import NEW
from tests.cli.command import invoke
from tests.cli.test_review import (
    FORMS,
    PREVIEWS,
    SENT_AGAIN,
    declared,
    hard_batch,
    line_of,
    recorded,
    starting,
)

BUILT_IN = "06853553c4d3402698a17ff5dff87fd7"
PRICES = f"""
currency = "CNY"
[default]
per_minute = 0.03
low_priority_discount = 0.5
[workflows.{BUILT_IN}]
per_output = 0.2
"""
SERVICE = DurationBasis.SERVICE


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return str(path)


def review(data: object, *options: str) -> Result:
    text = json.dumps(data).encode()
    return invoke("review", *options, data=text, env={"COLUMNS": "200"})


def as_data(data: object, prices: str, *options: str) -> dict[str, Any]:
    result = review(data, "--format=json", f"--prices={prices}", *options)
    assert result.exit_code in (0, 3), result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def cost(data: object, prices: str) -> tuple[str, str | None, list[tuple[str, int]]]:
    found = as_data(data, prices)["cost"]
    unpriced = [(part["reason"], part["runs"]) for part in found["unpriced"]]
    return found["low"], found["high"], unpriced


def planned(preview: dict[str, Any], **plan: Any) -> dict[str, Any]:
    """A preview with the provider's message about its step."""
    plan.setdefault("starts", (StartGroup(NEW.causes, items=ONE_RUN),))
    return {**preview, "diagnostics": [line_of(preview["steps"][0], **plan)]}


def lasting(seconds: str) -> dict[str, Any]:
    return {"durations": (DurationGroup(SERVICE, ONE_RUN, seconds),)}


def test_the_duration_of_a_source_is_that_of_the_message(prices: str) -> None:
    """Without one, the estimate is the least, never 0 alone."""
    assert cost(declared(), prices) == ("0", None, [("durationUnknown", 1)])
    assert cost(planned(declared(), **lasting("90.5")), prices) == ("0.04525", "0.04525", [])
    idle = declared(enableLowPriority=True)
    assert cost(planned(idle, **lasting("60")), prices) == ("0.015", "0.015", [])
    unknown = declared(enableLowPriority=UNKNOWN_TEXT)
    assert cost(planned(unknown, **lasting("60")), prices) == ("0.015", "0.03", [])
    [run] = as_data(planned(declared(), **lasting("90.5")), prices)["runs"]
    expected = {"seconds": "90.5", "basis": "service", "average": False, "minimum": False}
    assert run["sourceDuration"] == expected


def test_runs_of_the_journal_cost_nothing_and_repeated_starts_up_to_a_run(prices: str) -> None:
    reused = planned(declared(), starts=(), reuses=ONE_RUN, run="r9")
    assert cost(reused, prices) == ("0", "0", [])
    text = review(reused, f"--prices={prices}").stdout
    assert "estimate: 0 CNY; reused and adopted runs cost 0" in text
    again = {**SENT_AGAIN, **lasting("60")}
    assert cost(planned(declared(), **again), prices) == ("0", "0.03", [])
    assert (
        "estimate: up to 0.03 CNY"
        in review(planned(declared(), **again), f"--prices={prices}").stdout
    )


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"templateId": UNKNOWN_TEXT}, "workflowUnknown"),
        ({"templateId": "[secret]", "secretInputs": True}, "workflowUnknown"),
        ({"vid": None, "directUrl": {"fileName": "f"}}, "durationUnknown"),
    ],
)
def test_what_has_no_price_is_told_with_the_reason(
    prices: str, inputs: dict[str, Any], reason: str
) -> None:
    assert cost(declared(**inputs), prices) == ("0", None, [(reason, 1)])


def test_a_setting_with_an_unknown_user_is_an_error_not_a_traceback() -> None:
    preview = {**declared(), "config": {"vod:prices": "~nobody-has-this-name/prices.toml"}}
    result = review(preview, "--max-cost=1")
    assert result.exit_code == 2
    assert "price file ~nobody-has-this-name/prices.toml: cannot be read" in result.stderr


def test_a_limit_that_a_rounded_cost_equals_is_told_with_the_exact_cost(prices: str) -> None:
    result = review(planned(declared(), **lasting("90.5")), f"--prices={prices}", "--max-cost=0.05")
    assert result.exit_code == 0
    result = review(
        planned(declared(), **lasting("90.5")), f"--prices={prices}", "--max-cost=0.0452"
    )
    assert result.exit_code == 3
    assert "0.04525 CNY would be spent, more than --max-cost 0.0452 CNY" in result.stderr


def test_a_second_message_lowers_no_estimate(prices: str) -> None:
    """A program may repeat a message of an earlier preview, with the duration of that time."""
    own, other = (planned(declared(), **lasting(seconds)) for seconds in ("90.5", "1"))
    for first, second in ((own, other), (other, own)):
        both = {**first, "diagnostics": [*first["diagnostics"], *second["diagnostics"]]}
        assert cost(both, prices) == ("0", None, [("durationUnknown", 1)])
    twice = {**own, "diagnostics": own["diagnostics"] * 2}
    assert cost(twice, prices) == ("0.04525", "0.04525", [])
    # Nothing binds this message to the inputs: its fingerprint is that of the URN.
    unbound = planned(declared(clientToken=UNKNOWN_TEXT), **lasting("1"))
    assert cost(unbound, prices)[1:] == (None, [("durationUnknown", 1)])


def test_a_message_with_impossible_durations_is_ignored(prices: str) -> None:
    """With secret inputs anyone could write it; a run has no keys; a batch's groups have some."""
    secret = declared(secretInputs=True, vid="[secret]", clientToken="[secret]")
    named = {"durations": (DurationGroup(SERVICE, Items.of(["a"]), "60"),)}
    for odd in (
        planned(secret, **lasting("60")),
        planned(declared(), **named),
        planned(declared(), durations=(DurationGroup(SERVICE, Items(2), "60"),)),
        planned(declared(), **lasting("0")),
        planned(declared(), **lasting("1e9")),
        hard_batch("a", "b", plan={**starting("a", "b"), **lasting("60")}),
        hard_batch("a", "b", plan={
            **starting("a", "b"), "durations": (DurationGroup(SERVICE, Items.of(["x"]), "60"),)
        }),
    ):  # fmt: skip
        found = as_data(odd, prices)
        assert all(run["sourceDuration"] is None for run in found["runs"])
        assert found["cost"]["high"] is None


def test_items_of_a_batch_have_their_own_durations(prices: str) -> None:
    groups = tuple(
        DurationGroup(SERVICE, Items.of([key]), seconds)
        for key, seconds in {"a": "60", "b": "30"}.items()
    )
    preview = hard_batch("a", "b", "c", plan={**starting("a", "b", "c"), "durations": groups})
    assert cost(preview, prices) == ("0.045", None, [("durationUnknown", 1)])
    runs = as_data(preview, prices)["runs"]
    assert [(run["item"], run["estimate"]["low"]) for run in runs] == [
        ("a", "0.03"), ("b", "0.015"), ("c", "0"),
    ]  # fmt: skip
    text = review(preview, f"--prices={prices}").stdout
    assert "estimate: at least 0.04 CNY" in text  # a bound is rounded outwards
    assert "unpriced: 1 run: the duration of the source is not known" in text
    assert "hint: set `vod:preflight` and `vod:prices`" in text


def test_many_items_have_the_sum_of_their_durations(prices: str) -> None:
    keys = [f"k{number:03}" for number in range(120)]
    plan = {
        **starting(*keys),
        "durations": (DurationGroup(SERVICE, Items.of(keys), "7200.6"),),
    }
    assert cost(hard_batch(*keys, plan=plan), prices) == ("3.6003", "3.6003", [])
    less = {**plan, "durations": (DurationGroup(SERVICE, Items.of(keys[:110]), "7200.6"),)}
    low, high, unpriced = cost(hard_batch(*keys, plan=less), prices)
    assert (low, high, unpriced) == ("3.6003", None, [("durationUnknown", 120)])
    # of starts that a preview does not name
    unnamed = {
        "starts": start_groups([(NEW, keys[:105])]),
        "reuses": Items.of(keys[105:]),
        "durations": (DurationGroup(SERVICE, Items.of(keys[:105]), "6300"),),
    }
    assert cost(hard_batch(*keys, plan=unnamed), prices) == ("3.15", "3.15", [])


def test_a_recorded_preview_in_every_form(prices: str) -> None:
    """The numbers of the page: 36 outputs of a built-in workflow, and a run without a duration."""
    texts = [
        review(recorded("changes"), f"--prices={prices}", f"--format={form}").stdout
        for form in FORMS
    ]
    for text in texts[:2]:
        assert "estimate: at least 7.20 CNY" in text
        assert "unpriced: 1 run: the duration of the source is not known" in text
    assert json.loads(texts[2])["cost"] | {"unpriced": ()} == {
        "kind": "atLeast", "low": "7.2", "high": None, "pricedHigh": "7.2", "currency": "CNY",
        "unpriced": (), "maxCost": None, "allowUnpriced": False, "exceeded": False,
    }  # fmt: skip
    without = json.loads(review(recorded("changes"), "--format=json").stdout)
    assert without["cost"] is None
    assert {run["estimate"] for run in without["runs"]} == {None}


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("changes", ["--max-cost=7.2"], "not all of it has a price"),
        ("changes", ["--max-cost=7.2", "--allow-unpriced"], ""),
        ("changes", ["--max-cost=7.19", "--allow-unpriced"], "at least 7.20 CNY would be spent"),
        ("changes", ["--max-cost=7.19"], "more than --max-cost 7.19 CNY allows"),
        ("changes", ["--max-cost=7", "--max-starts=1"], "more than --max-starts 1 allows"),
        ("nothing", ["--max-cost=0"], ""),
        ("mixed", ["--max-cost=1000000"], "number of runs is not known yet"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_exit_code_by_max_cost(
    prices: str, name: str, options: list[str], says: str, form: str
) -> None:
    """An unknown cost exceeds every limit; one message names both limits."""
    result = review(recorded(name), f"--prices={prices}", f"--format={form}", *options)
    assert result.exit_code == (3 if says else 0)
    assert says in result.stderr
    assert ("--max-cost" in result.stderr) == bool(says)
    assert result.stdout


def test_the_price_file_of_the_stack(prices: str, tmp_path: Path) -> None:
    """`vod:prices`, which `--prices` replaces."""
    preview = recorded("changes")
    preview["config"]["vod:prices"] = prices
    assert "estimate: at least 7.20 CNY" in review(preview).stdout
    other = tmp_path / "other.toml"
    other.write_text('currency = "EUR"\ndefault.per_run = 1\n')
    assert "estimate: 7.00 EUR" in review(preview, f"--prices={other}").stdout


def test_bad_prices_and_bad_usage(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('currency = "yuan"\n[default]\nper_run = "1"\n')
    (tmp_path / "latin.toml").write_bytes(b'currency = "CNY"\n# \xe9\n')
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)
    for options, says in (
        ([f"--prices={wrong}"], "line 1: currency: must be three capital letters"),
        ([f"--prices={wrong}"], "line 3: default.per_run: must be a number from 0"),
        ([f"--prices={tmp_path / 'latin.toml'}"], "line 2: is not in UTF-8"),
        ([f"--prices={tmp_path / 'large.toml'}"], "is larger than 1,000,000 bytes"),
        (["--prices=/dev/zero"], "is larger than 1,000,000 bytes"),
        ([f"--prices={tmp_path / 'none.toml'}"], "cannot be read: No such file"),
        (["--max-cost=5"], "--max-cost needs prices"),
        (["--max-cost=-5"], "must be a number from 0 to 1,000,000,000,000,000"),
        (["--max-cost=nan"], "must be a number from 0 to 1,000,000,000,000,000"),
        (["--max-cost=1e999999999"], "must be a number from 0 to 1,000,000,000,000,000"),
        (["--max-cost=5 CNY"], "must be a number from 0 to 1,000,000,000,000,000"),
    ):
        result = review(recorded("changes"), *options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert says in " ".join(result.stderr.split())


def test_a_preview_without_inputs_has_no_known_cost(prices: str) -> None:
    """The summary of `--output json`."""
    text = (PREVIEWS / "forms-summary.json").read_text()
    found = as_data(json.loads(text), prices)["cost"]
    assert (found["kind"], found["high"]) == ("unknown", None)
