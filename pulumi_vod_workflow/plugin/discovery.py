"""The search for the plugin, before the engine searches."""

# Without the plugin the engine reports `could not find latest version for provider vod`, after
# attempts to download what no server has, and a traceback follows. So the program searches first.

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.config.backend import ProjectFile, pulumi_home

EXECUTABLE: Final = "pulumi-resource-vod"
MISSING_PLUGIN: Final = (
    "the plugin of the package vod is neither installed nor on PATH\n"
    "hint: run `vod-workflow plugin install`"
)
DOWNLOAD_OVERRIDES: Final = "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"
"""The variable with places from which the engine downloads plugins."""


def is_plugin_found(environ: Mapping[str, str], home: Path, project: ProjectFile) -> bool:
    """
    Return whether an engine finds the plugin; in doubt, it does.

    Args:
        environ: the program's environment. The engine's PATH may lack a folder of it: the official
            Python host adds the folder of the virtual environment.
        home: the user's home folder.
        project: the program's project.

    """
    attached = environ.get("PULUMI_DEBUG_PROVIDERS", "").split(",")
    return (
        "vod" in project.plugins
        or DOWNLOAD_OVERRIDES in environ
        or any(name.strip().startswith("vod:") for name in attached)
        or shutil.which(EXECUTABLE, path=environ.get("PATH", "")) is not None
        or any((pulumi_home(environ, home) / "plugins").glob("resource-vod-v*"))
    )
