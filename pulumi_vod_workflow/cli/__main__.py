"""The command line; each command has a folder beside this module."""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.plugin.command import plugin
from pulumi_vod_workflow.cli.recover.command import recover
from pulumi_vod_workflow.cli.review.command import review
from pulumi_vod_workflow.cli.runs.command import runs

app = typer.Typer(
    name="vod-workflow",
    help="Review, follow and recover the paid workflow runs of a Pulumi stack.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # local variables may be secret
    rich_markup_mode=None,
)


def _print_version(is_given: bool) -> None:  # noqa: FBT001 - typer passes it by position
    if is_given:
        typer.echo(version("pulumi-vod-workflow"))
        raise typer.Exit


@app.callback()
def main(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Review, follow and recover the paid workflow runs of a Pulumi stack."""
    for stream in (sys.stdout, sys.stderr):  # Windows: a name must not end the command
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


app.command()(review)
app.command()(runs)
app.command()(recover)
app.add_typer(plugin)

if __name__ == "__main__":
    app()
