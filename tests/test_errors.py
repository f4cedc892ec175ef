"""The names that exceptions had in version 0.1 work for one more release, and say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from pulumi_vod_workflow import errors
from pulumi_vod_workflow.errors import ApiError, RunsFailedError, UnknownStartOutcomeError


def refused() -> ApiError:
    return ApiError("GetWorkflowExecution", code="X", message="words", http_status=400)


OLD_NAMES: list[tuple[str, str, Callable[[], errors.VodWorkflowError]]] = [
    ("can_repeat", "retryable", refused),
    ("can_repeat", "retryable", RunsFailedError),
    ("what", "summary", refused),
    ("quoted", "service_message", refused),
    ("told", "description", refused),
]


@pytest.mark.parametrize(("old", "new", "make"), OLD_NAMES)
def test_an_old_attribute_has_the_value_of_the_new_one(
    old: str, new: str, make: Callable[[], errors.VodWorkflowError]
) -> None:
    error = make()
    with pytest.warns(DeprecationWarning, match=f"^{old} was renamed to {new}; ") as warned:
        assert getattr(error, old) == getattr(error, new)
    assert [(each.filename, each.category) for each in warned] == [(__file__, DeprecationWarning)]


def test_the_old_method_redacts() -> None:
    error = refused()
    assert error.description.endswith(": words")
    with pytest.warns(DeprecationWarning, match="redact_service_message"):
        error.withhold()
    assert error.service_message == "(message hidden: some inputs are secret)"


def test_the_old_class_is_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match="UnknownStartOutcomeError") as warned:
        from pulumi_vod_workflow.errors import UnclearStartError
    assert UnclearStartError is UnknownStartOutcomeError
    assert [each.filename for each in warned] == [__file__]
    with pytest.raises(AttributeError, match="has no attribute 'Unclear'"):
        errors.Unclear  # type: ignore[attr-defined]  # noqa: B018 - there is none


PROGRAM = """
from pulumi_vod_workflow import errors

def start():
    try:
        raise errors.UnknownStartOutcomeError("sent")
    except errors.UnclearStartError as error:
        return error.can_repeat

print([start() for _ in range(3)])
"""


def test_a_program_with_old_names_runs_and_is_warned_once_for_each() -> None:
    """By Python's own rule: once for each place of the program."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[False, False, False]"
    lines = [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert [line.split(": ")[-1].split(" ")[0] for line in lines] == [
        "UnclearStartError",
        "can_repeat",
    ]


def test_no_name_is_new_and_old_at_once() -> None:
    """What the reference documents is the new names."""
    assert errors.__all__ == sorted(errors.__all__)
    classes = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and item.__module__ == errors.__name__
    }
    assert set(errors.__all__) == classes
