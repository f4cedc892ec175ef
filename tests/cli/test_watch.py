"""`vod-workflow runs --watch`, on the emulator."""

from __future__ import annotations

import io
import pwd
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pulumi_vod_workflow.cli.pulumi_files.stack_export import read_stack
from pulumi_vod_workflow.cli.runs.model import list_runs, merge_stacks
from pulumi_vod_workflow.cli.runs.watch import follow_runs
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.emulator import VodEmulator
from tests.cli.conftest import Vod
from tests.cli.exports import SECRET, batch, provider, run, written
from tests.emulator.conftest import send

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0.2, running_seconds=0.6)


def started(emulator: VodEmulator, vid: str) -> dict[str, Any]:
    """Start a run, and return what a state would have of it."""
    query = {"Vid": vid, "TemplateId": "t", "ClientToken": f"c-{vid}"}
    answer = send(emulator.url, "StartWorkflow", query).json()
    where = {"endpoint": emulator.url, "region": "cn-north-1", "emulated": True}
    return {"runId": answer["Result"]["RunId"], "phase": "submitted", **where}


def config(emulator: VodEmulator, **more: Any) -> dict[str, Any]:
    keys = {"vod_accessKey": "AKLTEMULATOR", "vod_secretKey": "emulator-secret-key"}
    return provider(vod_endpoint=emulator.url, **{**keys, **more})


def stack_of(emulator: VodEmulator, path: Path, **more: Any) -> str:
    good, bad, item = (started(emulator, vid) for vid in ("good", "emu-fail-1002", "item"))
    del item["endpoint"], item["emulated"]
    return written(
        path / "export.json",
        config(emulator),
        run("good", good.pop("runId"), **good, **more),
        run("bad", bad.pop("runId"), **bad),
        run("over", "emu:over", "succeeded", "0"),
        batch("many", {"k": item}, endpoint=emulator.url),
    )


