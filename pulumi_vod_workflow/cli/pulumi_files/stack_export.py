"""
What `pulumi stack export` has written, read as data: nothing of it is decrypted, run or changed.

The export also tells how the stack was configured when it was last updated: the engine records that
with the provider. So its file is all that the commands need, but for keys that are secret there.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.errors import VodWorkflowError

SECRET: Final = Secret("[secret]")
"""Stands for every secret of the export."""
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi tells values of special kinds."""
OF_SECRETS: Final = "1b47061264138c4ac30d75fd1eb44270"
"""What a secret has there."""
RUN_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowRun"
BATCH_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowBatch"
COMPLETION_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowCompletion"
PROVIDER_TYPE: Final = "pulumi:providers:pulumi-python"
"""Of the resource that holds the stack's configuration."""
ENVIRONMENT: Final = {
    "accessKey": "VOLCENGINE_ACCESS_KEY",
    "secretKey": "VOLCENGINE_SECRET_KEY",
    "sessionToken": "VOLCENGINE_SESSION_TOKEN",
}
"""Part of a key -> the variable that gives it instead of the stack."""
KEY_NAMES: Final = tuple(ENVIRONMENT)


class ExportError(VodWorkflowError):
    """The export cannot be had or read; nothing was sent."""


def _or(empty: Any) -> BeforeValidator:
    """Take `null` as nothing."""
    return BeforeValidator(lambda value: empty() if value is None else value)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Resource(_Model):
    """A resource of the state, or one that was being made."""

    urn: str
    type: str = ""
    inputs: Annotated[dict[str, Any], _or(dict)] = {}
    outputs: Annotated[dict[str, Any], _or(dict)] = {}
    delete: bool = False
    """It was replaced, and is still to be removed."""

    @property
    def name(self) -> str:
        """As the program calls it."""
        return self.urn.split("::", 3)[-1]


class Operation(_Model):
    """What an update had begun and not ended when it was cut short."""

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


class Stack:
    """A stack as an export tells of it; secrets are `SECRET`."""

    def __init__(self, deployment: _Deployment) -> None:
        self.written = deployment.manifest.time
        """When the state was written."""
        self.resources = deployment.resources
        self.pending = deployment.pending
        urns = [found.urn for found in (*self.resources, *(op.resource for op in self.pending))]
        parts = next((urn.removeprefix("urn:pulumi:").split("::") for urn in urns), [])
        self.name, self.project = (*parts, "", "")[:2]
        """Empty for a stack that has nothing in it."""
        configured = (found.inputs for found in self.resources if found.type == PROVIDER_TYPE)
        self._config: Mapping[str, Any] = next(configured, {})

    def of_type(self, kind: str) -> Iterable[Resource]:
        """Return the resources of a type."""
        return (resource for resource in self.resources if resource.type == kind)

    @property
    def interrupted(self) -> list[Operation]:
        """Operations that were cut short, and may have started runs."""
        return [
            operation
            for operation in self.pending
            if operation.type in {"creating", "updating"}
            and operation.resource.type in {RUN_TYPE, BATCH_TYPE}
        ]

    def setting(self, key: str) -> str | None:
        """Return a setting of the configuration; keys only if none of them is secret."""
        space, _, name = key.partition(":")
        beside = [self._config.get(f"{space}:{other}") for other in KEY_NAMES]
        if name in KEY_NAMES and any(isinstance(value, Secret) for value in beside):
            return None
        value = self._config.get(key)
        return value if isinstance(value, str) else None

    def _encrypted(self, cwd: Path | None) -> str:
        """Return what to do about keys of the stack that are encrypted, if there are any."""
        for space in ("vod", "volcengine"):
            keys = {name: self._config.get(f"{space}:{name}") for name in KEY_NAMES}
            if any(isinstance(value, Secret) for value in keys.values()):
                where = f" --stack {shlex.quote(self.name)}"
                where += f" --cwd {shlex.quote(str(cwd))}" if cwd else ""
                given = " ".join(
                    f'{ENVIRONMENT[name]}="$(pulumi config get {space}:{name}{where})"'
                    for name, value in keys.items()
                    if value
                )
                return (
                    f"The keys of the stack ({space}:accessKey, {space}:secretKey) are encrypted, "
                    "and this command decrypts nothing. Give them by the environment: "
                    f"`export {given}`"
                )
        return ""

    def settings(self, cwd: Path | None = None, **chosen: str | None) -> Settings:
        """
        Return the settings: those of the stack, of the environment, and of the official files.

        Args:
            cwd: the program's folder, which the stack's relative files count from.
            chosen: settings of `vod:` that the person has given instead.

        Raises:
            ConfigurationError: when something is wrong with them.

        """
        given = {f"vod:{name}": value for name, value in chosen.items() if value}
        found = load_settings(
            lambda key: given.get(key) or self.setting(key), os.environ, home_folder()
        )
        base = cwd or Path()
        encrypted = self._encrypted(cwd)
        return replace(
            found,
            encrypted=encrypted,
            emulator_store=base / found.emulator_store,
            journal=found.journal if chosen.get("journal") else base / found.journal,
        )


def masked(value: Any) -> Any:
    """Return the value with `SECRET` in place of secrets, encrypted or not."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == OF_SECRETS:
            return SECRET
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def has_secrets(value: Any) -> bool:
    """Tell whether there is a secret anywhere in it."""
    if isinstance(value, dict):
        return any(map(has_secrets, value.values()))
    if isinstance(value, list):
        return any(map(has_secrets, value))
    return isinstance(value, Secret)


def read_stack(source: str | None, name: str | None = None, cwd: Path | None = None) -> Stack:
    """
    Return the stack that an export tells of.

    Args:
        source: a file, `-` for the standard input, or nothing: then Pulumi is asked for it.
        name: the stack to ask Pulumi for, by default the one that is selected.
        cwd: the program's folder, by default this one.

    Raises:
        ExportError: when there is none, or it is something else.

    """
    if source is not None and (name or cwd):
        raise ExportError("give either a file or --stack and --cwd, not both")
    what = "what Pulumi has exported" if source is None else source
    try:
        if source is None:
            content = _exported(name, cwd)
        elif source == "-":
            what, content = "the standard input", sys.stdin.buffer.read()
        else:
            content = Path(source).read_bytes()
    except OSError as error:
        raise ExportError(f"{what} cannot be read: {error.strerror}") from None
    try:
        document = masked(json.loads(content))  # UTF-8 or UTF-16, as PowerShell writes
    except (ValueError, RecursionError):
        raise ExportError(f"{what} is no JSON: {_HINT}") from None
    try:
        return Stack(_Export.model_validate(document).deployment)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise ExportError(f"{what} is no stack: {path}: {first['msg']}. {_HINT}") from None


_HINT: Final = "give a file that `pulumi stack export` has written"


def _exported(name: str | None, cwd: Path | None) -> bytes:
    command = ["pulumi", "stack", "export", "--non-interactive", "--color=never"]
    command += ["--stack", name] if name else []
    command += ["--cwd", str(cwd)] if cwd else []
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ExportError(f"there is no `pulumi` on PATH: install it, or {_HINT}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ExportError(f"`pulumi stack export` has failed: {said}")
    return done.stdout
