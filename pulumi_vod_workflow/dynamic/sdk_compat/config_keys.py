"""
The keys of a stack's configuration, as the SDK's dynamic provider host knows them.

Private part: `Config._props`, from which the public `Config.get` reads one key.
Buys: a preview refuses a mistyped key, as `vod:endpiont`, with which runs would be paid elsewhere.
Without it: a mistyped key is ignored, as with any other provider.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from pulumi.dynamic import Config


def config_keys(config: Config) -> tuple[str, ...]:
    """Return all keys, each with its namespace; none where the SDK does not show them."""
    found = getattr(config, "_props", None)
    return tuple(found) if isinstance(found, Mapping) else ()
