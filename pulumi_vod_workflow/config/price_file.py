"""The price file of a user: reads it, and reports all of its errors at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.core.prices import PriceFileError, Prices, parse_prices
from pulumi_vod_workflow.errors import ConfigurationError, Problem

MAX_FILE_BYTES: Final = 1_000_000
"""The size of the largest price file, in bytes."""
MAX_PROBLEMS_SHOWN: Final = 100
PRICES_HINT: Final = "hint: give a price file by `--prices FILE`, or set `vod:prices`"


def price_file_path(setting: str, folder: Path | None = None) -> Path:
    """Return the file of a setting; a relative path starts at the folder, or the current one."""
    path = Path(setting)
    with suppress(RuntimeError):  # `~name` without such a user: the read reports it
        path = path.expanduser()
    return (folder or Path()) / path


def configured_price_file(setting: object, folder: Path | None = None) -> Path | None:
    """Return the file of `vod:prices` as `price_file_path`; `None` if it is not set."""
    if not isinstance(setting, str) or not setting.strip():
        return None
    return price_file_path(setting.strip(), folder)


def load_prices(path: Path) -> Prices:
    """
    Read a price file.

    Raises:
        ConfigurationError: with all problems of the file, each with its line.

    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)  # a device may have no end
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        why = getattr(error, "strerror", None) or "its name cannot be one"
        raise ConfigurationError(
            f"price file {path}: cannot be read: {why}\n{PRICES_HINT}"
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise _error(path, [Problem("", f"is larger than {MAX_FILE_BYTES:,} bytes")])
    try:
        return parse_prices(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _error(path, [Problem(f"line {line}", "is not in UTF-8")]) from None
    except PriceFileError as error:
        raise _error(
            path, [Problem(f"line {line}", str(problem)) for line, problem in error.problems]
        ) from None


def _error(path: Path, problems: list[Problem]) -> ConfigurationError:
    lines = [f"  - {problem}" for problem in problems[:MAX_PROBLEMS_SHOWN]]
    if len(problems) > MAX_PROBLEMS_SHOWN:
        lines.append(f"  ... and {len(problems) - MAX_PROBLEMS_SHOWN:,} more")
    return ConfigurationError("\n".join([f"price file {path}:", *lines]))
