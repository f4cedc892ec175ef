"""URLs in messages: no credentials, and no parameters."""

from __future__ import annotations

import pytest

from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.config.shown_url import has_credentials, has_password, mask_urls, shown_url
from pulumi_vod_workflow.journal.object_store import ObjectFolder, StoreUrlError, parse_location


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a@b?region=r", "s3://bucket/a@b"),
        ("s3://KEY:HIDDEN@bucket/pre", "s3://bucket/pre"),
        ("s3://KEY:HID/DEN@bucket/pre", "s3://bucket/pre"),
        ("s3://KEY:HID DEN@bucket", "s3://bucket"),
        ("s3://KEY@bucket/a@b", "s3://bucket/a@b"),
        ("gs://bucket#HIDDEN", "gs://bucket"),
        ("postgres://u:HIDDEN@db/d?password=HIDDEN", "postgres://db/d"),
    ],
)
def test_a_url_is_shown_without_credentials(url: str, shown: str) -> None:
    """By the location, by the store, and in a quotation."""
    assert shown_url(url) == shown
    assert str(JournalLocation("objects", url=url)) == shown
    assert ObjectFolder(url, "folder").location == shown
    assert mask_urls(f"cannot open {url}: away", url) == f"cannot open {shown}: away"
    if not url.startswith("postgres"):
        assert str(parse_location(url)) == shown, "the bucket and the path are the same"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("/folder/a:b@c.sqlite3", False),
        ("s3://bucket/a@b?region=r", False),
        ("s3://KEY:HID/DEN@bucket/pre", True),
        ("postgresql://user@db/d?sslmode=require", False),
        ("postgresql://user:HIDDEN@db/d", True),
        ("postgresql://db/d?user=u&password=HIDDEN", True),
    ],
)
def test_a_url_with_credentials_is_known(url: str, *, found: bool) -> None:
    assert has_credentials(url) is found


def test_user_and_password_are_no_bucket() -> None:
    with pytest.raises(StoreUrlError, match="names no bucket"):
        parse_location("s3://KEY:HIDDEN@/pre")


def test_a_quoted_url_has_no_credentials() -> None:
    """Also one that is no setting, or has no valid form."""
    assert mask_urls("open 's3://K:HID/DEN@b/p?x=HIDDEN': away") == "open 's3://b/p': away"
    assert mask_urls("see https://app.pulumi.com/a and retry", "") == (
        "see https://app.pulumi.com/a and retry"
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:HIDDEN@db:5432/d", True),
        ("postgres://:HID/DEN@db", True),
        ("postgresql://db/d?user=me&password=HIDDEN", True),
        ("postgresql://me@db:5432/d", False),
        ("postgresql://db:5432/d?sslmode=require", False),
        ("s3://bucket/a:b@c", False),
        ("/srv/journal.sqlite3", False),
    ],
)
def test_a_password_in_a_url_is_found(url: str, expected: bool) -> None:
    assert has_password(url) is expected
