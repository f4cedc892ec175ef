"""
What a policy sees of a resource -> the runs that it declares, and what is wrong with them.

A policy sees a resource's inputs as the provider has checked them, before anything is done; values
that are not known yet, and declarations that the provider refuses, are not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError

from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.inputs.validation import check_inputs
from pulumi_vod_workflow.core.text import join_path, list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem

RUN: Final = "pulumi-python:dynamic/vod:WorkflowRun"
BATCH: Final = "pulumi-python:dynamic/vod:WorkflowBatch"

Inputs = Mapping[str, Any]
Rule = Callable[[Inputs], Iterable[Problem]]


def received(value: Any) -> Any:
    """Return what pulumi-policy hands over, which raises at unknowns, with the core's own mark."""
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
    Return a run's or a batch's inputs in their one spelling.

    `None` for any other resource, for what the provider has refused, and for a resource that
    `--target` leaves out, which has no inputs.
    """
    if kind == RUN:
        declared = check_inputs(properties)
        return None if declared.problems else declared.values
    # The tokens are what the provider adds to a batch that it has found to be right.
    if kind == BATCH and "clientTokens" in properties:
        return normalise_batch(properties)
    return None


def problems(kind: str, declared: Inputs, rule: Rule) -> Iterator[Problem]:
    """
    Apply a rule to each run that is declared to be started; what is alike is said once.

    A batch's items are judged over its defaults. What is wrong with the defaults alone is told as
    theirs.
    """
    if kind == RUN:
        yield from _judged(declared, rule)
        return
    defaults = declared.get("defaults")
    shared = {*rule(defaults)} if isinstance(defaults, Mapping) else set()
    where: dict[Problem, list[str]] = defaultdict(list)
    for key, item in items_of(declared).items():
        if item is not UNKNOWN:
            for problem in _judged(item, rule):
                where[problem].append(key)
    for problem, keys in where.items():
        if problem in shared:
            yield Problem(join_path("defaults", problem.path), problem.reason)
        else:
            others = (
                f" (and so {len(keys) - 1:,} more: {list_names(keys[1:], 5)})" if keys[1:] else ""
            )
            first = join_path(property_path("items", keys[0]), problem.path)
            yield Problem(first, problem.reason + others)


def _judged(inputs: Inputs, rule: Rule) -> Iterable[Problem]:
    """Judge a run, unless it is one that exists, of which nothing is sent."""
    return () if "existingRunId" in inputs else rule(inputs)
