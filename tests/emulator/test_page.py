"""The emulator's pages as text: what is on them, and that it is only shown."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_vod_workflow.core.execution import EXPIRED, FAILURE_REASONS, RETENTION, classify_status
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.emulator import dashboard as page_module
from pulumi_vod_workflow.emulator.dashboard import phase
from pulumi_vod_workflow.emulator.store import EmulatedRun
from pulumi_vod_workflow.emulator.timeline import Axis

Call = Callable[..., httpx.Response]
BASE = {"Vid": "v", "TemplateId": "t"}
MOMENTS = st.lists(st.floats(0, 1e9), min_size=1, max_size=12)


def start(call: Call, **more: str) -> str:
    return str(call("StartWorkflow", {**BASE, **more}).json()["Result"]["RunId"])


def test_the_page_shows_runs_and_ledger(call: Call, emulator: VodEmulator) -> None:
    assert "No runs" in httpx.get(emulator.url).text
    runs = [start(call, Vid=vid) for vid in ("<b>bold</b>", "emu-fail-1001", "emu-unknown-status")]
    emulator.advance(100)
    page = httpx.get(emulator.url)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for part in ("runs", "ledger", "requests"):
        told = page.text.partition(f'<div id="{part}" data-live>')[2].partition("</table>")[0]
        for run_id in runs:
            assert told.count(f">{run_id}</a>") == 1, part
    assert "&lt;b&gt;bold&lt;/b&gt;" in page.text
    assert "<b>bold" not in page.text
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page.text)) == {
        "data:,", *(f"/_emulator/runs/{run_id}" for run_id in runs),
    }, "it loads nothing"  # fmt: skip
    assert not re.search(r" on[a-z]+=|javascript:", page.text), "no handler in the markup"


def test_the_newest_runs_are_shown_and_all_are_counted(
    call: Call, emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one has its page all the same."""
    monkeypatch.setattr(page_module, "MAX_RUNS", 2)
    runs = [start(call, Vid=f"v{number}") for number in range(3)]
    page = httpx.get(emulator.url).text
    assert page.count("The newest 2 of 3 runs.") == 2, "of the runs and of the ledger"
    assert "<b>3</b>starts in the ledger" in page
    for part in ("runs", "labels", "ledger"):
        told = page.partition(f'<div id="{part}" data-live>')[2].partition("</section>")[0]
        assert f"{runs[2]}" in told
        assert f"{runs[0]}" not in told
    assert "Entry 1 of 3" in httpx.get(f"{emulator.url}/_emulator/runs/{runs[0]}").text


def test_each_run_has_a_page(call: Call, emulator: VodEmulator) -> None:
    """With all that is known of it; what clients sent is text there, too."""
    evil = "<script>a</script>\u202e"
    snapshot = {"TemplateId": ["All"], "FileName": evil, "Width": 1}
    direct_url = {"FileName": evil, "SpaceName": "s", "BucketName": "b"}
    sent = {
        "DirectUrl": json.dumps(direct_url), "TemplateId": evil, "ClientToken": "token",
        "CallbackArgs": evil, "TaskListId": evil, "Priority": "3", "EnableLowPriority": "true",
        "Input": json.dumps({"OverrideParams": {"Snapshot": [snapshot]}}),
    }  # fmt: skip
    emulator.fault(action="StartWorkflow", kind="truncated", when="after")
    with pytest.raises(httpx.TransportError):
        call("StartWorkflow", sent)
    run_id = call("StartWorkflow", sent).json()["Result"]["RunId"]
    other = start(call)
    call("GetWorkflowExecution", {"RunId": run_id})
    url = f"{emulator.url}/_emulator/runs/{run_id}"
    early = httpx.get(url).text
    assert "scheduled: " in early
    assert "No outputs." in early
    emulator.advance(100)
    page = httpx.get(url).text
    shown = html.unescape(page)
    for told in (
        ">succeeded</span>", "<dt>Status</dt><dd><code>0</code>", "<dt>DirectUrl.BucketName</dt>",
        "<dt>ClientToken</dt><dd><code>token", "<dt>Priority</dt><dd><code>3",
        '"Width": 1', "Entry 1 of 2", "StoreUri", "tos://b/", "snapshot, Sample",
        '"EnableLowPriority": true', "truncated, after",
    ):  # fmt: skip
        assert told in shown, told
    assert "<script>a" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;a&lt;/script&gt;\\u202e") >= 6
    requests = page.partition('<div id="requests" data-live>')[2].partition("</table>")[0]
    assert requests.count('<td class="time"') == 3, "two starts, one of them lost, and a read"
    assert other not in page
    emulator.advance(31 * 86400)
    old = httpx.get(url).text
    assert ">expired</span>" in old
    assert "ResourceNotFound" in old
    unknown = httpx.get(f"{emulator.url}/_emulator/runs/emu:none")
    assert (unknown.status_code, "no such run" in unknown.text) == (404, True)


@pytest.mark.parametrize("path", ["/", "/_emulator/runs/emu:1"])
def test_pages_run_nothing_else_and_are_in_no_frame(emulator: VodEmulator, path: str) -> None:
    """One script and one style, by their hashes; a page of another site cannot cover a button."""
    answer = httpx.get(emulator.url + path)
    policy = answer.headers["content-security-policy"]
    for element in ("script", "style"):
        [text] = re.findall(f"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"):
        assert rule in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert httpx.get(emulator.url + path, headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "status", ["PendingStart", "Running", "0", "Terminated", "Paused", *FAILURE_REASONS, "1999"]
)
def test_phases_are_those_of_the_provider(status: str) -> None:
    """The page says how the provider will record each status."""
    known = {"PendingStart": (1.0, "0"), "Running": (0.0, "0")}
    started, outcome = known.get(status, (0.0, status))
    ended = 2.0 if status in known else 0.0
    run = EmulatedRun(1, "emu:1", {}, "s", {}, 0.0, started, ended, outcome)
    assert run.status(0.5) == status
    assert phase(run, 0.5) == classify_status(status).phase
    assert phase(run, RETENTION.total_seconds()) == EXPIRED["phase"]


@given(MOMENTS, MOMENTS)
@settings(max_examples=300, deadline=None)
def test_the_axis_only_grows(moments: list[float], more: list[float]) -> None:
    """Whatever happens later, or in between: nothing gets shorter, or goes to the left."""
    before, after = Axis(moments), Axis([*moments, *more])
    marks = sorted({*moments, *more, *(moment + 5 for moment in moments)})
    for one, two in pairwise(marks):
        assert before.at(one) <= before.at(two)
        assert after.at(one) <= after.at(two)
    begin = min(*moments, *more)
    if begin == min(moments):
        for one, two in pairwise(sorted(set(moments))):
            assert after.at(two) - after.at(one) >= before.at(two) - before.at(one) - 1e-6
    later = Axis([*moments, *(max(moments) + moment for moment in more)])
    for moment in moments:
        assert later.at(moment) == before.at(moment), "what is past keeps its place"


def test_the_axis_is_true_to_scale_and_shortens_what_is_long() -> None:
    """Ten pixels for a second; a month in which nothing happens does not hide the rest."""
    axis = Axis([100.0, 101.0, 105.0, 105.0 + 31 * 86400])
    assert [axis.at(moment) for moment in (90.0, 100.0, 101.0, 103.0, 105.0)] == [0, 0, 10, 30, 50]
    assert 300 < axis.at(105.0 + 31 * 86400) - axis.at(105.0) < 600
