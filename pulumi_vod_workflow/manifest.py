"""
The reader of item files: CSV, TSV or JSON Lines -> the items of a WorkflowBatch.

This module checks the form of a file: encoding, rows, keys and cells. The preview checks the
fields, because only the preview has the batch's defaults. A rejected file reports the problems of
its items, too.
"""

# Promise 3: a cell may be a secret, so no message contains one.

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from unicodedata import normalize

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.durations import MAX_SOURCE_SECONDS, parse_seconds
from pulumi_vod_workflow.core.inputs.models import MAX_ITEMS, UNKNOWN_KEY, ItemInputs, PartialInputs
from pulumi_vod_workflow.core.inputs.types import ItemKey
from pulumi_vod_workflow.core.inputs.validation import check_partial_inputs
from pulumi_vod_workflow.errors import ManifestError, Problem

__all__ = ["ManifestItems", "load_manifest"]

DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
JSON_LINES: Final = (".jsonl", ".ndjson")
OTHER_DELIMITERS: Final = ";\t,|，；、"  # noqa: RUF001 - as they are written in China
SAVE_AS_UTF_8: Final = 'save the file as UTF-8 (in Excel, as "CSV UTF-8")'
BINARY_SIGNATURES: Final = {
    b"PK\x03\x04": f"is a workbook or an archive, not text: {SAVE_AS_UTF_8}",
    b"\xd0\xcf\x11\xe0": f"is an old workbook, not text: {SAVE_AS_UTF_8}",
    b"\x1f\x8b": "is compressed by gzip: unpack it",
    codecs.BOM_UTF16_LE: f"is in UTF-16: {SAVE_AS_UTF_8}",
    codecs.BOM_UTF16_BE: f"is in UTF-16: {SAVE_AS_UTF_8}",
}
"""The first bytes of a file that is not text -> the problem."""
UNSUPPORTED_SUFFIXES: Final = {
    **dict.fromkeys(
        (".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), f"is a workbook: {SAVE_AS_UTF_8}"
    ),
    ".json": "has one value: write one object a line, and name it .jsonl",
    ".gz": "is compressed: unpack it",
    ".zip": "is compressed: unpack it",
}
"""Unsupported suffix -> the problem and its remedy."""

ReportProblem = Callable[[int, str], None]
"""A function that records a problem: its line and its reason."""
ParsedItems = Iterator[tuple[int, object, dict[str, Any]]]
"""The first line, the unchecked key, and the fields of each item."""

SECONDS_COLUMNS: Final = ("source_seconds", "sourceSeconds")
"""The names of the column with the duration of an item's source, in seconds."""

_KEY: Final = TypeAdapter[str](ItemKey, config=ConfigDict(strict=True))


class ManifestItems(dict[str, dict[str, Any]]):
    """
    A dictionary of items with their lines in a file.

    A WorkflowBatch with these items reports file and line of each problem.

    Attributes:
        file: the name of the file.
        lines: key -> the first line of the item.
        source_seconds: key -> the duration of the item's source in seconds, where the file has it.

    """

    file: str = ""
    lines: Mapping[str, int] = {}
    source_seconds: Mapping[str, Decimal] = {}


def load_manifest(path: str | os.PathLike[str], *, key: str = "key") -> ManifestItems:
    """
    Return the items of a file; programs call `resources.manifest.load_manifest`.

    Raises:
        ManifestError: with all problems of the file.

    """
    file, suffix = os.fspath(path), Path(path).suffix.lower()
    if suffix not in (*DELIMITERS, *JSON_LINES):
        possible = ", ".join((*DELIMITERS, *JSON_LINES))
        ending = (
            f"{suffix} {UNSUPPORTED_SUFFIXES[suffix]}; " if suffix in UNSUPPORTED_SUFFIXES else ""
        )
        ending = ending or (f"{suffix!r} is not known; " if suffix else "")
        reason = f"{ending}its name must end in one of {possible}"
        raise ManifestError([Problem(file, reason)])
    wrong: list[tuple[int, str]] = []

    def report(line: int, reason: str) -> None:
        wrong.append((line, reason))

    text = _read_text(file, report)
    if suffix in DELIMITERS:
        found = _parse_table(text, DELIMITERS[suffix], key, report)
    else:
        found = _parse_json_lines(text, key, report)
    items = ManifestItems()
    lines: dict[str, int] = {}
    seconds: dict[str, Decimal] = {}
    items.file, items.lines, items.source_seconds = file, lines, seconds
    read: list[tuple[int, dict[str, Any]]] = []
    for line, raw, item in found:
        stated = _take_seconds(item, partial(report, line))
        read.append((line, item))
        try:
            name = _KEY.validate_python(raw)
        except ValidationError as error:
            report(line, f"{key}: {error.errors()[0]['msg']}")
            continue
        if name in items:
            report(line, f"{key}: is also the key of line {lines[name]}")
        items[name], lines[name] = item, line
        if stated is not None:
            seconds[name] = stated
    problems: list[Problem] = []
    if len(items) > MAX_ITEMS or not (items or wrong):
        reason = f"has {len(items):,} items; a WorkflowBatch has 1 to {MAX_ITEMS:,}"
        problems.append(Problem(file, reason))
    if problems or wrong:
        wrong += _item_problems(read)
        wrong.sort(key=lambda problem: problem[0])
        problems += [Problem(f"{file}:{line}", reason) for line, reason in wrong]
        raise ManifestError(problems)
    return items


def _read_text(file: str, report: ReportProblem) -> str:
    """
    Return the text of a file; empty after a report that the file is not text.

    Raises:
        ManifestError: when the file is not readable.

    """
    try:
        data = Path(file).read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        why = getattr(error, "strerror", None) or "its name cannot be one"
        where = "" if Path(file).is_absolute() else f" (looked for in {Path.cwd()})"
        raise ManifestError([Problem(file, f"cannot be read: {why}{where}")]) from None
    reason = next(
        (BINARY_SIGNATURES[start] for start in BINARY_SIGNATURES if data.startswith(start)), None
    )
    if reason is None and b"\0" in data.partition(b"\n")[0]:
        reason = f"has NUL characters in its first line, as UTF-16 has: {SAVE_AS_UTF_8}"
    if reason is not None:
        report(1, reason)
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report(error.object.count(b"\n", 0, error.start) + 1, f"is not in UTF-8: {SAVE_AS_UTF_8}")
        return ""


def _take_seconds(item: dict[str, Any], report: Callable[[str], None]) -> Decimal | None:
    """Remove and return the duration of an item's source; it is no input of the item."""
    stated = [(name, item.pop(name)) for name in SECONDS_COLUMNS if name in item]
    for name, value in stated:
        seconds = parse_seconds(value)
        if seconds is not None and len(stated) == 1:
            return seconds
        report(
            f"{name}: must be a duration in seconds, above 0 and at most {MAX_SOURCE_SECONDS:,}"
            if len(stated) == 1
            else f"{name}: is there in two spellings: keep one"
        )
    return None


def _item_problems(read: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
    """Yield the line and reason of each problem that no defaults can correct."""
    unknown: dict[str, list[int]] = defaultdict(list)
    for line, item in read:
        for problem in check_partial_inputs(item, PartialInputs):
            # An unknown column is a problem of each row, so it is reported once.
            if problem.reason.startswith(UNKNOWN_KEY):
                unknown[str(problem)].append(line)
            else:
                yield line, str(problem)
    for reason, lines in unknown.items():
        more = f" (and {len(lines) - 1:,} more lines)" if len(lines) > 1 else ""
        yield lines[0], reason + more


# -- JSON Lines --------------------------------------------------------------------------------


class _UnreadableError(Exception):
    """An error of JSON that is not usable. The text is the cause, without any value."""


def _parse_json_lines(text: str, key: str, report: ReportProblem) -> ParsedItems:
    # Not `splitlines`: a JSON string may contain Unicode's other line ends.
    lines = [(line, part) for line, part in enumerate(text.split("\n"), 1) if part.strip()]
    kind = _document_kind(text) if len(lines) > 1 else ""
    if kind:
        report(lines[0][0], f"is one JSON {kind} over several lines: write one object a line")
        return
    for line, written in lines:
        try:
            item = _parse_json(written)
        except _UnreadableError as error:
            report(line, f"must be a JSON object, but {error}")
            continue
        if not isinstance(item, dict):
            kind = ", not an array" if isinstance(item, list) else ""
            report(line, f"must be a JSON object{kind}")
        elif key in item:
            yield line, item.pop(key), item
        else:
            report(line, f"there is no member {key!r}{_similar_name(key, item)}")


def _document_kind(text: str) -> str:
    """Return `array` or `object` if a text is one JSON document; else an empty string."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return ""
    try:
        return "array" if isinstance(json.loads(text), list) else "object"
    except (ValueError, RecursionError):
        return ""


def _parse_json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_unique_members)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        raise _UnreadableError(f"cannot be read from character {error.pos + 1} on") from None
    # Python's parser accepts more than JSON and UTF-8 have.
    except (ValueError, RecursionError):
        raise _UnreadableError(
            "contains NaN, an infinity, a too long number, half a character, or too deep nesting"
        ) from None
    return value


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in members:
        if name in result:
            raise _UnreadableError(f"has the member {name!r} twice in one object")
        result[name] = value
    return result


# -- tables ------------------------------------------------------------------------------------


def _parse_table(text: str, delimiter: str, key: str, report: ReportProblem) -> ParsedItems:
    otherwise = _delimiter_problem(text, delimiter, key)
    if otherwise:
        report(*otherwise)
        return
    rows = _rows(text, delimiter, report)
    first, header = next(rows, (0, []))
    names = [name.strip() for name in header]
    wrong = [*_header_problems(names, key)] if header else []
    for reason in wrong:
        report(first, reason)
    if wrong:
        return
    strings = {name for name in names if _is_string(name)}
    for line, row in rows:
        raw: object = None
        item: dict[str, Any] = {}
        for name, cell in zip_longest(names, row, fillvalue=""):
            if name == key:
                raw = cell
            elif cell and not name:
                report(line, "has a cell in a column without a name")
            elif cell:
                try:
                    _set_field(item, name, cell if name in strings else _parse_cell(cell))
                except _UnreadableError as error:
                    like = '3, true, ["a"] or {"a": 1}'
                    report(line, f"column {name!r}: must be JSON, as {like}, but {error}")
        yield line, raw, item


def _rows(text: str, delimiter: str, report: ReportProblem) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with its first line."""
    # Strict mode: otherwise an open quotation mark silently takes the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            report(line, f"this row's quotation marks or size are wrong ({error}); read no further")
            return
        if row is None:
            return
        if any(row):
            yield line, row


_LINE: Final = re.compile(r"\r\n|\r|\n")
_EXCEL_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def _delimiter_problem(text: str, delimiter: str, key: str) -> tuple[int, str] | None:
    """Return the line and reason if the file has another delimiter."""
    lines = enumerate(_LINE.split(text), 1)
    nothing = f' "{delimiter}'
    line, written = next((found for found in lines if found[1].strip(nothing)), (0, ""))
    excels = _EXCEL_SEPARATOR_LINE.fullmatch(written)
    if excels:
        return line, f"is Excel's line 'sep={excels[1]}': remove it, and separate by {delimiter!r}"
    for other in OTHER_DELIMITERS.replace(delimiter, ""):
        names = [name.strip(' "') for name in written.split(other)]
        if other in written and (key in names or delimiter not in written):
            return line, f"its columns are separated by {other!r}: separate them by {delimiter!r}"
    return None


def _similar_name(key: str, names: Iterable[str]) -> str:
    """Return a hint if a name is the key in another spelling."""
    like = next(
        (name for name in names if _simplify(name) and _simplify(name) == _simplify(key)), ""
    )
    return f", but {like!r}: rename it, or give load_manifest key={like!r}" if like else ""


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, normalize("NFKC", name))).casefold()


