"""Property names: lowerCamelCase in the state, snake_case in Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs.models import Model, RunInputs, property_names
from pulumi_vod_workflow.core.values import PLAIN, normalise

# -- one spelling ------------------------------------------------------------------------------


@cache
def _nested_model(model: type[Model], name: str) -> type[Model] | None:
    """Return the model of a field's value or list items, if it has one."""
    pending: list[object] = [model.model_fields[name].annotation]
    while pending:
        part = pending.pop()
        if isinstance(part, type) and issubclass(part, Model):
            return part
        pending.extend(get_args(part))
    return None


@cache
def _field_spellings(
    model: type[Model], spelling: Callable[[str], str]
) -> Mapping[str, tuple[str, str, type[Model] | None]]:
    """Return each spelling of a field -> its name, its `spelling`, and its nested model."""
    return {
        either: (name, spelling(name), _nested_model(model, name))
        for name, camel in property_names(model).items()
        for either in (name, camel)
    }


def rename_keys(
    value: object,
    model: type[Model] | None,
    spelling: Callable[[str], str],
    unwrap: Callable[[object], object] = lambda value: value,
) -> Any:
    """
    Return `value` with the fields of `model` renamed by `spelling`; other keys stay.

    Args:
        value: the properties.
        model: their model; `None` for values without a model.
        spelling: field name -> new key.
        unwrap: applied to each value first, for example to change argument classes into mappings.

    """
    value = unwrap(value)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        fields = _field_spellings(model, spelling) if model else {}
        result = {}
        for key, item in value.items():
            name, right, nested = fields.get(key) or ("", key, None)
            # A field in both spellings: both stay, so that validation reports one of them.
            if name and right in result:
                right = name if key == right else key
            result[right] = rename_keys(item, nested, spelling, unwrap)
        return result
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [rename_keys(item, model, spelling, unwrap) for item in value]
    return value


def rename_path(path: str, model: type[Model] = RunInputs) -> str:
    """Return a property's path in state spelling, for example `input.overrideParams.logo[0]`."""
    result, current = "", model
    for part in re.split(r"(\.|\[[^\]]*\])", path):
        name, right, nested = _field_spellings(current, to_camel).get(part) or ("", part, None)
        result += right
        if name:
            current = nested or Model  # keys below are the user's
    return result


def to_property_names(raw: Mapping[str, object], model: type[Model] = RunInputs) -> dict[str, Any]:
    """Return `raw` in state spelling: lowerCamelCase, integral floats as ints, no `None`."""
    result: dict[str, Any] = rename_keys(normalise(raw), model, to_camel)
    return result
