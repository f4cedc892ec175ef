"""The schema of the packaged provider, which the engine and the generators of SDKs read."""

from __future__ import annotations

from pathlib import Path


def package_schema() -> str:
    """Return the schema as JSON; `tools/plugin/schema.py` writes it from the resource classes."""
    return Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
