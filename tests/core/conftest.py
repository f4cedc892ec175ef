"""What the tests of the core share."""

from __future__ import annotations

import asyncio

import pulumi
import pytest


@pytest.fixture
def texts_of_outputs() -> tuple[str, str]:
    """The SDK's text of an Output, and Python's of a list with one."""

    async def made() -> tuple[str, str]:
        output = pulumi.Output.from_input("x")
        return str(output), str([output])

    return asyncio.run(made())
