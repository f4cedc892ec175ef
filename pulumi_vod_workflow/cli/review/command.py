"""`vod-workflow review`: what a preview would start, before it is approved."""

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
from pulumi_vod_workflow.cli.pulumi_files.preview import HOW, PreviewError, read_preview
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.model import Review
from pulumi_vod_workflow.cli.review.render_common import limit_text
from pulumi_vod_workflow.cli.review.render_json import render_json
from pulumi_vod_workflow.cli.review.render_markdown import render_markdown
from pulumi_vod_workflow.cli.review.render_terminal import render_terminal


class Form(Enum):
    """What a review is printed for."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


def review(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]",
            help="What `pulumi preview --json` wrote, or its events; - is standard input.",
        ),
    ] = "-",
    form: Annotated[
        Form, typer.Option("--format", help="For a terminal, a pull request, or a program.")
    ] = Form.TERMINAL,
    max_starts: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Exit with 3 if more than N runs may be started."),
    ] = None,
) -> None:
    """
    Tell which paid runs a preview would start, and why.

    Exit codes: 0, no more than --max-starts; 2, the input is no preview, or that of one which
    failed; 3, more than --max-starts, or a number that is not known yet.
    """
    with exit_on_error():
        promise = _promised(_read(file))
    if form is Form.JSON:
        typer.echo(json.dumps(render_json(promise, max_starts), indent=2))
    elif form is Form.MARKDOWN:
        typer.echo(render_markdown(promise, max_starts), nl=False)
    else:
        render_terminal(promise, Console(markup=False, emoji=False, highlight=False))
    if max_starts is not None and promise.exceeds(max_starts):
        typer.echo(f"error: {limit_text(promise, max_starts)}", err=True)
        raise typer.Exit(EXIT_LIMIT_EXCEEDED)


def _promised(data: bytes) -> Review:
    """
    Return what a preview promises.

    Raises:
        PreviewError: when that cannot be told.

    """
    preview = read_preview(data)
    with as_unreadable_file(PreviewError):
        return build_review(preview)


def _read(file: str) -> bytes:
    """
    Return what there is to read.

    Raises:
        PreviewError: when there is nothing.

    """
    if file == "-":
        if sys.stdin.isatty():
            raise PreviewError(f"There is no file, and nothing is piped in. {HOW}")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise PreviewError(f"{file} cannot be read: {error.strerror}. {HOW}") from None
