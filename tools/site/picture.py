"""
Draw the review comment that README.md shows: `python -m tools.site.picture`.

The comment is what `vod-workflow review --format markdown` prints for a recorded preview. Chromium
draws it as GitHub does. The picture carries its Markdown, so that a test can compare both.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import markdown

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = ROOT / "docs" / "images" / "review-comment.png"
PREVIEW: Final = ROOT / "tests" / "cli" / "previews" / "forms.json"
WIDTH: Final = 830  # CSS pixels: about the width of a comment on GitHub
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KEYWORD: Final = b"Source"
PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 12px; background: #fff; color: #1f2328;
  font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }}
main {{ border: 1px solid #d1d9e0; border-radius: 6px; padding: 4px 16px 12px; }}
h3 {{ font-size: 1.25em; margin: 12px 0; }}
p, table, details {{ margin: 0 0 12px; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #d1d9e0; padding: 6px 13px; }}
tr:nth-child(2n) td {{ background: #f6f8fa; }}
code {{ background: #818b981f; border-radius: 6px; padding: .2em .4em; font-size: 85%;
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; }}
</style><main>{comment}</main>
<script>document.body.dataset.height = Math.ceil(document.body.getBoundingClientRect().height)
</script>"""
# Without these options Chromium loads updates, or needs rights that containers do not have.
OPTIONS: Final = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                  "--disable-background-networking", "--force-color-profile=srgb")  # fmt: skip


def comment() -> str:
    """Return the comment as the command prints it."""
    command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "review", str(PREVIEW)]
    return subprocess.run(
        [*command, "--format", "markdown"], capture_output=True, text=True, check=True
    ).stdout


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and data of each chunk of a PNG file."""
    position = len(SIGNATURE)
    while position < len(png):
        (size,) = struct.unpack_from(">I", png, position)
        yield png[position + 4 : position + 8], png[position + 8 : position + 8 + size]
        position += size + 12


def source_of(png: bytes) -> str:
    """Return the Markdown that a picture carries."""
    [data] = [data for kind, data in chunks(png) if kind == b"zTXt"]
    return zlib.decompress(data.removeprefix(KEYWORD + b"\0\0")).decode()


def draw(text: str) -> bytes:
    """Return the picture of a comment, with its Markdown inside."""
    page = PAGE.format(comment=markdown.markdown(text, extensions=["tables"]))
    browser = subprocess.run(
        [ROOT / "tools" / "find-browser"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "page.html").write_text(page, encoding="utf-8")
        command = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
        url = (folder / "page.html").as_uri()
        small = subprocess.run(
            [*command, f"--window-size={WIDTH},600", "--dump-dom", url],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        [height] = re.findall(r'data-height="(\d+)"', small)
        shot = folder / "shot.png"
        subprocess.run(
            [*command, f"--window-size={WIDTH},{height}", f"--screenshot={shot}", url],
            capture_output=True, check=True,
        )  # fmt: skip
        drawn = dict(chunks(shot.read_bytes()))
        data = b"".join(data for kind, data in chunks(shot.read_bytes()) if kind == b"IDAT")
    kept = [
        (b"IHDR", drawn[b"IHDR"]),
        (b"zTXt", KEYWORD + b"\0\0" + zlib.compress(text.encode(), 9)),
        (b"IDAT", zlib.compress(zlib.decompress(data), 9)),
        (b"IEND", b""),
    ]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in kept
    )


if __name__ == "__main__":
    PICTURE.write_bytes(draw(comment()))
