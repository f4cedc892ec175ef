"""
Number of examples: 1,000 declarations of each kind, and in `make torture` 10,000.

They are the same ones each time. PROPERTIES=10 tries 100,000, others each time.

Hypothesis also tries constants of the modules that are loaded, so a worker that has run other tests
sees a few others; the limits below leave room for that.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings

from tests.scale import scaled

TIMES: Final = float(os.environ.get("PROPERTIES") or scaled("0.1", "1"))
LIMIT: Final = max(300, 900 * TIMES)  # seconds
ENOUGH: Final = int(10_000 * TIMES)
"""Different declarations, of each kind; once there are so many, no more are tried."""


def tell(what: str) -> None:
    """Say what was tried, to those who look (`pytest -s`)."""
    print(f"{what}; PROPERTIES=10 make test ARGS=tests/properties: ten times, others")  # noqa: T201


def tried(examples: int) -> settings:
    """
    Return the settings of a property.

    Nothing is shrunk: an example is many declarations, and what fails names the one.
    """
    return settings(
        max_examples=max(5, int(examples * TIMES)),
        derandomize=TIMES <= 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        # Lists of different values reject many draws, the more the fewer modules are loaded.
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


def exact(value: Any) -> str:
    """Return what two equal values have in common: 1 and 1.0 are equal, 1 and true are not."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
