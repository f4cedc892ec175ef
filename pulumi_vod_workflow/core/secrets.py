"""Values that the state keeps encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the state records as a secret."""

    # The engine encrypts secret inputs itself. Outputs need this mark (pulumi-facts B.6).

    value: Any
