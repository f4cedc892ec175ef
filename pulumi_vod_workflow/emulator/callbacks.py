"""WorkflowComplete events: what is told of a run that has ended, and who carries it (facts 9)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import secrets
import sqlite3
import threading
from typing import Any, Final

from pulumi_vod_workflow.emulator.outputs import SOURCE_SECONDS, SOURCE_SIZE, source_name
from pulumi_vod_workflow.emulator.service import Service, outputs_by_now
from pulumi_vod_workflow.emulator.settings import Subscription
from pulumi_vod_workflow.emulator.store import Delivery, EmulatedRun, format_time

RETRY_WAITS: Final = (5.0, 10.0, 30.0)
"""Seconds of the emulator's clock before each retry; after the last an event is dropped."""
ANSWER_TIMEOUT: Final = 5.0
"""Real seconds that a receiver may take in all."""
CHECK_INTERVAL: Final = 0.05
"""Real seconds between two looks for an event that is due."""
MAX_CONCURRENT_DELIVERIES: Final = 16
"""Events under way, so that a slow subscriber does not hold up the others."""

log = logging.getLogger("pulumi_vod_workflow.emulator")

_MESSAGES: Final = {"0": "success", "Terminated": "terminated by user"}


def completion_event(run: EmulatedRun) -> dict[str, Any]:
    """Return the document that is sent for a run that has ended."""
    width, height = SOURCE_SIZE
    name = source_name(run.start)
    made = outputs_by_now(run, run.outcome)
    return {
        "RequestId": secrets.token_hex(16),
        "Version": "1.0",
        "EventType": "WorkflowComplete",
        "EventTime": format_time(run.ended),
        "Data": {
            "Code": run.outcome,
            "Message": _MESSAGES.get(run.outcome, f"workflow failed with {run.outcome}"),
            "Vid": run.start.get("Vid", ""),
            "RunId": run.run_id,
            "SpaceName": run.space,
            "TemplateId": run.start["TemplateId"],
            "CallbackArgs": run.start.get("CallbackArgs", ""),
            "SourceInfo": {
                "FileType": "video",
                "Codec": "h264",
                "Height": height,
                "Width": width,
                "Format": "MP4",
                "Duration": SOURCE_SECONDS,
                "FileName": name,
                "StoreUri": f"tos-cn-v-emulator/{name}",
            },
            "PosterUri": "",
            "TranscodeInfos": made.get("TranscodeInfos", []),
            "AdaptBitrateTranscodeInfos": [],
            "Snapshots": made.get("Snapshots", []),
            "SmartSubtitles": [],
        },
    }


def event_signature(url: str, timestamp: str, private_key: str, body: bytes) -> str:
    """Return X-VOD-SIGNATURE: over the URL, the time, the key and the body as it is sent."""
    text = "|".join((url, timestamp, private_key, base64.b64encode(body).decode()))
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - as documented


class CallbackDispatcher:
    """
    Carries events that are due to their subscribers, in a thread of its own.

    The emulator has one wherever it has a socket; embedded in a provider it has none.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="vod-courier")

    def start(self) -> None:
        """Begin to watch for events that are due."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the events that are on their way."""
        self._stop.set()
        self._thread.join(timeout=2 * ANSWER_TIMEOUT)

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            delivery = None
            try:
                if len(under_way) < MAX_CONCURRENT_DELIVERIES:
                    delivery = self._service.store.claim_delivery(2 * ANSWER_TIMEOUT)
            except sqlite3.Error:
                log.exception("emulator: the store does not tell which events are due")
            if delivery is None:
                await asyncio.sleep(CHECK_INTERVAL)
                continue
            task = asyncio.create_task(self._deliver(delivery))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _deliver(self, delivery: Delivery) -> None:
        store = self._service.store
        try:
            if await self._post(delivery):
                store.mark_delivered(delivery)
                return
            attempts = delivery.attempts
            wait = RETRY_WAITS[attempts] if attempts < len(RETRY_WAITS) else None
            store.mark_undelivered(delivery, wait)
            if wait is None:
                log.warning("emulator: the event of %s is dropped", delivery.run.run_id)
        except Exception:
            log.exception("emulator: an event could not be carried; it will be taken again")

    async def _post(self, delivery: Delivery) -> bool:
        import httpx  # noqa: PLC0415 - most emulators never send an event, and start sooner so

        to = Subscription.model_validate_json(delivery.subscription)
        body = json.dumps(completion_event(delivery.run), ensure_ascii=False).encode()
        headers: dict[str, str] = {"content-type": to.content_type}
        if to.private_key:
            timestamp = str(int(self._service.store.now()))
            headers["x-vod-timestamp"] = timestamp
            headers["x-vod-signature"] = event_signature(to.url, timestamp, to.private_key, body)
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT),
                httpx.AsyncClient(trust_env=False, follow_redirects=False) as client,
            ):
                answer = await client.post(
                    to.url, content=body, headers=headers, timeout=ANSWER_TIMEOUT
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return False
        return answer.status_code == httpx.codes.OK
