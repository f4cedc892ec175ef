"""Write the published JSON schemas, from the package: `.venv/bin/python -m tools.site.schemas`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.cli.review.document import REVIEW_VERSION, ReviewDocument
from pulumi_vod_workflow.core.plan_message import VERSION, plan_message_adapter

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
REVIEW_KEYS: Final = FOLDER.parents[1] / "tests" / "docs" / "review-version-1.txt"
"""All keys that version 1 of a review ever had: no key is removed."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ALWAYS: Final = ["kind", "version", "operation", "fingerprint", "total", "starts"]
"""Fields of every plan message; the other fields are there if they are not empty."""


def schemas() -> Mapping[str, str]:
    """Return name of the file -> its content."""
    review = ReviewDocument.model_json_schema(mode="serialization")
    plan: dict[str, Any] = {**plan_message_adapter().json_schema(), "required": ALWAYS}
    return {
        "review.schema.json": _text(
            review, "Output of `vod-workflow review --format json`", REVIEW_VERSION, "review"
        ),
        "plan-message.schema.json": _text(
            plan, "Plan message of the provider", VERSION, "plan-message"
        ),
    }


def _text(schema: Mapping[str, Any], title: str, version: int, name: str) -> str:
    identity = f"urn:pulumi-vod-workflow:{name}:{version}"
    whole = {"$schema": DIALECT, "$id": identity, **schema, "title": title}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def key_lines(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each key of a document and each type of its values."""
    yield from _lines(schema["$defs"], schema, "")


def _lines(parts: Mapping[str, Any], part: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in part:
        part = parts[part["$ref"].rpartition("/")[2]]
    if "anyOf" in part:
        for each in part["anyOf"]:
            yield from _lines(parts, each, path)
    elif "items" in part:
        yield from _lines(parts, part["items"], f"{path}[]")
    elif path:
        values = part.get("enum", [part["const"]] if "const" in part else [])
        allowed = f" of {', '.join(map(str, sorted(values)))}" if values else ""
        yield f"{path}: {part.get('type', 'any')}{allowed}"
    for name, value in part.get("properties", {}).items():
        yield from _lines(parts, value, f"{path}.{name}".removeprefix("."))


def main() -> None:
    """Write the files."""
    for name, text in schemas().items():
        (FOLDER / name).write_text(text)
    keys = {*REVIEW_KEYS.read_text().splitlines()}
    keys |= {*key_lines(json.loads((FOLDER / "review.schema.json").read_text()))}
    REVIEW_KEYS.write_text("\n".join([*sorted(keys), ""]))


if __name__ == "__main__":
    main()
