"""
How an operation's failure reaches the person: one clear message, no traceback.

The SDK's dynamic provider host turns any exception into its whole traceback (pulumi-facts B.3);
`sdk_compat.status_details` puts the message in its place.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from pulumi_vod_workflow.dynamic.sdk_compat.status_details import set_status_details
from pulumi_vod_workflow.errors import VodWorkflowError, start_hint

P = ParamSpec("P")
R = TypeVar("R")


class OperationFailedError(Exception):
    """What the host is given: the message alone, without causes or secrets."""


def reported(operation: Callable[P, R], *, pays: bool = False) -> Callable[P, R]:
    """
    Make `operation` fail with its error's message alone.

    Args:
        operation: a provider's method.
        pays: whether it starts runs, so that a defect in it may have.

    """

    @wraps(operation)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(*args, **kwargs)
        except VodWorkflowError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret, its traceback too
            message = _defect(operation.__name__, error, pays=pays)
        set_status_details(message)
        raise OperationFailedError(message)

    return wrapper


def _defect(operation: str, error: Exception, *, pays: bool) -> str:
    """Say where something went wrong that should not; a maintainer needs no more."""
    trace = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in trace[:-6:-1])
    started = start_hint(maybe_accepted=True, retryable=True) if pays else "Nothing was started."
    return (
        f"{operation} failed by a defect of pulumi_vod_workflow, not of your program. {started}\n"
        f"Please report it with this line: {type(error).__name__} at {places}"
    )
