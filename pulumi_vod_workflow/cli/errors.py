"""The two ways in which the commands handle errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pulumi_vod_workflow.cli.exit_codes import EXIT_UNUSABLE
from pulumi_vod_workflow.cli.sanitize import escape_controls
from pulumi_vod_workflow.errors import VodWorkflowError


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the command with a message instead of a traceback."""
    try:
        yield
    except VodWorkflowError as error:
        typer.echo(f"error: {escape_controls(error)}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None


@contextmanager
def as_unreadable_file(kind: type[VodWorkflowError]) -> Iterator[None]:
    """
    Read data that only this package's provider writes.

    Raises:
        VodWorkflowError: of the given kind, if the data has another form.

    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise kind(
            "resources of this package have a form that this version does not know\n"
            "hint: use the version of this package that the program uses\n"
            "hint: if the file was edited, export it again"
        ) from None
