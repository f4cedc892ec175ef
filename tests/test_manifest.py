"""The items of a batch from a file: what is read, and what is refused with its line."""

import csv
import io
import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pulumi_vod_workflow
from pulumi_vod_workflow.core.inputs.models import MAX_ITEMS, ItemInputs
from pulumi_vod_workflow.core.inputs.types import ITEM_KEYS, is_item_key
from pulumi_vod_workflow.errors import ManifestError, VodWorkflowError
from pulumi_vod_workflow.manifest import SECONDS_COLUMNS, ManifestItems, load_manifest

SECRET = "s3cr3t"
DEEP = 100_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str | bytes, name: str = "a.csv", **options: str) -> ManifestItems:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_manifest(name, **options)


def problems(text: str | bytes, name: str = "a.csv", **options: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load(text, name, **options)
    return [str(problem) for problem in caught.value.problems]


# -- the duration of the source ----------------------------------------------------------------


def test_the_duration_of_a_source_is_no_field_of_an_item() -> None:
    """Of tables and of JSON, in both spellings; the decimal number that the file spells."""
    items = load("key,vid,source_seconds\na,v1,0.1\nb,v2,\nc,v3,1320\n")
    assert {**items} == {"a": {"vid": "v1"}, "b": {"vid": "v2"}, "c": {"vid": "v3"}}
    assert {**items.source_seconds} == {"a": Decimal("0.1"), "c": Decimal(1320)}
    lines = '{"key": "a", "vid": "v", "sourceSeconds": 0.1}\n{"key": "b", "source_seconds": "9"}\n'
    items = load(lines, "a.jsonl")
    assert {**items} == {"a": {"vid": "v"}, "b": {}}
    assert {**items.source_seconds} == {"a": Decimal("0.1"), "b": Decimal(9)}


def test_a_wrong_duration_is_refused_with_its_line() -> None:
    rule = "must be a duration in seconds, above 0 and at most 10,000,000"
    text = "key,vid,source_seconds\na,v,0\nb,v,1m\nc,v,nan\nd,v,99999999\n"
    assert problems(text) == [f"a.csv:{line}: source_seconds: {rule}" for line in range(2, 6)]
    twice = '{"key": "a", "source_seconds": 1, "sourceSeconds": 2}\n'
    assert problems(twice, "a.jsonl") == [
        f"a.jsonl:1: {name}: is there in two spellings: keep one"
        for name in ("source_seconds", "sourceSeconds")
    ]


# -- what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "cell", "field"),
    [
        ("vid", "v1", {"vid": "v1"}),
        ("vid", " 3 ", {"vid": " 3 "}),
        ("template_id", "true", {"template_id": "true"}),
        ("templateId", "007", {"templateId": "007"}),
        ("existing_run_id", "lb:1", {"existing_run_id": "lb:1"}),
        ("callbackArgs", '{"a": 1}', {"callbackArgs": '{"a": 1}'}),
        ("direct_url.file_name", "é/中.mp4", {"direct_url": {"file_name": "é/中.mp4"}}),
        ("directUrl.spaceName", "1", {"directUrl": {"spaceName": "1"}}),
        ("direct_url", '{"file_name": "f"}', {"direct_url": {"file_name": "f"}}),
        ("priority", "-5", {"priority": -5}),
        ("priority", "99", {"priority": 99}),
        ("enable_low_priority", "TRUE", {"enable_low_priority": True}),
        ("rerunOnFailure", "False", {"rerunOnFailure": False}),
        ("triggers", '{"n": 3}', {"triggers": {"n": 3}}),
        ("triggers.edition", "3", {"triggers": {"edition": "3"}}),
        ("triggers.a.b", "c", {"triggers": {"a": {"b": "c"}}}),
        ("input", '{"condition": {"x": true}}', {"input": {"condition": {"x": True}}}),
        ("input.condition.x", "True", {"input": {"condition": {"x": True}}}),
        ("input.overrideParams", '{"logo": []}', {"input": {"overrideParams": {"logo": []}}}),
        (
            "input.override_params.snapshot",
            '[{"width": 0.5}]',
            {"input": {"override_params": {"snapshot": [{"width": 0.5}]}}},
        ),
        (
            "input.override_params.enhance.fileName",
            "1",
            {"input": {"override_params": {"enhance": {"fileName": "1"}}}},
        ),
        ("templat_id", "3", {"templat_id": "3"}),
        ("vid.x", "3", {"vid": {"x": "3"}}),
        ("priority.", "3", {"priority": {"": "3"}}),
        (" vid ", "v1", {"vid": "v1"}),
        ("vid", "", {}),
    ],
)
def test_a_cell_is_what_its_field_wants(column: str, cell: str, field: dict[str, Any]) -> None:
    """Strings as written, all else JSON, from the model's types; wrong names are not judged."""
    made = io.StringIO()
    csv.writer(made).writerows([["key", column], ["one", cell]])
    assert load(made.getvalue()) == {"one": field}
    made = io.StringIO()
    csv.writer(made, delimiter="\t").writerows([[column, "key"], [cell, "one"]])
    assert load(made.getvalue(), "a.tsv") == {"one": field}


