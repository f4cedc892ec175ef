"""Write the published JSON schemas, from the package: `.venv/bin/python -m tools.site.schemas`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.cli.review.document import ReviewDocument
from pulumi_vod_workflow.core.plan_message import plan_message_adapter

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ALWAYS: Final = ["kind", "version", "operation", "fingerprint", "total", "starts"]
"""Fields of every plan message; the other fields are there if they are not empty."""


def schemas() -> Mapping[str, str]:
    """Return name of the file -> its content."""
    review = ReviewDocument.model_json_schema(mode="serialization")
    plan: dict[str, Any] = {**plan_message_adapter().json_schema(), "required": ALWAYS}
    return {
        "review.schema.json": _text(review, "Output of `vod-workflow review --format json`"),
        "plan-message.schema.json": _text(plan, "Plan message of the provider"),
    }


def _text(schema: Mapping[str, Any], title: str) -> str:
    whole = {"$schema": DIALECT, **schema, "title": title}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files."""
    for name, text in schemas().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
