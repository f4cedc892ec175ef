"""A resource that needs results: a catalogue in a local file, for whatever comes next."""

import json
from pathlib import Path
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult


class CatalogueProvider(ResourceProvider):
    """Writes the file, and removes it with the resource."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        Path(props["path"]).write_text(json.dumps(props["entries"], indent=2) + "\n")
        return CreateResult(props["path"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(self.create(news).outs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        Path(props["path"]).unlink(missing_ok=True)


class Catalogue(Resource):
    """Title -> the files there are of it."""

    entries: Output[dict[str, list[str]]]

    def __init__(
        self,
        name: str,
        path: Input[str],
        entries: Input[dict[str, Input[list[str]]]],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__(CatalogueProvider(), name, {"path": path, "entries": entries}, opts)
