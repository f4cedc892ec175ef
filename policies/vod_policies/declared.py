"""
The declared runs of a resource, and their violations of a rule.

A policy sees the inputs of a resource after the provider's check, and before any operation. The
policies do not check unknown values, and no declarations that the provider rejects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.inputs.validation import check_inputs
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.text import join_path, list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem

Inputs = Mapping[str, Any]
Rule = Callable[[Inputs], Iterable[Problem]]


def received(value: Any) -> Any:
    """Return a value of pulumi-policy, which raises at unknown values, with `UNKNOWN` for them."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return received(container[key])
    except UnknownValueError:
        return UNKNOWN


def declaration(kind: str, properties: Inputs) -> Inputs | None:
    """
    Return the inputs of a run or a batch of this canonical type, normalised.

    The result is `None` for any other resource, for a declaration that the provider rejects, and
    for a resource without inputs, because `--target` leaves it out.
    """
    if kind == RUN_TYPE:
        declared = check_inputs(properties)
        return None if declared.problems else declared.values
    # The provider adds the tokens to a valid batch only.
    if kind == BATCH_TYPE and "clientTokens" in properties:
        return normalise_batch(properties)
    return None


def problems(kind: str, declared: Inputs, rule: Rule) -> Iterator[Problem]:
    """
    Yield the violations of each declared start, equal ones once.

    The rule checks a batch's items with their defaults. A violation of the defaults alone has the
    path of the defaults.
    """
    if kind == RUN_TYPE:
        yield from _violations(declared, rule)
        return
    defaults = declared.get("defaults")
    shared = {*rule(defaults)} if isinstance(defaults, Mapping) else set()
    keys_by_problem: dict[Problem, list[str]] = defaultdict(list)
    for key, item in items_of(declared).items():
        if item is not UNKNOWN:
            for problem in _violations(item, rule):
                keys_by_problem[problem].append(key)
    for problem, keys in keys_by_problem.items():
        if problem in shared:
            yield Problem(join_path("defaults", problem.path), problem.reason)
        else:
            others = (
                f" (and so {len(keys) - 1:,} more: {list_names(keys[1:], 5)})" if keys[1:] else ""
            )
            first = join_path(property_path("items", keys[0]), problem.path)
            yield Problem(first, problem.reason + others)


def _violations(inputs: Inputs, rule: Rule) -> Iterable[Problem]:
    """Apply a rule to a run; an adopted run sends no start, so no rule applies to it."""
    return () if "existingRunId" in inputs else rule(inputs)
