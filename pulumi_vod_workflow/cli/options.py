"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
