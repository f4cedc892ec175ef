"""The style and the script of the pages, and the headers that allow them and nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

_FOLDER: Final = files(__package__)
STYLE: Final = (_FOLDER / "dashboard.css").read_text(encoding="utf-8")
SCRIPT: Final = (_FOLDER / "dashboard.js").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""The headers of every page: the browser runs this script only, and shows the page in no frame."""
