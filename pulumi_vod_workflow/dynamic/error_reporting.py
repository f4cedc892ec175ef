"""
The message of a failed operation, in place of its traceback.

The SDK's dynamic provider host sends the whole traceback of an exception (pulumi-facts B.3).
`sdk_compat.status_details` replaces it by the message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from pulumi_vod_workflow.dynamic.sdk_compat.status_details import (
    kept_resource,
    set_status_details,
)
from pulumi_vod_workflow.hosting.error_text import error_message


class _Provider(Protocol):
    @property
    def paid_operations(self) -> frozenset[str]: ...


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=_Provider)


class OperationFailedError(Exception):
    """An error with a message alone, because the SDK's host prints all parts of an exception."""


class ResourceKeptError(Exception):
    """
    An error of an operation that failed and has changed its resource.

    Args:
        text: the text of the error.
        id_: the id of the resource.
        properties: the resource's state, with the SDK's marks for secret values.

    """

    def __init__(self, text: str, id_: str, properties: dict[str, Any]) -> None:
        super().__init__(text)
        self.id = id_
        self.properties = properties


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
        name, details = method.__name__, None
        try:
            return method(self, *args, **kwargs)
        except ResourceKeptError as error:
            message = str(error)
            details = kept_resource(error.id, error.properties, message)
        except Exception as error:  # noqa: BLE001 - its text and traceback may contain a secret
            message = error_message(name, error, may_start_runs=name in self.paid_operations)
        set_status_details(message, details)
        raise OperationFailedError(message)

    return wrapper
