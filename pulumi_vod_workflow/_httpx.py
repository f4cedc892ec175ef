"""
httpx, without the program for a terminal that it carries.

httpx loads that program wherever click, rich and pygments are installed, as they are with this
package, and they take three times as long to load as all else of it, just before the first start.
It is told that the program is not there, as where they are not installed: `httpx.main` then says
so. Who has loaded httpx before has it as it was.
"""

from __future__ import annotations

import sys
from typing import Final

PROGRAM: Final = "httpx._main"

if "httpx" in sys.modules:
    import httpx
else:
    sys.modules[PROGRAM] = None  # type: ignore[assignment]  # how Python spells "not installed"
    try:
        import httpx
    finally:
        del sys.modules[PROGRAM]

__all__ = ["httpx"]
