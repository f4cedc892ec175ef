"""The URL of a PostgreSQL database, which may contain a password."""

from __future__ import annotations

import re
from typing import Final

HOST: Final = r"(?:[\w.%-]*|\[[\w:.]*\])(?::\d+)?"

# libpq reads a URL whose password has a special character in another way than the user means. So a
# URL of any other form may have a part of the password where this form has the host.
DATABASE_URL: Final = re.compile(
    rf"(?P<scheme>postgres(?:ql)?)://(?:[^@/?#]*@)?(?P<shown>{HOST}(?:,{HOST})*(?:/[\w.%-]*)?)(?:\?[^@#]*)?"
)


def is_database_url(url: str) -> bool:
    """Return whether a URL has a valid form: each special character is percent-encoded."""
    return DATABASE_URL.fullmatch(url) is not None


def database_location(url: str) -> str:
    """Return the URL for messages: host, port and database of a valid URL, and nothing else."""
    found = DATABASE_URL.fullmatch(url)
    return f"{found['scheme']}://{found['shown']}" if found else "postgresql://..."
