"""URLs for messages, without credentials."""

from __future__ import annotations

import re
from typing import Final

from pulumi_vod_workflow.config.database_url import database_location

# A secret key may have a slash, so user and password may reach beyond the first one. The name of a
# bucket has no colon.
USER_INFO: Final = re.compile(r"(?<=://)(?:[^/?#]*@|[^/?#@]*:[^?#]*@)")

# The engine also quotes URLs that have no valid form, so all until the last @ may be secret.
QUOTED_URL: Final = re.compile(
    r"(?<=://)(?:[^/\s:@]*@|[^/\s@]*:\S*@)?([^\s?\"'`]*)(?:\?[^\s\"'`]*)?"
)


PASSWORD: Final = re.compile(r"://[^:@/?#]*:[^?#]+@|[?&]password=[^&#]")


def has_password(url: str) -> bool:
    """Return whether the URL of a database has a password."""
    return url.startswith(("postgres://", "postgresql://")) and PASSWORD.search(url) is not None


def has_credentials(url: str) -> bool:
    """Return whether the URL of a store has a user and a password, or a database's a password."""
    if url.startswith(("postgres://", "postgresql://")):
        return has_password(url)
    return without_user_info(url) != url


def without_user_info(url: str) -> str:
    """Return a URL without user and password: a backend or a bucket ignores them."""
    return USER_INFO.sub("", url, count=1)


def shown_url(url: str) -> str:
    """Return the URL of a store or a database for messages, without parameters."""
    if url.startswith(("postgres://", "postgresql://")):
        return database_location(url)
    return re.split("[?#]", without_user_info(url), maxsplit=1)[0]


def mask_urls(text: str, *urls: str) -> str:
    """
    Return a text without the credentials and parameters of URLs in it.

    Args:
        text: the text.
        urls: URLs that the text may quote; an empty one has no effect.

    """
    for url in filter(None, urls):
        text = text.replace(url, shown_url(url))
    return QUOTED_URL.sub(r"\1", text)
