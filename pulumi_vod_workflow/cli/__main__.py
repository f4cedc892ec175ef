"""The command line; each subcommand is a module beside this one."""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.recover.command import recover
from pulumi_vod_workflow.cli.review.command import review
from pulumi_vod_workflow.cli.runs.command import runs

app = typer.Typer(
    name="vod-workflow",
    help="Review, follow and recover the paid workflow runs of a Pulumi stack.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # what they hold may be secret
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        typer.echo(version("pulumi-vod-workflow"))
        raise typer.Exit


@app.callback()
def main(
    *,
    _asked: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Review, follow and recover the paid workflow runs of a Pulumi stack."""
    for stream in (sys.stdout, sys.stderr):  # as of Windows: what it cannot write must not end us
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


app.command()(review)
app.command()(runs)
app.command()(recover)

if __name__ == "__main__":
    app()
