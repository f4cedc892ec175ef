"""`vod-workflow runs`, from exports of states."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.cli.runs.model import PHASE_ORDER, ListedRun, merge_stacks
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from tests.cli.conftest import Vod
from tests.cli.exports import (
    SECRET,
    a_season,
    at,
    batch,
    completion,
    creating,
    export,
    provider,
    run,
    sample,
    transcode,
    written,
)


def rows(vod: Vod, source: str, *options: str) -> list[dict[str, Any]]:
    told = json.loads(vod("runs", source, "-f", "json", *options).stdout)
    found: list[dict[str, Any]] = told["runs"]
    return found


def test_runs_are_listed_by_phase_with_age_duration_outputs_and_remedy(
    vod: Vod, tmp_path: Path
) -> None:
    """What asks for something comes first; each failure has a meaning and a remedy."""
    source = written(tmp_path / "x.json", *a_season())
    lines = vod("runs", source).stdout.splitlines()
    assert lines[0] == (
        "dev of shop, state of 2026-05-06 07:59:00 UTC (60 s ago): 14 runs: 2 failed, "
        "1 terminated, 1 unclear, 1 rejected, 1 running, 1 pending, 1 expired, 6 succeeded"
    )
    table = [line.split() for line in lines if line.startswith((" failed", " running", " succ"))]
    assert [row[:2] for row in table] == [
        ["failed", "episodes[s01e05]"], ["failed", "making-of"], ["running", "trailer"],
        ["succeeded", "confidential"], *(["succeeded", f"episodes[s01e0{n}]"] for n in range(1, 5)),
        ["succeeded", "poster-only"],
    ]  # fmt: skip
    assert " ".join(table[0][2:]) == (
        "44 min 35 min 2003: transcoding timed out; a rerun can help, and is paid again "
        "lb:9c5b704e4d3402698a17ff5dff87f"
    )
    assert table[2][-6:-1] == ["48", "%", "of", "2", "tasks"]
    assert "".join(table[4][2:-1]) == "49min21min3videos,163.3MB;12snapshots"
    text = "\n".join(lines)
    assert "hint: making-of: Correct the declaration (paid: starts one run)." in text
    assert "hint: episodes[s01e06]: Correct or remove the item, then run `pulumi up` again." in text
    assert "hint: episodes[s01e07]: Look for the run in the VOD console, then set" in text
    assert lines[-1].endswith(
        "Source: the state. `pulumi refresh --run-program` updates the state: free."
    )


def test_the_sample_of_the_page_is_what_the_command_prints(vod: Vod, tmp_path: Path) -> None:
    """Word by word, but for blanks at the ends of lines."""
    made = {"createTime": at(12), "startTime": at(11), "endTime": at(7)}
    files = {"transcodes": [transcode("tos://b/1", size=8_600_000)], "snapshots": [sample(3)]}
    ids = iter(f"emu:{number}5f42f2dcd9dba1268781def{number}1c4" for number in "896bc")
    items: dict[str, Any] = {
        key: {"runId": next(ids), "phase": "succeeded", "status": "0", **made}
        for key in ("s01e01", "s01e02")
    }
    results = {key: {**item, **files} for key, item in items.items()}
    items["s01e03"] = {"runId": next(ids), "phase": "failed", "status": "2003", **made}
    going = {"createTime": at(3), "startTime": at(2),
             "tasks": [{"progress": 60}, {"progress": 80}, {"progress": 40}]}  # fmt: skip
    source = written(
        tmp_path / "stack.json",
        run("teaser", next(ids), "failed", "1003", **made),
        run("trailer", next(ids), "running", "Running", **going),
        batch("episodes", items),
        completion("episodes-done", results),
    )
    page = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()
    shown = page.partition("$ vod-workflow runs stack.json\n")[2].partition("```")[0]
    printed = vod("runs", source).stdout
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_each_run_is_listed_once(vod: Vod, tmp_path: Path) -> None:
    """A wait's results add to their run; a run that two resources stand for is one; others stay."""
    ended = {"phase": "succeeded", "status": "0", "statusReason": "fine"}
    source = written(
        tmp_path / "x.json",
        run("one", "r1", "submitted", submittedAt=at(9)),
        run("two", "r1", "running", "Running"),
        batch("many", {"a": {"runId": "r2", "phase": "running", "status": "Running"}}),
        completion("done", {
            "x": {"runId": "r1", **ended, "transcodes": [transcode("tos://b/1")]},
            "y": {"runId": "r2", **ended},
            "z": {"runId": "r3", **ended},
            "w": {"phase": "rejected", "statusReason": "no"},
        }),
    )  # fmt: skip
    found = {row["runId"]: row for row in rows(vod, source)}
    names = {run_id: (row["names"], row["phase"]) for run_id, row in found.items()}
    assert names == {
        "r1": (["one", "two"], "succeeded"),
        "r2": (["many[a]"], "succeeded"),
        "r3": (["done[z]"], "succeeded"),
    }
    assert found["r1"]["transcodes"][0]["storeUri"] == "tos://b/1"
    assert found["r2"]["endpoint"] == "https://vod.example"


