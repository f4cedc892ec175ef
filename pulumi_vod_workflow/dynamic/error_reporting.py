"""
The message of a failed operation: no traceback, no cause, no secret.

The SDK's dynamic provider host sends the whole traceback of an exception (pulumi-facts B.3).
`sdk_compat.status_details` replaces it by the message.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pulumi_vod_workflow.core.text import defect_summary
from pulumi_vod_workflow.dynamic.sdk_compat.status_details import set_status_details
from pulumi_vod_workflow.errors import VodWorkflowError, start_hint


class _Provider(Protocol):
    @property
    def paid_operations(self) -> frozenset[str]: ...


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=_Provider)


class OperationFailedError(Exception):
    """An error with a message alone, because the SDK's host prints all parts of an exception."""


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
        except Exception as error:  # noqa: BLE001 - its text and traceback may contain a secret
            may_start_runs = method.__name__ in self.paid_operations
            message = _internal_error_message(method.__name__, error, may_start_runs)
        set_status_details(message)
        raise OperationFailedError(message)

    return wrapper


def _internal_error_message(operation: str, error: Exception, may_start_runs: bool) -> str:  # noqa: FBT001
    """Return the message for a defect of this package, with its class and place, but no values."""
    trace = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in trace[:-6:-1])
    outcome = (
        start_hint(maybe_accepted=True, retryable=True) if may_start_runs else "No run was started."
    )
    return (
        f"{operation} failed by {defect_summary(error)}, not of your program.\n{outcome}\n"
        f"hint: report the defect with this line: {type(error).__name__} at {places}"
    )
