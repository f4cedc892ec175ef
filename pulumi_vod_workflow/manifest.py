"""
A file becomes the items of a WorkflowBatch: CSV, TSV or JSON Lines.

Only the file's form is judged here: its encoding, its rows, the keys, and whether a cell can be
read. Every rule about fields, their names included, is the provider's at preview, which knows the
batch's defaults, too, and is told the lines. A file that is refused all the same has what is wrong
with its items told, too. No message contains a cell: it may be a secret.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from unicodedata import normalize

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs.models import MAX_ITEMS, UNKNOWN_KEY, ItemInputs, PartialInputs
from pulumi_vod_workflow.core.inputs.types import ItemKey
from pulumi_vod_workflow.core.inputs.validation import check_partial_inputs
from pulumi_vod_workflow.errors import ManifestError, Problem

__all__ = ["ManifestItems", "load_manifest"]

DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
JSON_LINES: Final = (".jsonl", ".ndjson")
OTHER_DELIMITERS: Final = ";\t,|，；、"  # noqa: RUF001 - as they are written in China
AS_UTF_8: Final = 'save the file as UTF-8 (in Excel, as "CSV UTF-8")'
NO_TEXT: Final = {
    b"PK\x03\x04": f"is a workbook or an archive, not text: {AS_UTF_8}",
    b"\xd0\xcf\x11\xe0": f"is an old workbook, not text: {AS_UTF_8}",
    b"\x1f\x8b": "is compressed by gzip: unpack it",
    codecs.BOM_UTF16_LE: f"is in UTF-16: {AS_UTF_8}",
    codecs.BOM_UTF16_BE: f"is in UTF-16: {AS_UTF_8}",
}
"""First bytes of files that are often taken for text -> what is wrong with them."""
INSTEAD: Final = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), f"is a workbook: {AS_UTF_8}"),
    ".json": "has one value: write one object a line, and name it .jsonl",
    ".gz": "is compressed: unpack it",
    ".zip": "is compressed: unpack it",
}
"""Ends of names that are often met -> what to do."""

Report = Callable[[int, str], None]
"""Takes the line, and what is wrong there."""
Found = Iterator[tuple[int, object, dict[str, Any]]]
"""Of each item: its first line, its key unchecked, its fields."""

_KEY: Final = TypeAdapter[str](ItemKey, config=ConfigDict(strict=True))


class ManifestItems(dict[str, dict[str, Any]]):
    """
    A dictionary of items that keeps where they were read.

    A WorkflowBatch that is given it names file and line of an item with a problem.

    Attributes:
        file: the file's name, as it was given.
        lines: the first line of each item, by its key.

    """

    file: str = ""
    lines: Mapping[str, int] = {}


def load_manifest(path: str | os.PathLike[str], *, key: str = "key") -> ManifestItems:
    """
    Read a file's items: see `resources.manifest.load_manifest`, which programs call.

    Raises:
        ManifestError: with all that is wrong with the file.

    """
    file, suffix = os.fspath(path), Path(path).suffix.lower()
    if suffix not in (*DELIMITERS, *JSON_LINES):
        possible = ", ".join((*DELIMITERS, *JSON_LINES))
        ending = f"{suffix} {INSTEAD[suffix]}; " if suffix in INSTEAD else ""
        ending = ending or (f"{suffix!r} is not known; " if suffix else "")
        reason = f"{ending}its name must end in one of {possible}"
        raise ManifestError([Problem(file, reason)])
    wrong: list[tuple[int, str]] = []

    def report(line: int, reason: str) -> None:
        wrong.append((line, reason))

    text = _text(file, report)
    if suffix in DELIMITERS:
        found = _table(text, DELIMITERS[suffix], key, report)
    else:
        found = _json_lines(text, key, report)
    items = ManifestItems()
    lines: dict[str, int] = {}
    items.file, items.lines = file, lines
    read: list[tuple[int, dict[str, Any]]] = []
    for line, raw, item in found:
        read.append((line, item))
        try:
            name = _KEY.validate_python(raw)
        except ValidationError as error:
            report(line, f"{key}: {error.errors()[0]['msg']}")
            continue
        if name in items:
            report(line, f"{key}: is the same as in line {lines[name]}")
        items[name], lines[name] = item, line
    problems: list[Problem] = []
    if len(items) > MAX_ITEMS or not (items or wrong):
        reason = f"holds {len(items):,} items; a WorkflowBatch has 1 to {MAX_ITEMS:,}"
        problems.append(Problem(file, reason))
    if problems or wrong:
        wrong += _wrong_with(read)
        wrong.sort(key=lambda problem: problem[0])
        problems += [Problem(f"{file}:{line}", reason) for line, reason in wrong]
        raise ManifestError(problems)
    return items


def _text(file: str, report: Report) -> str:
    """
    Return what a file holds, or nothing, once it is reported why it is no text.

    Raises:
        ManifestError: when it cannot be opened.

    """
    try:
        data = Path(file).read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        why = getattr(error, "strerror", None) or "its name cannot be one"
        where = "" if Path(file).is_absolute() else f" (looked for in {Path.cwd()})"
        raise ManifestError([Problem(file, f"cannot be read: {why}{where}")]) from None
    reason = next((NO_TEXT[start] for start in NO_TEXT if data.startswith(start)), None)
    if reason is None and b"\0" in data.partition(b"\n")[0]:
        reason = f"has NUL characters in its first line, as UTF-16 has: {AS_UTF_8}"
    if reason is not None:
        report(1, reason)
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report(error.object.count(b"\n", 0, error.start) + 1, f"is not in UTF-8: {AS_UTF_8}")
        return ""


def _wrong_with(read: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
    """Yield the line and reason of what is wrong with items whatever the defaults are."""
    unknown: dict[str, list[int]] = defaultdict(list)
    for line, item in read:
        for problem in check_partial_inputs(item, PartialInputs):
            if problem.reason.startswith(UNKNOWN_KEY):  # often a column: told once
                unknown[str(problem)].append(line)
            else:
                yield line, str(problem)
    for told, lines in unknown.items():
        more = f" (and so {len(lines) - 1:,} more lines)" if len(lines) > 1 else ""
        yield lines[0], told + more


# -- JSON Lines --------------------------------------------------------------------------------


class _UnreadableError(Exception):
    """JSON that cannot be taken; its text says why, without repeating any."""


def _json_lines(text: str, key: str, report: Report) -> Found:
    # Not `splitlines`: JSON's strings may hold the other ends of line that Unicode has.
    lines = [(line, part) for line, part in enumerate(text.split("\n"), 1) if part.strip()]
    kind = _whole(text) if len(lines) > 1 else ""
    if kind:
        report(lines[0][0], f"is one JSON {kind} over several lines: write one object a line")
        return
    for line, written in lines:
        try:
            item = _json(written)
        except _UnreadableError as error:
            report(line, f"must be a JSON object, but {error}")
            continue
        if not isinstance(item, dict):
            kind = ", not an array" if isinstance(item, list) else ""
            report(line, f"must be a JSON object{kind}")
        elif key in item:
            yield line, item.pop(key), item
        else:
            report(line, f"there is no member {key!r}{_near(key, item)}")


def _whole(text: str) -> str:
    """Return what a text is as a whole, if that is one array or object."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return ""
    try:
        return "array" if isinstance(json.loads(text), list) else "object"
    except (ValueError, RecursionError):
        return ""


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
    otherwise = _otherwise(text, delimiter, key)
    if otherwise:
        report(*otherwise)
        return
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