def test_each_change_is_a_line_and_the_end_is_the_table(
    vod: Vod, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """Where there is no terminal; what had ended is not asked about; nothing is started."""
    source = stack_of(vod_emulator, tmp_path)
    before = Path(source).read_bytes()
    done = vod("runs", source, "--watch", "--fail-on-failed", code=1)
    for name, phase in (("good", "succeeded"), ("bad", "failed"), ("many[k]", "succeeded")):
        assert f"{name}: {phase} (" in done.stderr
    assert "over:" not in done.stderr
    assert re.search(r"succeeded +good .* 1 video, [\d.]+ MB; 3 snapshots +emu:", done.stdout)
    assert "1002: the source lacks an audio or video stream" in done.stdout
    refresh = "`pulumi refresh --run-program`"
    assert done.stdout.endswith(f"The state is unchanged. {refresh} updates the state: free.\n")
    assert Path(source).read_bytes() == before
    counts = vod_emulator.requests()
    assert counts["StartWorkflow"] == 3
    assert counts["GetWorkflowExecutionResult"] == 3


def test_several_stacks_are_followed_at_once(
    vod: Vod, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """Each with its own keys and endpoint."""
    one, two = (started(vod_emulator, vid) for vid in ("one", "two"))
    dev = written(tmp_path / "dev.json", config(vod_emulator), run("a", one.pop("runId"), **one))
    prod = tmp_path / "prod.json"
    written(prod, config(vod_emulator), run("a", two.pop("runId"), **two))
    prod.write_text(prod.read_text().replace("urn:pulumi:dev::", "urn:pulumi:prod::"))
    done = vod("runs", dev, str(prod), "--watch")
    assert "dev: a: succeeded (" in done.stderr
    assert "prod: a: succeeded (" in done.stderr
    assert "2 stacks: 2 runs: 2 succeeded" in done.stdout


def test_secrets_that_were_just_read_are_masked(
    vod: Vod, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """What is made of a secret input is one, also before any state has it."""
    source = stack_of(vod_emulator, tmp_path, secretInputs=True)
    page = tmp_path / "page.html"
    told = vod("runs", source, "--watch", "-f", "json", "--html", str(page)).stdout
    assert told.count('"transcodes": "[secret]"') == 1
    assert told.count("tos://") == 5, "of the other run's video, three pictures and their index"
    assert page.read_text().count("tos://") == 4


def test_on_a_terminal_the_table_is_drawn_anew(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """As high as the terminal is."""
    stack = read_stack(stack_of(vod_emulator, tmp_path))
    out = Console(file=io.StringIO(), force_terminal=True, width=140, height=11, markup=False)
    found = merge_stacks({"dev": list_runs(stack)})
    runs, stopped = follow_runs(found, {"dev": stack.settings()}, out, SystemClock())
    assert [(run.name, run.phase) for run in runs] == [
        ("bad", "failed"), ("good", "succeeded"), ("many[k]", "succeeded"), ("over", "succeeded"),
    ]  # fmt: skip
    assert not stopped
    drawn = out.file.getvalue()  # type: ignore[attr-defined]
    assert "PHASE" in drawn
    assert "... and 1 more" in drawn
    assert "\x1b[" in drawn


def test_what_cannot_be_read_is_told(vod: Vod, vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """The rest is read; a run that is not there is in the list with the reason."""
    good = started(vod_emulator, "good")
    source = written(
        tmp_path / "x.json",
        config(vod_emulator),
        run("good", good.pop("runId"), **good),
        run("gone", "emu:gone", **good),
    )
    done = vod("runs", source, "-w", code=2)
    assert "gone: cannot be read: the service answered" in done.stderr
    assert re.search(
        r"submitted +gone .* cannot be read: GetWorkflowExecution: the ser", done.stdout
    )
    assert "succeeded" in done.stdout


def test_keys_that_cannot_be_read_are_told_from_none(
    vod: Vod, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """An encrypted key of the stack is none here; those of the environment are taken."""
    good = started(vod_emulator, "good")
    made = run("good", good.pop("runId"), **good)
    missing = written(
        tmp_path / "y.json", config(vod_emulator, vod_accessKey="", vod_secretKey=""), made
    )
    said = vod("runs", missing, "-w", code=2).stderr
    assert "No credentials for Volcengine" in said
    assert "VOLCENGINE_ACCESS_KEY" in said
    encrypted = {"vod_secretKey": SECRET, "vod_sessionToken": SECRET}
    source = written(tmp_path / "x.json", config(vod_emulator, **encrypted), made)
    assert vod("runs", source, "-w", code=2).stderr == (
        "error: The keys of the stack (vod:accessKey, vod:secretKey) are encrypted, and this "
        "command decrypts nothing. Give them by the environment: `export "
        'VOLCENGINE_ACCESS_KEY="$(pulumi config get vod:accessKey --stack dev)" '
        'VOLCENGINE_SECRET_KEY="$(pulumi config get vod:secretKey --stack dev)" '
        'VOLCENGINE_SESSION_TOKEN="$(pulumi config get vod:sessionToken --stack dev)"`\n'
    )
    keys = {"VOLCENGINE_ACCESS_KEY": "AKLTEMULATOR"}
    keys["VOLCENGINE_SECRET_KEY"] = "emulator-secret-key"
    assert "1 succeeded" in vod("runs", source, "-w", env=keys).stdout


def test_a_proxy_that_cannot_be_used_is_one_line(
    vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a home that is not there; neither is a traceback."""
    monkeypatch.setenv("all_proxy", "socks://u:hidden@127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    keys = provider(vod_accessKey="AK", vod_secretKey="SK")
    there = {"endpoint": "https://vod.example.com", "region": "cn-north-1"}
    source = written(tmp_path / "x.json", keys, run("a", "lb:1", "running", **there))
    said = vod("runs", source, "--watch", code=2).stderr
    assert said.startswith("error: all_proxy has a proxy of an unsupported kind.")
    assert "hidden" not in said
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: dict[str, str]()["nobody"])
    assert "HOME is not set" in vod("runs", source, "--watch", code=2).stderr


def test_nothing_is_read_where_all_have_ended(vod: Vod, tmp_path: Path) -> None:
    source = written(tmp_path / "x.json", run("a", "r1", "succeeded", "0"))
    assert "1 succeeded" in vod("runs", source, "--watch").stdout
