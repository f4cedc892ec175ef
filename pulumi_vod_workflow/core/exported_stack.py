"""
The output of `pulumi stack export` as data; nothing is decrypted.

The export has the stack's configuration of its last update, because the engine records that
configuration with the provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pulumi_vod_workflow.core.exported_state import StateRuns, masked
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    RUN_TYPE,
    canonical_type,
    provider_configuration,
)
from pulumi_vod_workflow.core.secrets import Secret

KEY_NAMES: Final = ("accessKey", "secretKey", "sessionToken")
"""The names of the settings with credentials, without their namespace."""


def _or(empty: Any) -> BeforeValidator:
    """Return a validator that reads `null` as an empty value."""
    return BeforeValidator(lambda value: empty() if value is None else value)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Resource(_Model):
    """A resource of the state, or of a pending operation."""

    urn: str
    type: Annotated[str, AfterValidator(canonical_type)] = ""
    """The canonical type."""
    inputs: Annotated[dict[str, Any], _or(dict)] = {}
    outputs: Annotated[dict[str, Any], _or(dict)] = {}
    delete: bool = False
    """Whether the resource was replaced, and the engine still has to delete it."""
    created: Annotated[str, _or(str)] = ""
    """The time of its create; empty if the engine has not created it yet."""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::", 3)[-1]

    @property
    def is_default(self) -> bool:
        """Whether a provider is the one that the engine makes of the stack's configuration."""
        return self.name.startswith("default")  # `default_0_1_0` for a packaged provider


class Operation(_Model):
    """An operation that an interrupted update had not finished."""

    type: str
    """`creating`, `updating`, ..."""
    resource: Resource


class _Manifest(_Model):
    time: datetime | None = None


class _Deployment(_Model):
    manifest: Annotated[_Manifest, _or(_Manifest)] = _Manifest()
    resources: Annotated[list[Resource], _or(list)] = []
    pending: Annotated[list[Operation], _or(list)] = Field(default=[], alias="pending_operations")


class _Export(_Model):
    deployment: _Deployment


class ExportedStack:
    """A stack in an export; secrets are `SECRET`."""

    def __init__(self, deployment: _Deployment) -> None:
        self.written = deployment.manifest.time
        """The time of the state."""
        self.resources = deployment.resources
        self.pending = deployment.pending
        urns = [found.urn for found in (*self.resources, *(op.resource for op in self.pending))]
        parts = next((urn.removeprefix("urn:pulumi:").split("::") for urn in urns), [])
        self.name, self.project = (*parts, "", "")[:2]
        """Empty for a stack without resources."""
        configurations = (
            provider_configuration(found.type, found.inputs)
            for found in sorted(self.resources, key=lambda found: not found.is_default)
        )
        known = [found for found in configurations if found is not None]
        self.is_configured = bool(known)
        """Whether the export has the configuration of the last update."""
        # A stack whose program configures a provider of its own may also have an empty default one.
        self._config: Mapping[str, Any] = next(filter(None, known), {})

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """
        Return the stack of an export.

        Raises:
            ValueError: when the content is no export; with the place of the problem.

        """
        try:
            document = masked(json.loads(content))  # UTF-8 or UTF-16, as PowerShell writes
        except (ValueError, RecursionError):
            raise ValueError("no JSON") from None
        try:
            return cls(_Export.model_validate(document).deployment)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, first["loc"]))
            raise ValueError(f"no stack: {path}: {first['msg']}") from None

    def of_type(self, kind: str) -> Iterable[Resource]:
        """Return the resources of a type."""
        return (resource for resource in self.resources if resource.type == kind)

    @property
    def interrupted(self) -> list[Operation]:
        """Interrupted operations that may have started runs."""
        return [
            operation
            for operation in self.pending
            if operation.type in {"creating", "updating"}
            and operation.resource.type in {RUN_TYPE, BATCH_TYPE}
        ]

    def is_replacement(self, operation: Operation) -> bool:
        """
        Return whether a pending create replaces a resource of the state, and has not ended.

        The new resource has the time of the resource that it replaces, until its create ends. A
        pending first create has no time.
        """
        new = operation.resource
        return (
            operation.type == "creating"
            and bool(new.created)
            and any(
                (old.urn, old.created) == (new.urn, new.created) and not old.delete
                for old in self.resources
            )
        )

    @cached_property
    def runs(self) -> StateRuns:
        """The runs of the state; not those that the engine still has to delete."""
        return StateRuns.of(
            [(found.type, found.outputs) for found in self.resources if not found.delete],
            [(found.resource.type, found.resource.inputs) for found in self.pending],
        )

    def setting(self, key: str) -> str | None:
        """Return a setting of the configuration; keys only if none of them is secret."""
        space, _, name = key.partition(":")
        beside = [self._config.get(f"{space}:{other}") for other in KEY_NAMES]
        if name in KEY_NAMES and any(isinstance(value, Secret) for value in beside):
            return None
        value = self._config.get(key)
        return value if isinstance(value, str) else None

    def is_secret(self, key: str) -> bool:
        """Return whether a setting of the configuration is a secret."""
        return isinstance(self._config.get(key), Secret)

    def has_setting(self, key: str) -> bool:
        """Return whether the configuration has a setting, secret or not."""
        return bool(self._config.get(key))