def test_the_reason_that_a_batch_leaves_out_is_told(vod: Vod, tmp_path: Path) -> None:
    """States are kept small: what follows from the status is not in them."""
    items = {"a": {"runId": "r1", "phase": "running", "status": "Running"},
             "b": {"runId": "r2", "phase": "submitted"}}  # fmt: skip
    one, two = rows(vod, written(tmp_path / "x.json", batch("many", items)))
    assert (one["statusReason"], one["phase"]) == ("Running: being processed", "running")
    assert two["statusReason"].startswith("accepted by the service")


def test_durations_and_ages_survive_any_time(vod: Vod, tmp_path: Path) -> None:
    source = written(
        tmp_path / "x.json",
        run("a", "r1", "succeeded", "0", createTime=at(60), startTime=at(50), endTime=at(20)),
        run("b", "r2", "succeeded", "0", createTime="yesterday", startTime=7, endTime=None),
        run("c", "r3", "succeeded", "0", createTime="2026-05-06T07:00:00", endTime=at(1)),
        run("d", "r4", "succeeded", "0", createTime="2026-05-06T15:30:00+08:00"),
    )
    told = {row["names"][0]: (row["ageSeconds"], row["durationSeconds"])
            for row in rows(vod, source)}  # fmt: skip
    assert told == {"a": (3600, 1800), "b": (None, None), "c": (None, None), "d": (1800, None)}


@pytest.mark.parametrize("form", ["table", "json"])
def test_secrets_are_masked_wherever_they_are(vod: Vod, tmp_path: Path, form: str) -> None:
    """As a whole, in an item, in a URL, in plain text; none is decrypted or shown."""
    plain = {**SECRET, "plaintext": '"plain-4711"'}
    secret = {key: value for key, value in plain.items() if key != "ciphertext"}
    source = written(
        tmp_path / "x.json",
        run("a", "r1", "succeeded", "0", transcodes=SECRET, snapshots=secret, extra=plain),
        run("b", "r2", "succeeded", "0", transcodes=[transcode(plain)], snapshots=[sample(2)]),
        batch("many", {"k": {"runId": "r3", "phase": "running", "inputs": SECRET, "extra": plain}},
              clientTokens=plain, defaults=plain),
        completion("done", plain),
    )  # fmt: skip
    page = tmp_path / "page.html"
    said = vod("runs", source, "-f", form, "--html", str(page)).output
    for text in (said, page.read_text()):
        assert "cipher" not in text
        assert "4711" not in text
        assert "[secret]" in text
    assert "many[k]" in said


def test_runs_whose_ids_or_items_are_secret_are_told_apart(vod: Vod, tmp_path: Path) -> None:
    """The program can make any output secret; one that has no known id cannot be read."""
    done = {"runId": "lb:1", "phase": "succeeded"}
    source = written(
        tmp_path / "x.json",
        run("one", SECRET, "running"),
        run("two", SECRET, "running"),
        batch("many", {"a": done}, items={"a": SECRET}, secretInputs=True),
        batch("more", {"b": {**done, "runId": "lb:2"}}, items=SECRET, secretInputs=True),
    )
    assert [(found["names"], found["runId"]) for found in rows(vod, source)] == [
        (["one"], "[secret]"),
        (["two"], "[secret]"),
        (["many[a]"], "lb:1"),
        (["more[b]"], "lb:2"),
    ]
    assert "its runId is secret in the state" in vod("runs", source, "--watch", code=2).stdout


