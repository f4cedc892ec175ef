"""
The message of a failed operation: no traceback, no cause, no secret.

The SDK's dynamic provider host turns any exception into its whole traceback (pulumi-facts B.3);
`sdk_compat.status_details` puts the message in its place.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pulumi_vod_workflow.dynamic.sdk_compat.status_details import set_status_details
from pulumi_vod_workflow.errors import VodWorkflowError, start_hint


class _Provider(Protocol):
    @property
    def paid_operations(self) -> frozenset[str]: ...


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=_Provider)


class OperationFailedError(Exception):
    """The message alone: the SDK's host prints whatever else an exception holds."""


def report_errors(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], R]:
    """
    Make a provider's method fail with the message of its error alone.

    Raises:
        OperationFailedError: for every exception of the method.

    """

    @wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except VodWorkflowError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - its text and traceback may hold a secret
            may_start_runs = method.__name__ in self.paid_operations
            message = _internal_error_message(method.__name__, error, may_start_runs)
        set_status_details(message)
        raise OperationFailedError(message)

    return wrapper


def _internal_error_message(operation: str, error: Exception, may_start_runs: bool) -> str:  # noqa: FBT001
    """Return what a maintainer needs to find a defect: the error's class and place."""
    trace = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in trace[:-6:-1])
    hint = (
        start_hint(maybe_accepted=True, retryable=True)
        if may_start_runs
        else "Nothing was started."
    )
    return (
        f"{operation} failed by a defect of pulumi_vod_workflow, not of your program. {hint}\n"
        f"Please report it with this line: {type(error).__name__} at {places}"
    )