@pytest.mark.parametrize("field", sorted(ItemInputs.model_fields))
def test_every_field_of_an_item_can_be_a_column(field: str) -> None:
    """A field that is added to the model is read without a change here."""
    read = load(f'key,{field}\na,"true"\n')["a"][field]
    assert read is True or read == "true"


@pytest.mark.parametrize(
    "text",
    [
        "key,vid,priority\na,v1,1\nb,v2,\n",
        "\ufeffkey,vid,priority\r\na,v1,1\r\nb,v2,\r\n",
        "\n,,\npriority,key,vid\n1,a,v1\n\n,,\n,b,v2",
        'key,vid,priority\n"a","v1","1"\nb,v2\n',
        "key,vid,priority,,\na,v1,1,,\nb,v2,,,,\n",
        "key,vid,priority\ra,v1,1\rb,v2,\r",
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(text: str) -> None:
    """Byte order mark, any end of line, empty rows and cells, short rows, quotation marks."""
    expected = {"a": {"vid": "v1", "priority": 1}, "b": {"vid": "v2"}}
    assert load(text) == expected
    assert list(load(text)) == ["a", "b"]


def test_quoted_cells_may_hold_anything() -> None:
    """Commas, quotation marks and ends of line belong to a quoted cell."""
    text = 'key,vid,input\n"a,b","1\r\n""2""\n","{\n""condition"": {}}"\n'
    assert load(text) == {"a,b": {"vid": '1\r\n"2"\n', "input": {"condition": {}}}}


def test_json_lines_are_read_as_written() -> None:
    """Nested, numbers as numbers, blank lines skipped; Unicode's ends of line are characters."""
    text = (
        '\ufeff\n{"key": "b", "directUrl": {"file_name": "f"}, "priority": 1.0}\r\n \t\n'
        '{"vid": "v\u2028\x85", "triggers": {"n": [1, null, true]}, "x.y": null, "key": "a"}'
    )
    expected = {
        "b": {"directUrl": {"file_name": "f"}, "priority": 1.0},
        "a": {"vid": "v\u2028\x85", "triggers": {"n": [1, None, True]}, "x.y": None},
    }
    assert load(text, "a.jsonl") == load(text, "a.ndjson") == expected
    assert list(load(text, "A.JSONL")) == ["b", "a"]


def test_another_name_for_the_key() -> None:
    """The key may be a field's column, which it then is not."""
    assert load("vid,key\nv1,x\n", key="vid") == {"v1": {"key": "x"}}
    assert load('{"vid": "v1", "key": "x"}', "a.jsonl", key="vid") == {"v1": {"key": "x"}}
    own = load('vid,direct_url\nv1,"{}"\n', key="vid")
    assert own == {"v1": {"direct_url": {}}}
    assert load("direct_url.file_name,direct_url\nf,{}\n", key="direct_url.file_name") == {
        "f": {"direct_url": {}}
    }


def test_paths_may_be_objects(tmp_path: Path) -> None:
    """Any path, also an absolute one."""
    (tmp_path / "x.csv").write_text("key\na\n")
    assert load_manifest(tmp_path / "x.csv") == load_manifest(str(tmp_path / "x.csv")) == {"a": {}}


def test_the_lines_are_kept() -> None:
    """They are no part of what is equal, and a copy has none."""
    items = load('key,vid\na,"v\n1"\n\nb,v2\n')
    assert (items.file, items.lines) == ("a.csv", {"a": 2, "b": 5})
    assert items == {"a": {"vid": "v\n1"}, "b": {"vid": "v2"}}
    assert load('\n{"key": "a"}', "a.jsonl").lines == {"a": 2}


# -- what is refused ---------------------------------------------------------------------------

KEY = f"key: must be {ITEM_KEYS}"
ID = "must be a non-empty, printable string without white space around it"
OF_A_FILE = "The keys here are bucket_name, file_name, space_name"
RENAME = "rename it, or give load_manifest key="
FIELDS = f"The keys here are {', '.join(sorted(ItemInputs.model_fields))}"
LIKE = 'must be JSON, as 3, true, ["a"] or {"a": 1}, but'
WHOLE = "is also split into parts, as"
QUOTES = "this row's quotation marks or size are wrong"
STRANGE = "contains NaN, an infinity, a too long number, half a character, or too deep nesting"

BAD_TABLES: list[tuple[str, list[str]]] = [
    ("", ["a.csv: has 0 items; a WorkflowBatch has 1 to 10,000"]),
    ("\n,,\n", ["a.csv: has 0 items; a WorkflowBatch has 1 to 10,000"]),
    ("key,vid\n,\n", ["a.csv: has 0 items; a WorkflowBatch has 1 to 10,000"]),
    (
        "\nvid;key\nv;a\n",
        ["a.csv:2: its columns are separated by ';': separate them by ','"],
    ),
    ("vid,name\nv,a\n", ["a.csv:1: there is no column 'key': the first row must name the columns"]),
    *(
        (
            f"vid,{name}\nv,a\n",
            [f"a.csv:1: there is no column 'key', but {name.strip()!r}: {RENAME}{name.strip()!r}"],
        )
        for name in ("Key", " KEY ", "ｋｅｙ", "\ufeffkey", "_key")  # noqa: RUF001 - full width
    ),
    *(
        (
            f"\n,,\n{quote}key{quote}{mark}{quote}vid{quote}\n1{mark}a,b\n",
            [f"a.csv:3: its columns are separated by {mark!r}: separate them by ','"],
        )
        for mark in ";\t|，；、"  # noqa: RUF001 - full width
        for quote in ("", '"')
    ),
    ("vid;name\nv;a\n", ["a.csv:1: its columns are separated by ';': separate them by ','"]),
    ("key;vid,x\nv;a\n", ["a.csv:1: its columns are separated by ';': separate them by ','"]),
    *(
        (
            f"{line}\nkey;vid\na;b\n",
            ["a.csv:1: is Excel's line 'sep=;': remove it, and separate by ','"],
        )
        for line in ("sep=;", '"sep=;"', "SEP=;\r")
    ),
    ("key,vid,key\na,v,b\n", ["a.csv:1: column 'key': is there twice"]),
    (
        "vid,key,direct_url.file_name,vid,direct_url\nv,a,f,{,{\n",
        [
            "a.csv:1: column 'vid': is there twice",
            f"a.csv:1: column 'direct_url': {WHOLE} 'direct_url.file_name': keep one form",
        ],
    ),
    ("key,vid\n,v\n a,v\nb\x00,v\n", [f"a.csv:{line}: {KEY}" for line in (2, 3, 4)]),
    (
        "key,vid\na,v\nb,v\n\na,v\na,v\n",
        ["a.csv:5: key: is also the key of line 2", "a.csv:6: key: is also the key of line 5"],
    ),
    (
        'key,vid,priority\na,"1\n2\n3",1\nb,"\n",high\nc,,1',
        [
            f"a.csv:2: vid: {ID}",
            f"a.csv:5: column 'priority': {LIKE} cannot be read from character 1 on",
            f"a.csv:5: vid: {ID}",
        ],
    ),
    (
        "key,vid,priority,titel,direct_url.file_nam\na,v,9,t,\na,v,,t,f\nb,,,,\n,v,1,t,\n",
        [
            "a.csv:2: priority: must be an integer from -5 to 5",
            f"a.csv:2: titel: unknown key; {FIELDS} (and 2 more lines)",
            "a.csv:3: key: is also the key of line 2",
            "a.csv:3: vid, directUrl: exactly one of them must be set, both are",
            f"a.csv:3: directUrl.file_nam: unknown key; did you mean file_name? {OF_A_FILE}",
            f"a.csv:5: {KEY}",
        ],
    ),
    (
        'key,enable_low_priority,input,triggers\n,yes,"{""a"": 1",x\n',
        [
            f"a.csv:2: column 'enable_low_priority': {LIKE} cannot be read from character 1 on",
            f"a.csv:2: column 'input': {LIKE} cannot be read from character 8 on",
            f"a.csv:2: column 'triggers': {LIKE} cannot be read from character 1 on",
            f"a.csv:2: {KEY}",
        ],
    ),
    ("key,priority\na,NaN\n", [f"a.csv:2: column 'priority': {LIKE} {STRANGE}"]),
    (
        'key,triggers\na,"{""b"": {""c"": 1, ""c"": 1}}"\n',
        [f"a.csv:2: column 'triggers': {LIKE} has the member 'c' twice in one object"],
    ),
    ("key,,vid\na,b,v\n", ["a.csv:2: has a cell in a column without a name"]),
    ("key,vid\na,v,w\n", ["a.csv:2: has a cell in a column without a name"]),
    (
        'key,vid\n,v\nb,"v\nc,v\nd,v\n',
        [
            f"a.csv:2: {KEY}",
            f"a.csv:3: {QUOTES} (unexpected end of data); read no further",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD_TABLES)
def test_a_table_is_refused_with_all_that_is_wrong(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


BAD_LINES: list[tuple[str, list[str]]] = [
    ("\n \n", ["a.jsonl: has 0 items; a WorkflowBatch has 1 to 10,000"]),
    (
        '{"vid": "v"}\n{"Key": ""}\n{"key": ""}\n{"key": 1}\n{"key": null}',
        [
            "1: there is no member 'key'",
            "2: there is no member 'key', but 'Key': rename it, or give load_manifest key='Key'",
            *(f"{n}: {KEY}" for n in "345"),
        ],
    ),
    (
        '\n[\n  {"key": "a"},\n  {"key": "b"}\n]\n',
        ["2: is one JSON array over several lines: write one object a line"],
    ),
    (
        '{\n  "key": "a",\n  "vid": "v"\n}\n',
        ["1: is one JSON object over several lines: write one object a line"],
    ),
    (
        '{"key": "a", "vid": "v", "priority": 9}\n{"key": "a", "priority": "1"}\n',
        [
            "1: priority: must be an integer from -5 to 5",
            "2: key: is also the key of line 1",
            "2: priority: must be an integer from -5 to 5",
        ],
    ),
    (
        '\n{"key": "a"}\n{"key": "a"}\n{"key": "b"}\n',
        ["3: key: is also the key of line 2"],
    ),
    (
        '[{"key": "a"}]\n3\n{"key": "a",\n',
        [
            "1: must be a JSON object, not an array",
            "2: must be a JSON object",
            "3: must be a JSON object, but cannot be read from character 13 on",
        ],
    ),
    (
        '{"key": "a", "x": {"y": 1, "y": 1}}\n{"key": "a", "key": "b"}\n',
        [
            "1: must be a JSON object, but has the member 'y' twice in one object",
            "2: must be a JSON object, but has the member 'key' twice in one object",
        ],
    ),
    *(
        (f'{{"key": "a", "x": [{value}]}}', [f"1: must be a JSON object, but {STRANGE}"])
        for value in ("NaN", "-Infinity", "1e999", '"\\ud800"', "9" * 5000, "[" * DEEP + "]" * DEEP)
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD_LINES)
def test_lines_are_refused_with_all_that_is_wrong(text: str, expected: list[str]) -> None:
    whole = [line if line.startswith("a.jsonl") else f"a.jsonl:{line}" for line in expected]
    assert problems(text, "a.jsonl") == whole


ENDINGS = "its name must end in one of .csv, .tsv, .jsonl, .ndjson"
EXCEL = 'save the file as UTF-8 (in Excel, as "CSV UTF-8")'


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.json", ".json has one value: write one object a line, and name it .jsonl; "),
        ("a.xlsx", f".xlsx is a workbook: {EXCEL}; "),
        ("a.csv.gz", ".gz is compressed: unpack it; "),
        ("a.txt", "'.txt' is not known; "),
        ("a", ""),
        (".csv", ""),
    ],
)
def test_other_files_are_refused_unread(name: str, why: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(name)
    assert str(caught.value) == f"The items cannot be read: {name}: {why}{ENDINGS}"


def test_a_file_that_cannot_be_opened_is_told_in_one_line() -> None:
    """Not there, a folder, or no name at all: and where a relative name was looked for."""
    Path("folder.csv").mkdir()
    for name, why in {
        "none.csv": "No such file or directory",
        "folder.csv": "Is a directory",
        "folder.csv/x/y.csv": "No such file or directory",
        "a\0.csv": "its name cannot be one",
        "a" * 300 + ".csv": "File name too long",
    }.items():
        with pytest.raises(ManifestError) as caught:
            load_manifest(name)
        told = (
            f"The items cannot be read: {name}: cannot be read: {why} (looked for in {Path.cwd()})"
        )
        assert str(caught.value) == told
    with pytest.raises(
        ManifestError, match=r"/none\.csv: cannot be read: No such file or directory$"
    ):
        load_manifest(Path.cwd() / "none.csv")


def test_pulumi_shows_the_message_alone() -> None:
    """It prints a RunError, and any other exception's traceback."""
    Path("a.csv").write_text("key\n")
    with pytest.raises(pulumi.RunError) as caught:
        pulumi_vod_workflow.load_manifest("a.csv")
    assert isinstance(caught.value, ManifestError)
    Path("a.csv").write_text("key\na\n")
    assert pulumi_vod_workflow.load_manifest("a.csv", key="key").lines == {"a": 2}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("key,vid\na,v".encode("utf-16"), f"is in UTF-16: {EXCEL}"),
        ("\ufeffkey,vid\na,v".encode("utf-16-be"), f"is in UTF-16: {EXCEL}"),
        (
            "key,v\n".encode("utf-16-le"),
            f"has NUL characters in its first line, as UTF-16 has: {EXCEL}",
        ),
        (b"PK\x03\x04\x14\0\6\0", f"is a workbook or an archive, not text: {EXCEL}"),
        (b"\xd0\xcf\x11\xe0\xa1", f"is an old workbook, not text: {EXCEL}"),
        (b"\x1f\x8b\x08", "is compressed by gzip: unpack it"),
    ],
)
def test_what_is_no_text_is_named(name: str, data: bytes, why: str) -> None:
    assert problems(data, name) == [f"{name}:1: {why}"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_another_encoding_is_told_with_what_to_do(name: str) -> None:
    """Excel in Chinese writes GBK where it is not told otherwise."""
    assert problems("key,vid\na,v\n上海,v\n北京,v\n".encode("gbk"), name) == [
        f"{name}:3: is not in UTF-8: {EXCEL}"
    ]


def test_the_line_of_another_encoding_is_right_behind_a_byte_order_mark() -> None:
    assert problems(b"\xef\xbb\xbfkey\n\xff\n")[0].startswith("a.csv:2: is not in UTF-8")


def test_a_long_list_of_problems_is_cut_in_the_message_only() -> None:
    """A file that is wrong throughout does not fill the screen."""
    with pytest.raises(VodWorkflowError) as caught:
        load("key\n" + " a\n" * 1021)
    lines = str(caught.value).splitlines()
    assert lines[1] == f"  - a.csv:2: {KEY}"
    assert lines[20:] == [f"  - a.csv:21: {KEY}", "  ... and 1,001 more"]
    assert isinstance(caught.value, ManifestError)
    assert len(caught.value.problems) == 1021


def test_no_message_holds_a_cell() -> None:
    """Neither cells, nor a first row that may be none, nor the rest of a chain of exceptions."""
    texts = [
        ("a.csv", f"{SECRET},v\n"),
        ("a.csv", f'key,priority,input\n {SECRET},{SECRET},"{{""{SECRET}"": NaN}}",{SECRET}\n'),
        ("a.csv", f'key,vid\na,"{SECRET}"{SECRET}\n'),
        ("a.csv", f"key,vid\n{SECRET},v\n{SECRET},w\n"),
        ("a.jsonl", f'{SECRET}\n"{SECRET}"\n{{"key": "a", "x": {SECRET}}}\n{{"key": " {SECRET}"}}'),
    ]
    for name, text in texts:
        with pytest.raises(ManifestError) as caught:
            load(text, name)
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error} {error!r}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


# -- number ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_ten_thousand_items_are_read_and_one_more_is_refused(name: str) -> None:
    """The limit of a batch, told before all else."""

    def text(count: int) -> str:
        if name == "a.csv":
            header = "key,direct_url.file_name,priority,triggers.edition\n"
            return header + "".join(f"k{n},folder/{n}.mp4,{n % 5},1\n" for n in range(count))
        lines = ({"key": f"k{n}", "vid": f"v{n}", "priority": n % 5} for n in range(count))
        return "\n".join(map(json.dumps, lines))

    assert list(load(text(MAX_ITEMS), name)) == [f"k{n}" for n in range(MAX_ITEMS)]
    assert problems(text(MAX_ITEMS + 1) + "\n\x00", name)[0] == (
        f"{name}: has 10,001 items; a WorkflowBatch has 1 to 10,000"
    )


# -- there and back ----------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
KEYS = TEXT.filter(is_item_key)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: "Infinity" not in json.dumps(value))


# The key and the duration are no fields of an item.
FIELD_NAMES = TEXT.filter(lambda name: name not in {"key", *SECONDS_COLUMNS})


@given(st.dictionaries(KEYS, st.dictionaries(FIELD_NAMES, JSON), min_size=1))
def test_json_lines_come_back_as_they_were(items: dict[str, dict[str, Any]]) -> None:
    for ascii_only in (True, False):
        lines = [json.dumps({**v, "key": k}, ensure_ascii=ascii_only) for k, v in items.items()]
        read = load("\n".join(lines), "a.jsonl")
        assert read == items
        assert list(read) == list(items)


STRINGS = st.fixed_dictionaries(
    {}, optional={"vid": TEXT, "templateId": TEXT, "callback_args": TEXT, "unheard_of": TEXT}
)


@given(st.dictionaries(KEYS, STRINGS, min_size=1), st.sampled_from([("csv", ","), ("tsv", "\t")]))
def test_strings_in_a_table_come_back_as_they_were(
    items: dict[str, dict[str, Any]], kind: tuple[str, str]
) -> None:
    made = io.StringIO(newline="")
    names = ["callback_args", "unheard_of", "key", "vid", "templateId"]
    writer = csv.DictWriter(made, names, delimiter=kind[1])
    writer.writeheader()
    writer.writerows({**fields, "key": key} for key, fields in items.items())
    read = load(made.getvalue(), f"a.{kind[0]}")
    assert read == items
    assert list(read) == list(items)


@given(st.binary(), st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    """No file ends in another error."""
    for start in (b"", b"key,vid,input\n", b'{"key":'):
        with suppress(ManifestError):
            assert load(start + data, name)