def test_what_the_output_cannot_write_is_escaped(tmp_path: Path) -> None:
    """As on Windows, where what is redirected is in the machine's own code page."""
    source = written(tmp_path / "x.json", run("\u4e2d\u6587", "lb:1", "running"))
    command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "runs", source]
    environ = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, check=True, env=environ)
    assert b"\\u4e2d\\u6587" in done.stdout


def test_names_cannot_move_the_cursor_or_hide(vod: Vod, tmp_path: Path) -> None:
    """Neither control characters, markup, nor a URN's own separator in a name do anything."""
    name = "a\x1b[2J\u202eb\n[bold]x[/bold]::y"
    source = written(tmp_path / "x.json", run(name, "r\x07", "failed", "1001", statusReason="\x9b"))
    said = vod("runs", source).output
    assert r"a\x1b[2J\u202eb\n[bold]x[/bold]::y" in said
    assert all(char.isprintable() or char == "\n" for char in said)
    [row] = rows(vod, source)
    assert row["names"] == [name]


def test_exit_codes(vod: Vod, tmp_path: Path) -> None:
    failed = written(tmp_path / "f.json", run("a", "r1", "failed", "1001"))
    good = written(tmp_path / "g.json", run("a", "r1", "succeeded", "0"))
    vod("runs", failed)
    vod("runs", failed, "--fail-on-failed", code=1)
    vod("runs", good, "--fail-on-failed")
    assert "cannot write " in vod("runs", good, "--html", f"{good}/page", code=2).stderr


def test_phases_are_chosen(vod: Vod, tmp_path: Path) -> None:
    """Only what is listed gets less: counts, and what the exit code tells, are of all runs."""
    source = written(tmp_path / "x.json", *a_season())
    page = tmp_path / "page.html"
    chosen = ("--phase", "running", "--phase", "failed")
    text = vod("runs", source, *chosen, "--html", str(page)).stdout
    assert "14 runs: 2 failed, 1 terminated" in text
    assert "6 succeeded; 3 listed (running or failed)\n" in text
    assert [row["names"][0] for row in rows(vod, source, *chosen)] == [
        "episodes[s01e05]", "making-of", "trailer",
    ]  # fmt: skip
    assert page.read_text().count('<tr id="run-') == 3
    assert "The page lists 3 of 14 runs." in page.read_text()
    assert len(vod("runs", source, "-f", "csv", *chosen).stdout.splitlines()) == 4
    counted = json.loads(vod("runs", source, "-f", "json", *chosen).stdout)["counts"]
    assert sum(counted.values()) == 14
    vod("runs", source, "--phase", "running", "--fail-on-failed", code=1)
    none = vod("runs", source, "--phase", "submitted").stdout
    assert "0 listed (submitted)" in none
    assert "PHASE" not in none
    said = vod("runs", source, "--phase", "done", code=2).stderr
    assert "'done' is not one of" in said
    assert all(f"'{phase}'" in " ".join(said.split()) for phase in PHASE_ORDER)


def test_runs_with_the_same_remedy_share_a_hint(vod: Vod, tmp_path: Path) -> None:
    """Six hundred failures do not make six hundred paragraphs."""
    items = {f"i{n:03}": {"runId": f"lb:{n}", "phase": "failed", "status": "1003"}
             for n in range(600)}  # fmt: skip
    text = vod("runs", written(tmp_path / "x.json", batch("many", items))).stdout
    [hint] = [line for line in text.splitlines() if line.startswith("hint: ")]
    assert hint.startswith("hint: many[i000], many[i001], ")
    assert hint.endswith("and 580 more: Correct the declaration (paid: starts one run).")


