"""The picture in README.md shows what `vod-workflow review` prints."""

from __future__ import annotations

import struct

from tests.docs.test_site import ROOT
from tools.site import picture


def test_the_picture_is_of_the_command_as_it_is() -> None:
    """Read from the picture itself; small enough for a page, and shown by both."""
    png = picture.PICTURE.read_bytes()
    assert picture.source_of(png) == picture.comment(), "draw again: python -m tools.site.picture"
    width, height = struct.unpack_from(">II", dict(picture.chunks(png))[b"IHDR"])
    assert width == picture.WIDTH
    assert 300 < height < 1000, "all of the comment, and nothing below it"
    assert len(png) < 100_000
    shown = f"]({picture.PICTURE.relative_to(ROOT).as_posix()})"
    for page in ("README.md", "README.zh.md"):
        assert shown in (ROOT / page).read_text()
