"""
Outputs read in asynchronous code, where their dependencies do not matter, by the SDK's public API.

`Output.apply` hands the value over, and `Output.is_secret` ends when that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

import pulumi
from pulumi import Output

T = TypeVar("T")


async def value_of(output: Output[Any]) -> Any:
    """
    Wait for an output's value, in which unknown parts are `pulumi.UNKNOWN`.

    Raises:
        Exception: what the output failed with.

    """
    found: list[Any] = []
    await output.apply(found.append, run_with_unknowns=True).is_secret()
    return found[0]


async def is_known(output: Output[Any]) -> bool:
    """Wait until it is clear whether an output, with all its parts, has a value."""
    return not pulumi.contains_unknowns(await value_of(output))


def alone(make: Callable[[], Coroutine[Any, Any, T]]) -> Output[T]:
    """Return an output that depends on no resource: itself never secret, and always known."""
    return Output.from_input(_Late(make))


class _Late(Generic[T]):
    """An awaitable that, unlike a coroutine, does not complain if the program ends before it."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._make = make

    def __await__(self) -> Generator[Any, Any, T]:
        return self._make().__await__()