def test_csv_is_one_row_for_each_run_and_runs_no_formula(vod: Vod, tmp_path: Path) -> None:
    """With source and workflow; what a spreadsheet would run begins with an apostrophe."""
    direct = {"spaceName": "s", "fileName": 'a "b", c.mp4'}
    source = written(
        tmp_path / "x.json",
        run("=1+1", "lb:1", "failed", "1003", directUrl=direct, templateId="t", createTime=at(9),
            startTime=at(8), endTime=at(7)),
        run("-2", "@x", "running", vid="+v\n", templateId=SECRET,
            tasks=[{"progress": 100}, {"progress": 50}, {}]),
    )  # fmt: skip
    text = vod("runs", source, "-f", "csv").stdout
    one, two = csv.DictReader(io.StringIO(text, newline=""))
    assert (one["names"], one["source"], one["templateId"]) == ("'=1+1", 's/a "b", c.mp4', "t")
    assert (one["phase"], one["status"], one["durationSeconds"]) == ("failed", "1003", "60.0")
    assert one["statusReason"].startswith("1003: the source could not be downloaded")
    assert one["createTime"] == at(9)
    assert (two["names"], two["source"], two["runId"]) == ("'-2", "'+v\\n", "'@x")
    assert (two["templateId"], two["outputs"]) == ("[secret]", "50 % of 3 tasks")
    found = {row["runId"]: row for row in rows(vod, source)}
    assert found["lb:1"]["directUrl"] == direct
    assert found["@x"]["templateId"] == "[secret]"


def test_an_empty_stack_and_one_that_was_cut_short(vod: Vod, tmp_path: Path) -> None:
    empty = written(tmp_path / "e.json")
    assert vod("runs", empty).output.startswith("an empty stack, state of")
    cut = written(tmp_path / "c.json", pending=[creating(RUN_TYPE, "a", {})])
    assert "`vod-workflow recover` lists its starts" in vod("runs", cut).output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no json", "is no JSON\nhint: give a file that `pulumi stack export` has written"),
        (b"[" * 100_000, "is no JSON"),
        (b"{}", "is no stack: deployment: Field required"),
        (b'{"checkpoint": {}}', "is no stack: deployment"),
        (b'{"deployment": {"resources": [{"id": "hush"}]}}', "deployment.resources.0.urn"),
        (b'{"deployment": {"resources": [{"urn": 1, "inputs": "hush"}]}}', "valid string"),
    ],
)
def test_what_is_no_export_is_told(vod: Vod, tmp_path: Path, content: bytes, says: str) -> None:
    """Where it is wrong, and what to give; nothing of the content."""
    (tmp_path / "x").write_bytes(content)
    said = vod("runs", str(tmp_path / "x"), code=2).stderr
    assert says in said
    assert said.startswith("error: ")
    assert "hush" not in said


def test_a_file_that_is_not_there_or_given_twice(vod: Vod, tmp_path: Path) -> None:
    assert "nope cannot be read: No such file" in vod("runs", "nope", code=2).stderr
    said = vod("runs", "x", "--stack", "dev", code=2).stderr
    assert "either files or --stack, --all and --cwd, not both" in said
    said = vod("runs", "--all", "--stack", "dev", code=2).stderr
    assert "either --stack or --all, not both" in said


def two_stacks(folder: Path) -> tuple[str, str]:
    """Exports of the stacks `dev` and `prod`, which share one run."""
    made = {"vid": "v", "createTime": at(60 * 24), "region": "r", "endpoint": "e"}
    shared = {**made, "templateId": "t2", "createTime": "2026-05-06T01:30:00+08:00"}
    dev = written(
        folder / "dev.json",
        run("trailer", "r1", "failed", "1003", **made, templateId="t1"),
        run("shared", "r2", "running", "Running", **shared),
        run("odd", "r3", "succeeded", "0", vid="v"),
        minutes=3,
    )
    prod = written(
        folder / "prod.json",
        run("trailer", "r4", "succeeded", "0", **made, templateId="t2"),
        run("shared-too", "r2", "succeeded", "0", **shared),
    )
    file = Path(prod)
    file.write_text(file.read_text().replace("urn:pulumi:dev::", "urn:pulumi:prod::"))
    return dev, prod


