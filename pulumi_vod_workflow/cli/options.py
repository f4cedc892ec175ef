"""Arguments and options that `runs` and `recover` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StackExport = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPORT]",
        help="A file that `pulumi stack export` has written, or - for the standard input. Without "
        "one, Pulumi is asked for it.",
        show_default=False,
    ),
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", "-s", help="The stack to ask Pulumi for [the selected one]."),
]
ProgramFolder = Annotated[
    Path | None,
    typer.Option("--cwd", "-C", help="The program's folder, to ask Pulumi in [this one]."),
]
EndpointOverride = Annotated[
    str | None,
    typer.Option(help="Instead of the stack's vod:endpoint: a URL, or emulator."),
]
