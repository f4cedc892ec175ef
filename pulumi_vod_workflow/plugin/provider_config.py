"""The configuration of a provider resource: the keys of `vod:`, and the environment."""

# The engine sends the keys of the package's own namespace alone, so the keys of `volcengine:` do
# not arrive (plugin-facts 2). The environment and the credential files do.

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.config.shown_url import has_credentials
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.plugin.host import own_provider_of, project_of

SECRET_KEYS: Final = frozenset({"accessKey", "secretKey", "sessionToken", "journal"})
"""The settings that may contain a secret: the URL of a database has a password."""
ENGINE_KEYS: Final = frozenset({"version", "pluginDownloadURL"})
"""The keys that the engine adds."""


def settings_of(
    arguments: Mapping[str, Any], folder: Path, *, project: str, provider: str
) -> Settings:
    """
    Return the settings of a provider resource.

    Args:
        arguments: the configuration without prefixes, and without marks of secrets.
        folder: the program's folder.
        project: the project's name.
        provider: as in `load_settings`.

    Raises:
        ConfigurationError: with all problems of the settings.

    """
    texts = {
        f"vod:{key}": _text(value)
        for key, value in arguments.items()
        if key not in ENGINE_KEYS and value is not None
    }
    # The engine gives the project's name to dynamic providers alone.
    environ = {**os.environ, "PULUMI_PROJECT": project}
    return load_settings(
        texts.get,
        environ,
        home_folder(),
        texts,
        folder,
        trusts_login=False,
        provider=provider,
    )


def problems_of(arguments: Mapping[str, Any], urn: str, folder: Path) -> str:
    """Return the text of all problems of a configuration; empty without one."""
    if not is_known(arguments):  # it depends on another resource
        return ""
    try:
        settings_of(arguments, folder, project=project_of(urn), provider=own_provider_of(urn))
    except ConfigurationError as error:
        return str(error)
    return ""


def with_secret_keys(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with its secrets marked, also those that the stack has in plain."""
    return {
        key: Secret(value) if value is not UNKNOWN and _is_secret(key, value) else value
        for key, value in arguments.items()
    }


def _is_secret(key: str, value: Any) -> bool:
    """Return whether a setting is, or contains, a secret."""
    # The next update reads the former journal by this setting of the state. If it is secret, the
    # update does not know the starts that only the former journal has.
    return key in SECRET_KEYS and (key != "journal" or has_credentials(_text(value)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