def test_several_stacks_are_one_list_with_totals(vod: Vod, tmp_path: Path) -> None:
    """A run that two stacks have is paid once, and counted once; days are those of UTC."""
    sources = two_stacks(tmp_path)
    lines = vod("runs", *sources, "--phase", "succeeded").stdout.splitlines()
    assert lines[:3] == [
        "dev of shop, state of 2026-05-06 07:57:00 UTC (3 min ago): 3 runs: 1 failed, 2 succeeded",
        "prod of shop, state of 2026-05-06 07:59:00 UTC (60 s ago): 2 runs: 2 succeeded",
        "2 stacks: 4 runs: 1 failed, 3 succeeded; 3 listed (succeeded)",
    ]
    table = [line.split("  ") for line in lines if line.startswith(" succeeded")]
    assert [row[1].strip() for row in table] == [
        "dev: odd", "dev, prod: shared, shared-too", "prod: trailer",
    ]  # fmt: skip
    begin = next(number for number, line in enumerate(lines) if "TOTAL" in line)
    totals = [line.split() for line in lines[begin:]]
    assert [row for row in totals if row and row[-1].isdigit()] == [
        ["all", "4", "1", "3"],
        ["stack", "dev", "3", "1", "2"],
        ["prod", "2", "0", "2"],
        ["workflow", "t2", "2", "0", "2"],
        ["t1", "1", "1", "0"],
        ["not", "recorded", "1", "0", "1"],
        ["day", "(UTC)", "2026-05-05", "3", "1", "2"],
        ["no", "time", "recorded", "1", "0", "1"],
    ]
    only = vod("runs", *sources, "--totals").stdout
    assert "dev: odd" not in only
    assert "hint: " not in only
    assert "day (UTC)" in only
    assert "TOTAL" not in vod("runs", sources[0]).stdout
    assert "TOTAL" in vod("runs", sources[0], "--totals").stdout


@pytest.mark.parametrize("order", [("dev", "prod"), ("prod", "dev")])
def test_a_run_with_secret_inputs_in_one_stack_has_them_in_the_list(order: tuple[str, str]) -> None:
    """Otherwise a read of it, as by `--watch`, would show what the other stack hides."""
    found = {
        "dev": [ListedRun(("own",), {"runId": "r1", "phase": "running"}, has_secret_inputs=True)],
        "prod": [ListedRun(("adopted",), {"runId": "r1", "phase": "running"})],
    }
    [run] = merge_stacks({name: found[name] for name in order})
    assert run.has_secret_inputs


def test_programs_read_totals(vod: Vod, tmp_path: Path) -> None:
    sources = two_stacks(tmp_path)
    told = json.loads(vod("runs", *sources, "-f", "json").stdout)
    assert "stack" not in told
    assert {name: each["stack"] for name, each in told["stacks"].items()} == {
        "dev": "dev", "prod": "prod",
    }  # fmt: skip
    assert {name: row["stacks"] for row in told["runs"] for name in row["names"]} == {
        "trailer": ["prod"], "shared": ["dev", "prod"], "shared-too": ["dev", "prod"],
        "odd": ["dev"],
    } | {"trailer": ["prod"]}  # fmt: skip
    totals = told["totals"]
    assert totals["all"] == {"runs": 4, "phases": told["counts"]}
    assert totals["stack"]["prod"] == {"runs": 2, "phases": {"succeeded": 2}}
    assert {name: each["runs"] for name, each in totals["workflow"].items()} == {
        "t2": 2, "t1": 1, "": 1,
    }  # fmt: skip
    assert {name: each["runs"] for name, each in totals["day"].items()} == {"2026-05-05": 3, "": 1}
    single = json.loads(vod("runs", sources[0], "-f", "json").stdout)
    assert (single["stack"], single["project"]) == ("dev", "shop")
    assert single["totals"]["stack"]["dev"]["runs"] == 3

    found = [*csv.DictReader(io.StringIO(vod("runs", *sources, "-f", "csv").stdout))]
    assert {(row["names"], row["stacks"], row["day"]) for row in found} == {
        ("trailer", "dev", "2026-05-05"),
        ("trailer", "prod", "2026-05-05"),
        ("shared, shared-too", "dev, prod", "2026-05-05"),
        ("odd", "dev", ""),
    }
    text = vod("runs", *sources, "-f", "csv", "--totals").stdout
    rows = [*csv.DictReader(io.StringIO(text))]
    assert [(row["total"], row["of"], row["runs"], row["failed"], row["running"]) for row in rows] \
        == [
            ("all", "", "4", "1", "0"),
            ("stack", "dev", "3", "1", "0"),
            ("stack", "prod", "2", "0", "0"),
            ("workflow", "t2", "2", "0", "0"),
            ("workflow", "t1", "1", "1", "0"),
            ("workflow", "", "1", "0", "0"),
            ("day", "2026-05-05", "3", "1", "0"),
            ("day", "", "1", "0", "0"),
        ]  # fmt: skip


