"""`vod-workflow review`: the paid starts of a preview, before its approval."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_LIMIT_EXCEEDED
from pulumi_vod_workflow.cli.pulumi_files.preview import PREVIEW_HINT, PreviewError, read_preview
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.model import Review
from pulumi_vod_workflow.cli.review.render_common import limit_text
from pulumi_vod_workflow.cli.review.render_json import render_json
from pulumi_vod_workflow.cli.review.render_markdown import render_markdown
from pulumi_vod_workflow.cli.review.render_terminal import render_terminal


class Form(Enum):
    """The form of the output."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


def review(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]",
            help="Output of `pulumi preview --json`, or its events; - is standard input.",
        ),
    ] = "-",
    form: Annotated[
        Form, typer.Option("--format", help="Output for a terminal, a pull request, or a program.")
    ] = Form.TERMINAL,
    max_starts: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Exit with 3 if more than N runs may be started."),
    ] = None,
) -> None:
    """
    List the paid runs that a preview would start, with the reasons.

    Exit codes: 0, at most --max-starts runs; 2, the input is no preview, or the preview failed;
    3, more than --max-starts runs, or a number that is not known yet.
    """
    with exit_on_error():
        found = _reviewed(_read(file))
    if form is Form.JSON:
        typer.echo(json.dumps(render_json(found, max_starts), indent=2))
    elif form is Form.MARKDOWN:
        typer.echo(render_markdown(found, max_starts), nl=False)
    else:
        render_terminal(found, Console(markup=False, emoji=False, highlight=False))
    if max_starts is not None and found.exceeds(max_starts):
        typer.echo(f"error: {limit_text(found, max_starts)}", err=True)
        raise typer.Exit(EXIT_LIMIT_EXCEEDED)


def _reviewed(data: bytes) -> Review:
    """
    Return the review of a preview.

    Raises:
        PreviewError: when the input is no preview, or the preview failed.

    """
    preview = read_preview(data)
    with as_unreadable_file(PreviewError):
        return build_review(preview)


def _read(file: str) -> bytes:
    """
    Return the input.

    Raises:
        PreviewError: when there is none.

    """
    if file == "-":
        if sys.stdin.isatty():
            raise PreviewError(f"There is no file, and nothing is piped in.\n{PREVIEW_HINT}")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise PreviewError(f"{file} cannot be read: {error.strerror}.\n{PREVIEW_HINT}") from None
