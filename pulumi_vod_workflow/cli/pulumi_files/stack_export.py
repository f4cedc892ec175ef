"""
The output of `pulumi stack export` as data: nothing of it is decrypted, run or changed.

The export has the stack's configuration of its last update, because the engine records that with
the provider. So the commands need only the file, except for keys that are secret there.
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
from pulumi_vod_workflow.core.exported_state import BATCH_TYPE, RUN_TYPE, masked
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.errors import ConfigurationError, VodWorkflowError

PROVIDER_TYPE: Final = "pulumi:providers:pulumi-python"
"""The type of the resource with the stack's configuration."""
ENVIRONMENT: Final = {
    "accessKey": "VOLCENGINE_ACCESS_KEY",
    "secretKey": "VOLCENGINE_SECRET_KEY",
    "sessionToken": "VOLCENGINE_SESSION_TOKEN",
}
"""Name of a key -> the environment variable that replaces it."""
KEY_NAMES: Final = tuple(ENVIRONMENT)


class ExportError(VodWorkflowError):
    """The export cannot be read; nothing was sent."""


def _or(empty: Any) -> BeforeValidator:
    """Return a validator that reads `null` as an empty value."""
    return BeforeValidator(lambda value: empty() if value is None else value)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Resource(_Model):
    """A resource of the state, or of a pending operation."""

    urn: str
    type: str = ""
    inputs: Annotated[dict[str, Any], _or(dict)] = {}
    outputs: Annotated[dict[str, Any], _or(dict)] = {}
    delete: bool = False
    """Whether the resource was replaced, and the engine still has to delete it."""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::", 3)[-1]


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


class Stack:
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
        configured = (found.inputs for found in self.resources if found.type == PROVIDER_TYPE)
        self._config: Mapping[str, Any] = next(configured, {})

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

    def setting(self, key: str) -> str | None:
        """Return a setting of the configuration; keys only if none of them is secret."""
        space, _, name = key.partition(":")
        beside = [self._config.get(f"{space}:{other}") for other in KEY_NAMES]
        if name in KEY_NAMES and any(isinstance(value, Secret) for value in beside):
            return None
        value = self._config.get(key)
        return value if isinstance(value, str) else None

    def _encrypted(self, cwd: Path | None) -> str:
        """Return the hint for encrypted keys of the stack; empty if there are none."""
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
            cwd: the program's folder, the base of the stack's relative paths.
            chosen: settings of `vod:` from the command line, which replace those of the stack. A
                relative path of them starts at `cwd`, too.

        Raises:
            ConfigurationError: when settings are invalid.

        """
        given = {f"vod:{name}": value for name, value in chosen.items() if value}
        if "vod:journal" not in given and isinstance(self._config.get("vod:journal"), Secret):
            raise ConfigurationError(
                "vod:journal of the stack is encrypted, and this command decrypts nothing\n"
                'hint: pass `--journal "$(pulumi config get vod:journal)"`'
            )
        found = load_settings(
            lambda key: given.get(key) or self.setting(key),
            {**os.environ, "PULUMI_PROJECT": self.project},
            home_folder(),
            folder=cwd or Path(),
        )
        return replace(found, encrypted=self._encrypted(cwd))


def read_stack(source: str | None, name: str | None = None, cwd: Path | None = None) -> Stack:
    """
    Return the stack of an export.

    Args:
        source: a file, `-` for the standard input, or `None`: then this runs Pulumi.
        name: the stack for Pulumi, by default the selected stack.
        cwd: the program's folder, by default the current one.

    Raises:
        ExportError: when there is no export, or the file is something else.

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
