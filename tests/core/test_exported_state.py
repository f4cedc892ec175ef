"""The runs of an exported state, and the starts whose answers they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pulumi_vod_workflow.core.exported_stack import ExportedStack
from pulumi_vod_workflow.core.exported_state import SECRET, StateRuns
from pulumi_vod_workflow.core.recovery import StartRecord, start_intent
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, COMPLETION_TYPE, RUN_TYPE
from tests.cli.exports import a_season, creating, export, packaged, provider

SENT = datetime(2026, 5, 6, 8, 0, 0, tzinfo=UTC)
SITE = {"endpoint": "https://vod.example", "region": "cn-north-1"}
START: dict[str, Any] = {"vid": "v1", "templateId": "t", "clientToken": "c-1"}
SCOPE = {"project": "p", "stack": "s", "name": "one"}


def sent(scope: Any = SCOPE, run_id: str = "", **changes: Any) -> StartRecord:
    intent = start_intent({**START, **changes, "scope": scope}, **SITE)
    run = {"runId": run_id} if run_id else None
    return StartRecord(SENT, run, intent.record_key, intent.resource_key, intent.request_key)


def recorded(seconds: float = 1, **changes: Any) -> dict[str, Any]:
    submitted = f"{SENT + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    return {**START, **SITE, "scope": SCOPE, "runId": "lb:1", "submittedAt": submitted, **changes}


def run_id(outputs: Any, record: StartRecord, token: str = "", kind: str = RUN_TYPE) -> Any:
    found = StateRuns.of([(kind, outputs)]).run_of(record, token)
    return found and found["runId"]


def test_an_accepted_start_is_found_by_its_run_only() -> None:
    assert run_id(recorded(), sent(run_id="lb:1")) == "lb:1"
    assert run_id(recorded(), sent(run_id="lb:2")) is None


def test_a_start_without_answer_is_found_by_its_token() -> None:
    assert run_id(recorded(), sent(), "c-1") == "lb:1"
    assert run_id(recorded(), sent(), "c-2") is None
    # Without the token, by the hash of the record; the resource may have another name now.
    assert run_id(recorded(), sent()) == "lb:1"
    moved = {**SCOPE, "stack": "renamed", "parent": "my:module:Component"}
    assert run_id(recorded(scope=moved), sent()) == "lb:1"
    assert run_id(recorded(vid="v2"), sent()) is None
    assert run_id(recorded(region="ap-southeast-1"), sent()) is None


def test_a_run_from_before_the_start_is_not_its_answer() -> None:
    """`up --replace` keeps the token; the clocks of two machines differ a little."""
    assert run_id(recorded(-30), sent()) == "lb:1"
    assert run_id(recorded(-120), sent()) is None
    assert run_id(recorded(submittedAt=None), sent()) == "lb:1", "an old state has no time"


def test_an_item_is_found_unless_it_was_started_with_other_inputs() -> None:
    batch = {
        "scope": SCOPE, "defaults": {"templateId": "t"}, "items": {"a": {"vid": "v1"}},
        "clientTokens": {"a": "c-1"}, "runs": {"a": {"runId": "lb:a"}}, **SITE,
    }  # fmt: skip
    item = sent({**SCOPE, "item": "a"})
    assert run_id(batch, item, kind=BATCH_TYPE) == "lb:a"
    other = {**batch, "runs": {"a": {"runId": "lb:a", "inputs": {"vid": "v0"}}}}
    assert run_id(other, item, kind=BATCH_TYPE) is None


def test_secrets_are_no_evidence() -> None:
    hidden = recorded(vid=SECRET, clientToken=SECRET)
    assert run_id(hidden, sent()) is None
    assert run_id(recorded(triggers=SECRET), sent()) is None
    assert run_id(hidden, sent(run_id="lb:1")) == "lb:1"


def test_the_names_that_a_stack_has_had_are_known() -> None:
    pending = {"scope": {**SCOPE, "stack": "before"}}
    assert StateRuns.of([(RUN_TYPE, recorded())], [(BATCH_TYPE, pending)]).stacks == {"s", "before"}


def test_a_stack_of_the_packaged_provider_is_read_alike() -> None:
    """Types and settings have one form for `runs`, `recover` and the guard."""
    config = provider(vod_endpoint="https://vod.example", vod_accessKey="a")
    pending = [creating(kind, "p", {"vid": "v"}) for kind in (RUN_TYPE, BATCH_TYPE)]
    written = export(config, *a_season(), pending=pending)
    packaged_export = packaged(written)
    assert packaged_export != written
    found, other = (
        ExportedStack.parse(json.dumps(each).encode()) for each in (written, packaged_export)
    )
    for kind in (RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE):
        [*expected] = [(item.name, item.outputs) for item in found.of_type(kind)]
        assert expected
        assert [(item.name, item.outputs) for item in other.of_type(kind)] == expected
    assert len(other.interrupted) == len(found.interrupted) == 2
    assert other.runs.runs == found.runs.runs
    assert other.setting("vod:endpoint") == "https://vod.example"
    assert other.has_setting("vod:accessKey")