def _header_problems(names: list[str], key: str) -> Iterator[str]:
    """Yield the problems of the first row, which may have values instead of names."""
    if key not in names:
        near = _similar_name(key, names) or ": the first row must name the columns"
        yield f"there is no column {key!r}{near}"
        return
    for name in dict.fromkeys(filter(None, names)):
        parts = [other for other in names if other.startswith(f"{name}.") and other != key]
        if names.count(name) > 1:
            yield f"column {name!r}: is there twice"
        elif parts and name != key:
            yield f"column {name!r}: is also split into parts, as {parts[0]!r}: keep one form"


def _is_string(column: str) -> bool:
    """Return whether a column's cells are strings, by the field's type in the model."""
    wanted: Any = ItemInputs
    for part in column.split("."):
        fields = getattr(wanted, "model_fields", {})
        field = next((fields[name] for name in fields if part in (name, to_camel(name))), None)
        if field is not None:
            wanted = _unwrap_annotation(field.annotation)
        elif get_origin(wanted) is dict:
            wanted = _unwrap_annotation(get_args(wanted)[1])
        else:
            return True  # the preview reports the unknown field
    return wanted in (str, Any)


def _unwrap_annotation(annotation: Any) -> Any:
    """Return a type without rules and without `| None`."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = get_args(annotation)[0]
    return annotation


def _parse_cell(text: str) -> Any:
    low = text.lower()
    # Excel writes TRUE and FALSE.
    return _parse_json(low if low in ("true", "false") else text)


def _set_field(item: dict[str, Any], column: str, value: object) -> None:
    *parents, last = column.split(".")
    for part in parents:
        item = item.setdefault(part, {})
    item[last] = value
