"""Exports of stacks, as `pulumi stack export` writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pulumi_vod_workflow.core.property_marks import SECRET_SIGNATURE, SIGNATURE
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    DYNAMIC_PROVIDER_TYPE,
    PACKAGED_PROVIDER_TYPE,
    PACKAGED_TYPES,
    RUN_TYPE,
)

NOW = datetime(2026, 5, 6, 8, 0, 0, tzinfo=UTC)
SECRET = {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "v1:sealed:cipher"}


def at(minutes: float) -> str:
    """A moment so many minutes before NOW, as the service spells it."""
    return f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def resource(kind: str, name: str, outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::shop::{kind}::{name}"
    return {"urn": urn, "custom": True, "type": kind, "inputs": {}, "outputs": outputs, **more}


def run(name: str, run_id: Any, phase: str, status: str = "", **outputs: Any) -> dict[str, Any]:
    told = {"runId": run_id, "phase": phase, **outputs}
    if status:
        told["status"] = status
    return resource(RUN_TYPE, name, told)


def batch(name: str, runs: dict[str, Any], **outputs: Any) -> dict[str, Any]:
    items = {key: {"vid": key} for key in runs}
    common = {"region": "cn-north-1", "endpoint": "https://vod.example"}
    told = {"items": items, "runs": runs, "rejected": {}, "unclear": {}, **common, **outputs}
    return resource(BATCH_TYPE, name, told)


def completion(name: str, results: Any, **outputs: Any) -> dict[str, Any]:
    return resource(COMPLETION_TYPE, name, {"results": results, **outputs})


def provider(**config: Any) -> dict[str, Any]:
    """The resource that holds the stack's configuration."""
    inputs = {key.replace("_", ":"): value for key, value in config.items()}
    return {**resource(DYNAMIC_PROVIDER_TYPE, "default", {}), "inputs": inputs}


def creating(kind: str, name: str, inputs: dict[str, Any], doing: str = "creating") -> Any:
    """A note of what an update had begun."""
    scope = {"project": "shop", "stack": "dev", "name": name}
    inputs = {"__provider": "gASV", "scope": scope, **inputs}
    return {"type": doing, "resource": {**resource(kind, name, {}), "inputs": inputs}}


def packaged(stack: Any) -> Any:
    """Return a stack, or a part of it, as the packaged provider writes it."""
    text = json.dumps(stack)
    for dynamic, token in PACKAGED_TYPES.items():
        text = text.replace(dynamic, token)
    text = text.replace(DYNAMIC_PROVIDER_TYPE, PACKAGED_PROVIDER_TYPE).replace('"vod:', '"')
    return json.loads(text.replace('"index:', '"vod:index:'))


def export(*resources: Any, pending: Any = None, minutes: float = 1) -> dict[str, Any]:
    return {
        "version": 3,
        "deployment": {
            "manifest": {"time": at(minutes)},
            "resources": list(resources),
            "pending_operations": pending,
        },
    }


def written(path: Path, *resources: Any, **more: Any) -> str:
    path.write_text(json.dumps(export(*resources, **more)))
    return str(path)


def transcode(uri: Any, height: int = 720, size: int = 86_400_000) -> dict[str, Any]:
    return {
        "fileType": "video",
        "format": "mp4",
        "size": size,
        "duration": 1432.5,
        "storeUri": uri,
        "videoStreamMeta": {"codec": "h264", "width": height * 16 // 9, "height": height},
        "audioStreamMeta": {"codec": "aac"},
    }


def sample(count: int) -> dict[str, Any]:
    uris = [f"tos://tos-cn-v-1f2a9c/snapshots/s01/frame_{n:03}.jpg" for n in range(count)]
    files = {"format": "jpg", "width": 480, "height": 270, "storeUris": uris, "captureNum": count}
    return {"type": "Sample", "sample": files}


def a_large_batch(count: int) -> list[dict[str, Any]]:
    """A batch whose items have ended, but for each tenth; with its wait, which has a file each."""
    ids = [f"s{number // 100:03}e{number % 100:02}" for number in range(count)]
    items: dict[str, Any] = {}
    for number, key in enumerate(ids):
        going, failed = number % 10 == 1, number % 10 == 2
        made = 60 * 24 * 3 - number / 30
        ended = {} if going else {"endTime": at(made - 30)}
        items[key] = {
            "runId": f"lb:{number:032x}",
            "phase": "running" if going else "failed" if failed else "succeeded",
            "status": "Running" if going else "2003" if failed else "0",
            "createTime": at(made),
            "startTime": at(made - 20),
            **ended,
        }
    results = {
        key: {**item, "transcodes": [transcode(f"tos://bucket/episodes/{key}/1080p.mp4")]}
        for key, item in items.items()
        if item["phase"] == "succeeded"
    }
    workflow = {"templateId": "06853553c4d3402698a17ff5dff87fd7"}
    return [batch("many", items, defaults=workflow), completion("many-done", results)]


def a_season() -> list[dict[str, Any]]:
    """A stack of every phase, as it might be."""
    old = "older than the 30 days for which the service answers; what is recorded is last read"
    ids = iter(f"lb:9c5b7{n:02d}e4d3402698a17ff5dff87f" for n in range(30))

    def times(made: float, started: float, ended: float | None = None) -> dict[str, Any]:
        told = {"submittedAt": at(made), "createTime": at(made), "startTime": at(started)}
        return told | ({"endTime": at(ended)} if ended is not None else {})

    done = {
        f"s01e0{n}": {"runId": next(ids), "phase": "succeeded", "status": "0",
                      **times(50 - n, 48 - n * 0.8, 30 - n * 4)}
        for n in range(1, 5)
    }  # fmt: skip
    failed = {
        "s01e05": {"runId": next(ids), "phase": "failed", "status": "2003", **times(44, 40, 5),
                   "statusReason": "2003: transcoding timed out; a rerun can help, and is paid "
                   "again"},
    }  # fmt: skip
    folder = "tos://tos-cn-v-1f2a9c/episodes"
    results = {
        key: {
            **item,
            "statusReason": "0: finished without an unhandled exception",
            "transcodes": [
                transcode(f"{folder}/{key}/{height}p.mp4", height, height * height * 90)
                for height in (1080, 720, 360)
            ],
            "snapshots": [sample(12)],
        }
        for key, item in done.items()
    }
    return [
        run("trailer", next(ids), "running", "Running", **times(12, 10),
            tasks=[{"progress": 62}, {"progress": 35}]),
        run("teaser", next(ids), "pending", "PendingStart", createTime=at(3)),
        run("poster-only", next(ids), "succeeded", "0", **times(58, 57.5, 57),
            snapshots=[{"type": "Poster", "poster": {"format": "webp", "width": 1920,
                        "height": 1080, "storeUri": "tos://tos-cn-v-1f2a9c/poster.webp"}}],
            transcodes=[]),
        run("making-of", next(ids), "failed", "1003", **times(41, 40, 39.5),
            statusReason="1003: the source could not be downloaded (user side); a repeat alone "
            "does not help"),
        run("stopped", next(ids), "terminated", "Terminated", **times(33, 31, 24)),
        run("old", next(ids), "expired", "0", createTime=at(59),
            statusReason=old),
        run("confidential", next(ids), "succeeded", "0", **times(29, 28, 12), secretInputs=True,
            transcodes=SECRET, snapshots=SECRET, tasks=SECRET),
        batch("episodes", {**done, **failed},
              rejected={"s01e06": "StartWorkflow: the service answered InvalidParameter"},
              unclear={"s01e07": "StartWorkflow: no answer in time"}),
        completion("episodes-done", results),
    ]  # fmt: skip