_LINE: Final = re.compile(r"\r\n|\r|\n")
_EXCELS: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def _otherwise(text: str, delimiter: str, key: str) -> tuple[int, str] | None:
    """Return the line and reason if the columns are separated by something else."""
    lines = enumerate(_LINE.split(text), 1)
    nothing = f' "{delimiter}'
    line, written = next((found for found in lines if found[1].strip(nothing)), (0, ""))
    excels = _EXCELS.fullmatch(written)
    if excels:
        return line, f"is Excel's line 'sep={excels[1]}': remove it, and separate by {delimiter!r}"
    for other in OTHER_DELIMITERS.replace(delimiter, ""):
        names = [name.strip(' "') for name in written.split(other)]
        if other in written and (key in names or delimiter not in written):
            return line, f"its columns are separated by {other!r}: separate them by {delimiter!r}"
    return None


def _near(key: str, names: Iterable[str]) -> str:
    """Name what is there instead of the key, if it is the key in another spelling."""
    like = next((name for name in names if _plain(name) and _plain(name) == _plain(key)), "")
    return f", but {like!r}: rename it, or give load_manifest key={like!r}" if like else ""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, normalize("NFKC", name))).casefold()


def _misnamed(names: list[str], key: str) -> Iterator[str]:
    """Yield what is wrong with the first row, in which there may be no names but values."""
    if key not in names:
        near = _near(key, names) or ": the first row must name the columns"
        yield f"there is no column {key!r}{near}"
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
