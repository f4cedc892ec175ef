"""Stacks on the real engine: a folder, a file backend, and the command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.processes import Took, run

ROOT: Final = Path(__file__).parent.parent
NAME: Final = "bench"


class Stack:
    """
    A new stack.

    Args:
        folder: the folder for its program, settings and state.
        program: the module of `bench.programs` that declares its resources.
        config: its configuration.
        settings: settings of the program, as environment variables.

    """

    def __init__(
        self,
        folder: Path,
        program: str,
        config: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        self.folder = folder
        state = folder / "state"
        state.mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text(f"name: {NAME}\nruntime: python\n")
        (folder / f"Pulumi.{NAME}.yaml").write_text(json.dumps({"config": dict(config or {})}))
        (folder / "__main__.py").write_text(f"import bench.programs.{program}\n")
        self._env = {
            **{key: text for key, text in os.environ.items() if not key.startswith("VOLC")},
            **_variables(settings),
            "PYTHONPATH": str(ROOT),  # for the program and the provider
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_HOME": str(folder.parent / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "",
        }
        self.pulumi("stack", "init", NAME)

    def pulumi(self, *arguments: str, **settings: object) -> Took:
        """Run a command of the engine on the stack, with other settings of the program."""
        return run(
            ["pulumi", "--non-interactive", "--color=never", *arguments],
            env={**self._env, **_variables(settings)},
            cwd=self.folder,
        )

    def preview(self, *options: str, **settings: object) -> Took:
        """Preview the stack, with other settings of the program."""
        return self.pulumi("preview", *options, **settings)

    def up(self, *options: str) -> Took:
        """Update the stack without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *options)

    def destroy(self) -> Took:
        """Remove all resources of the stack, without a preview."""
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def refresh(self) -> Took:
        """Refresh the runs of the stack."""
        return self.pulumi("refresh", "--yes", "--skip-preview")

    @property
    def checkpoint(self) -> int:
        """The size of the state on disk, in bytes."""
        path = self.folder / "state" / ".pulumi" / "stacks" / NAME / f"{NAME}.json"
        return path.stat().st_size

    @property
    def exported(self) -> int:
        """The size of the exported state, in bytes."""
        path = self.folder / "export.json"
        self.pulumi("stack", "export", "--file", str(path))
        return path.stat().st_size


def _variables(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"BENCH_{key.upper()}": str(item) for key, item in settings.items()}
