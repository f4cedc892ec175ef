"""
A file becomes the items of a WorkflowBatch: CSV, TSV or JSON Lines.

Only the file's form is judged here: its encoding, its rows, the keys, and whether a cell can be
read. Every rule about fields, their names included, is the provider's at preview, which knows the
batch's defaults, too. No message contains a cell: it may be a secret.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs import MAX_ITEMS, ItemInputs, ItemKey
from pulumi_vod_workflow.errors import ManifestError, Problem

DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
JSON_LINES: Final = (".jsonl", ".ndjson")

Report = Callable[[int, str], None]
"""Takes the line, and what is wrong there."""
Found = Iterator[tuple[int, object, dict[str, Any]]]
"""Of each item: its first line, its key unchecked, its fields."""

_KEY: Final = TypeAdapter[str](ItemKey, config=ConfigDict(strict=True))


def load_manifest(path: str | os.PathLike[str], *, key: str = "key") -> dict[str, dict[str, Any]]:
    """
    Read the items of a WorkflowBatch from a file in UTF-8, with or without a byte order mark.

    A `.csv` (commas) or `.tsv` (tabs) names its columns in the first row: `key`, and fields of an
    item, as `vid` or `direct_url.file_name`. A cell is the string as written where the field is a
    string or of any kind (`triggers.edition`), otherwise JSON: `3`, `true` (in any case), `{...}`.
    An empty cell is absent, and so are those missing at a row's end; rows of empty cells do not
    count. A `.jsonl` or `.ndjson` has one object a line, nested as in JSON.

    Args:
        path: the file; a relative one counts from the working directory.
        key: the column, or member, that names the item; it is not one of its fields.

    Returns:
        The fields of each item by its key, in the file's order, names spelled as in the file.

    Raises:
        ManifestError: with everything that is wrong with the file's form, by line. A first row
            that does not say what the columns are is told alone.
        OSError: when the file cannot be opened.

    """
    file, suffix = os.fspath(path), Path(path).suffix.lower()
    if suffix not in (*DELIMITERS, *JSON_LINES):
        possible = ", ".join((*DELIMITERS, *JSON_LINES))
        raise ManifestError([Problem(file, f"its name must end in one of {possible}")])
    problems: list[Problem] = []

    def report(line: int, reason: str) -> None:
        problems.append(Problem(f"{file}:{line}", reason))

    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = ""
        line = error.object.count(b"\n", 0, error.start) + 1
        report(line, 'is not in UTF-8: save the file as UTF-8 (in Excel, as "CSV UTF-8")')
    if suffix in DELIMITERS:
        found = _table(text, DELIMITERS[suffix], key, report)
    else:
        found = _json_lines(text, key, report)
    items: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    for line, raw, item in found:
        try:
            name = _KEY.validate_python(raw)
        except ValidationError as error:
            report(line, f"{key}: {error.errors()[0]['msg']}")
            continue
        if name in items:
            report(line, f"{key}: is the same as in line {lines[name]}")
        items[name], lines[name] = item, line
    if len(items) > MAX_ITEMS or not (items or problems):
        reason = f"holds {len(items):,} items; a WorkflowBatch has 1 to {MAX_ITEMS:,}"
        problems.insert(0, Problem(file, reason))
    if problems:
        raise ManifestError(problems)
    return items


# -- JSON Lines --------------------------------------------------------------------------------


class _UnreadableError(Exception):
    """JSON that cannot be taken; its text says why, without repeating any."""


def _json_lines(text: str, key: str, report: Report) -> Found:
    # Not `splitlines`: JSON's strings may hold the other ends of line that Unicode has.
    for line, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        try:
            item = _json(written)
        except _UnreadableError as error:
            report(line, f"must be a JSON object, but {error}")
            continue
        if isinstance(item, dict):
            yield line, item.pop(key, None), item
        else:
            report(line, "must be a JSON object")


def _json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_object)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        raise _UnreadableError(f"cannot be read from character {error.pos + 1} on") from None
    except (ValueError, RecursionError):  # Python reads more than JSON and UTF-8 can carry
        raise _UnreadableError(
            "holds NaN, an infinity, an endless number, half a character, or endless nesting"
        ) from None
    return value


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in members:
        if name in result:
            raise _UnreadableError(f"has the member {name!r} twice in one object")
        result[name] = value
    return result


# -- tables ------------------------------------------------------------------------------------


def _table(text: str, delimiter: str, key: str, report: Report) -> Found:
    rows = _rows(text, delimiter, report)
    first, header = next(rows, (0, []))
    names = [name.strip() for name in header]
    wrong = [*_misnamed(names, key)] if header else []
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
                    _put(item, name, cell if name in strings else _cell(cell))
                except _UnreadableError as error:
                    like = '3, true, ["a"] or {"a": 1}'
                    report(line, f"column {name!r}: must be JSON, as {like}, but {error}")
        yield line, raw, item


def _rows(text: str, delimiter: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold anything, each with its first line."""
    # Strict, or an open quotation mark would swallow the rest of the file without a word.
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


def _misnamed(names: list[str], key: str) -> Iterator[str]:
    """Yield what is wrong with the first row, in which there may be no names but values."""
    if key not in names:
        yield f"there is no column {key!r}: the first row must name the columns"
        return
    for name in dict.fromkeys(filter(None, names)):
        parts = [other for other in names if other.startswith(f"{name}.") and other != key]
        if names.count(name) > 1:
            yield f"column {name!r}: is there twice"
        elif parts and name != key:
            yield f"column {name!r}: is whole, and there in parts, too, as {parts[0]!r}: keep one"


def _is_string(column: str) -> bool:
    """Tell whether a column's cells are taken as written, from the field's type in the model."""
    wanted: Any = ItemInputs
    for part in column.split("."):
        fields = getattr(wanted, "model_fields", {})
        field = next((fields[name] for name in fields if part in (name, to_camel(name))), None)
        if field is not None:
            wanted = _bare(field.annotation)
        elif get_origin(wanted) is dict:
            wanted = _bare(get_args(wanted)[1])
        else:
            return True  # there is no such field, as the provider will say
    return wanted in (str, Any)


def _bare(annotation: Any) -> Any:
    """Return a type without its rules and its `| None`."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = get_args(annotation)[0]
    return annotation


def _cell(text: str) -> Any:
    low = text.lower()
    return _json(low if low in ("true", "false") else text)  # Excel writes TRUE


def _put(item: dict[str, Any], column: str, value: object) -> None:
    *parents, last = column.split(".")
    for part in parents:
        item = item.setdefault(part, {})
    item[last] = value
