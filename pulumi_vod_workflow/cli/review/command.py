"""`vod-workflow review`: the paid starts of a preview, before its approval."""

from __future__ import annotations

import json
import re
import sys
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_LIMIT_EXCEEDED
from pulumi_vod_workflow.cli.options import PriceFile
from pulumi_vod_workflow.cli.pulumi_files.preview import (
    PREVIEW_HINT,
    Preview,
    PreviewError,
    read_preview,
)
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.costs import ReviewCosts, cost_hints, cost_limit_text
from pulumi_vod_workflow.cli.review.render_common import limit_text
from pulumi_vod_workflow.cli.review.render_markdown import render_markdown
from pulumi_vod_workflow.cli.review.render_terminal import render_terminal
from pulumi_vod_workflow.config.price_file import (
    PRICES_HINT,
    configured_price_file,
    load_prices,
)
from pulumi_vod_workflow.core.prices import MAX_DECIMALS, Prices, parse_amount
from pulumi_vod_workflow.errors import ConfigurationError

MAX_COST: Final = 10**15
"""The highest limit, in units of the currency."""


def _amount(text: str) -> Decimal:
    """
    Return an amount of money.

    Raises:
        BadParameter: when the text is no number, negative, or no plausible amount.

    """
    try:
        amount = parse_amount(Decimal(text), MAX_COST)
    except InvalidOperation:
        amount = None
    if amount is None:
        raise typer.BadParameter(
            f"must be a number from 0 to {MAX_COST:,}, with at most {MAX_DECIMALS} decimals"
        )
    return amount


def _page_url(text: str) -> str | None:
    """
    Return the URL of a site; `None` for an empty text, as of an unset variable.

    Raises:
        BadParameter: when the text is no such URL.

    """
    if text and not re.fullmatch(r"https?://[\w.:%/~-]+", text, re.ASCII):
        raise typer.BadParameter("must be a URL such as https://host/path")
    return text or None


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
    price_file: PriceFile = None,
    max_cost: Annotated[
        Decimal | None,
        typer.Option(
            parser=_amount,
            metavar="AMOUNT",
            help="Exit with 3 if the runs may cost more, in the currency of the price file. A "
            "part without a price costs more than any amount.",
        ),
    ] = None,
    *,
    allow_unpriced: Annotated[
        bool,
        typer.Option(
            "--allow-unpriced", help="For --max-cost, a part of the cost without a price is 0."
        ),
    ] = False,
    docs: Annotated[
        str | None,
        typer.Option(
            parser=_page_url,
            metavar="URL",
            envvar="VOD_WORKFLOW_DOCS",
            help="Address of the documentation's site, for links of the Markdown.",
        ),
    ] = None,
) -> None:
    """
    List the paid runs that a preview would start, with the reasons; with prices, their cost.

    Exit codes: 0, within --max-starts and --max-cost; 2, the input is no preview, the preview
    failed, or the price file is wrong; 3, more than --max-starts or --max-cost allows, or a number
    or cost that is not known.
    """
    with exit_on_error():
        preview = read_preview(_read(file))
        with as_unreadable_file(PreviewError):
            found = build_review(preview)
        prices = _prices(preview, price_file)
        if prices is None and max_cost is not None:
            raise ConfigurationError(f"--max-cost needs prices\n{PRICES_HINT}")
    costs = ReviewCosts(found, prices, max_cost, allow_unpriced) if prices else None
    if form is Form.JSON:
        # The models of the document take a sixth of each command's processor time.
        from pulumi_vod_workflow.cli.review.render_json import render_json  # noqa: PLC0415

        typer.echo(json.dumps(render_json(found, max_starts, costs), indent=2))
    elif form is Form.MARKDOWN:
        typer.echo(render_markdown(found, max_starts, costs, docs), nl=False)
    else:
        render_terminal(found, Console(markup=False, emoji=False, highlight=False), costs)
    exceeded = []
    if max_starts is not None and found.exceeds(max_starts):
        exceeded.append(limit_text(found, max_starts))
    if costs is not None and costs.exceeded:
        exceeded.append("\n".join([cost_limit_text(costs), *cost_hints(costs)]))
    for text in exceeded:
        typer.echo(f"error: {text}", err=True)
    if exceeded:
        raise typer.Exit(EXIT_LIMIT_EXCEEDED)


def _prices(preview: Preview, file: Path | None) -> Prices | None:
    """
    Return the prices of an option or of the stack; `None` without a price file.

    Raises:
        ConfigurationError: when the price file is wrong.

    """
    if file is None:
        file = configured_price_file(preview.config.get("vod:prices"))
    return None if file is None else load_prices(file)


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
