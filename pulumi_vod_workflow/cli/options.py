"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StackExport = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPORT]",
        help="A file of `pulumi stack export`, or - for standard input. Without a file the command "
        "runs `pulumi stack export`.",
        show_default=False,
    ),
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", "-s", help="The stack to export [default: the selected stack]."),
]
ProgramFolder = Annotated[
    Path | None,
    typer.Option("--cwd", "-C", help="The folder of the program [default: this folder]."),
]
EndpointOverride = Annotated[
    str | None,
    typer.Option(help="A URL, or emulator, instead of the stack's vod:endpoint."),
]
PriceFile = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="A file with your own prices, in TOML, for an estimate of costs [default: "
        "`vod:prices` of the stack].",
        show_default=False,
    ),
]
