"""
Reads of outputs in asynchronous code, by the SDK's public API, without their dependencies.

`Output.apply` passes the value on, and `Output.is_secret` ends after that.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

import pulumi
from pulumi import Output

T = TypeVar("T")


async def value_of(output: Output[Any]) -> Any:
    """
    Wait for an output's value, with `pulumi.UNKNOWN` for unknown parts.

    Raises:
        Exception: the error of a failed output.

    """
    found: list[Any] = []
    await output.apply(found.append, run_with_unknowns=True).is_secret()
    return found[0]


async def is_known(output: Output[Any]) -> bool:
    """Wait for an output, and return whether all its parts have a value."""
    return not pulumi.contains_unknowns(await value_of(output))


def without_dependencies(make: Callable[[], Coroutine[Any, Any, T]]) -> Output[T]:
    """Return an output that depends on no resource, is never secret and is always known."""
    return Output.from_input(_LazyAwaitable(make))


class _LazyAwaitable(Generic[T]):
    """An awaitable without the warning that an unawaited coroutine prints at a program's end."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._make = make

    def __await__(self) -> Generator[Any, Any, T]:
        return self._make().__await__()