def test_stacks_of_one_name_and_empty_ones_are_told_apart(vod: Vod, tmp_path: Path) -> None:
    dev, _ = two_stacks(tmp_path)
    other, empty = tmp_path / "other.json", written(tmp_path / "empty.json")
    other.write_text(Path(dev).read_text().replace("::shop::", "::films::").replace("r1", "r9"))
    told = json.loads(vod("runs", dev, str(other), empty, "-f", "json").stdout)
    assert [*told["stacks"]] == ["shop/dev", "films/dev", "empty (3)"]
    assert told["totals"]["stack"]["films/dev"]["runs"] == 3
    same = json.loads(vod("runs", dev, str(other), "-f", "json").stdout)["totals"]["all"]
    assert same["runs"] == 4, "two runs are those of both stacks"


def test_a_review_is_that_of_one_stack(vod: Vod, tmp_path: Path) -> None:
    said = vod("runs", *two_stacks(tmp_path), "--review=x", code=2).stderr
    assert "--review has the names of one stack, and there are 2\nhint: " in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_standard_input_and_what_powershell_writes(vod: Vod, encoding: str) -> None:
    content = json.dumps(export(run("影片", "r1", "running")), ensure_ascii=False).encode(encoding)
    assert "影片" in vod("runs", "-", data=content).output


def test_pulumi_is_asked_where_no_file_is_given(
    vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by hand; what it says against it is passed on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no `pulumi` on PATH" in vod("runs", code=2).stderr
    fake = tmp_path / "pulumi"
    answer = tmp_path / "answer"
    answer.write_text(json.dumps(export(run("a", "r1", "running"))))
    fake.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nexec /bin/cat {answer}\n')
    fake.chmod(0o755)
    assert "1 running" in vod("runs", "--stack", "dev", "--cwd", "there").output
    asked = (tmp_path / "asked").read_text()
    assert asked == "stack export --stack dev --non-interactive --color=never --cwd there\n"
    exports = 'case $2 in ls) echo \'[{"name": "dev"}, {"name": "o/shop/prod"}]\'; exit;; esac'
    fake.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked-all\n{exports}\nexec /bin/cat {answer}\n'
    )
    assert "2 stacks: 1 run: 1 running" in vod("runs", "--all").output
    vod("runs", "--stack", "dev", "--stack", "qa", "-s", "dev")
    ends = "--non-interactive --color=never"
    assert sorted((tmp_path / "asked-all").read_text().splitlines()) == sorted(
        [
            f"stack ls --json {ends}",
            f"stack export --stack dev {ends}",
            f"stack export --stack o/shop/prod {ends}",
            f"stack export --stack dev {ends}",
            f"stack export --stack qa {ends}",
        ]
    )
    fake.write_text("#!/bin/sh\necho '[]'\n")
    assert "the project has no stack" in vod("runs", "--all", code=2).stderr
    fake.write_text("#!/bin/sh\necho '{'\n")
    assert "is no list of stacks" in vod("runs", "--all", code=2).stderr
    fake.write_text("#!/bin/sh\necho 'error: no stack' >&2\nexit 255\n")
    assert "`pulumi stack export` has failed: error: no stack" in vod("runs", code=2).stderr


def test_what_does_not_ask_the_service_does_not_load_its_client(tmp_path: Path) -> None:
    """Plain `runs` is offline, and quick."""
    source = written(
        tmp_path / "x.json", *a_season(), provider(vod_endpoint="https://never.example")
    )
    code = (
        "import sys\nfrom pulumi_vod_workflow.cli.__main__ import app\n"
        f"app(['runs', {source!r}], standalone_mode=False)\n"
        "sys.exit(bool({'httpx', 'pulumi'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", ["runs", "recover"])
@pytest.mark.parametrize("odd", [{"a": "no run"}, {"a": {"inputs": 1}}, "none"])
def test_an_export_of_another_form_is_told(
    vod: Vod, tmp_path: Path, command: str, odd: Any
) -> None:
    """Edited by hand, or by a version to come."""
    noted = creating(BATCH_TYPE, "all", {"items": {"a": {"vid": "v"}}})
    source = written(tmp_path / "x.json", batch("all", odd), pending=[noted])
    options = ("--journal", str(tmp_path / "journal"), "--offline") if command == "recover" else ()
    told = vod(command, source, *options, code=2).stderr
    assert "have a form that this version does not know" in told
