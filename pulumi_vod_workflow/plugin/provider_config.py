"""The configuration of a provider resource: the keys of `vod:`, and the environment."""

# The engine sends the keys of the package's own namespace alone, so the keys of `volcengine:` do
# not arrive (plugin-facts 2). The environment and the credential files do.

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.config.shown_url import has_credentials
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.plugin.host import own_provider_of, project_of

KEYS: Final = frozenset({"accessKey", "secretKey", "sessionToken"})
"""The settings that sign requests."""
UNKNOWN_KEY: Final = "unknown-before-the-update"
"""The placeholder of an unknown key in a preview."""
SECRET_KEYS: Final = frozenset({*KEYS, "journal"})
"""The settings that may contain a secret: the URL of a database has a password."""
UNREADABLE: Final = (
    "Another resource determines the keys of the provider, and this operation does not know them. "
    "No run was started.\nhint: run `pulumi up` again"
)
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
        f"vod:{key}": str(value)
        for key, value in arguments.items()
        if key not in ENGINE_KEYS and value is not None
    }
    # The engine gives the project's name to dynamic providers alone.
    environ = {**os.environ, "PULUMI_PROJECT": project}
    settings = load_settings(
        texts.get,
        environ,
        home_folder(),
        texts,
        folder,
        trusts_login=False,
        provider=provider,
    )
    if has_unknown_keys(arguments):
        # The keys of another source may be those of another account.
        return replace(settings, credentials=None, unreadable=UNREADABLE)
    return settings


def problems_of(arguments: Mapping[str, Any], urn: str, folder: Path) -> str:
    """Return the text of all problems of a configuration; empty without one."""
    if not is_known(arguments):  # it depends on another resource
        return ""
    try:
        settings_of(arguments, folder, project=project_of(urn), provider=own_provider_of(urn))
    except ConfigurationError as error:
        return str(error)
    return ""


def with_known_keys(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a configuration without unknown keys, so that the engine checks and compares resources.

    While any setting is unknown, the engine calls no provider. But only calls of the service need
    keys.
    """
    return {
        key: UNKNOWN_KEY if key in KEYS and value is UNKNOWN else value
        for key, value in arguments.items()
    }


def has_unknown_keys(arguments: Mapping[str, Any]) -> bool:
    """Return whether a preview does not know the keys of a configuration."""
    return any(arguments.get(key) == UNKNOWN_KEY for key in KEYS)


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
    return key in SECRET_KEYS and (key != "journal" or has_credentials(str(value)))
