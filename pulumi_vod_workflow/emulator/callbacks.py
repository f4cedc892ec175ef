"""WorkflowComplete events of terminal runs, and their delivery (facts 9)."""

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

from pulumi_vod_workflow.emulator.outputs import SOURCE_SIZE, source_name, source_seconds
from pulumi_vod_workflow.emulator.service import Service, outputs_by_now
from pulumi_vod_workflow.emulator.settings import Subscription
from pulumi_vod_workflow.emulator.store import Delivery, EmulatedRun, format_time

RETRY_WAITS: Final = (5.0, 10.0, 30.0)
"""Seconds of the emulator's clock before each retry; after the last retry the event is dropped."""
ANSWER_TIMEOUT: Final = 5.0
"""Timeout of a delivery, in real seconds."""
CHECK_INTERVAL: Final = 0.05
"""Interval of the checks for due events, in real seconds."""
MAX_CONCURRENT_DELIVERIES: Final = 16
"""Number of parallel deliveries, so that a slow receiver does not delay other receivers."""

log = logging.getLogger("pulumi_vod_workflow.emulator")

_MESSAGES: Final = {"0": "success", "Terminated": "terminated by user"}


def completion_event(run: EmulatedRun) -> dict[str, Any]:
    """Return the event document of a terminal run."""
    width, height = SOURCE_SIZE
    name = source_name(run.start)
    outputs = outputs_by_now(run, run.outcome)
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
                "Duration": source_seconds(name),
                "FileName": name,
                "StoreUri": f"tos-cn-v-emulator/{name}",
            },
            "PosterUri": "",
            "TranscodeInfos": outputs.get("TranscodeInfos", []),
            "AdaptBitrateTranscodeInfos": [],
            "Snapshots": outputs.get("Snapshots", []),
            "SmartSubtitles": [],
        },
    }


def event_signature(url: str, timestamp: str, private_key: str, body: bytes) -> str:
    """Return X-VOD-SIGNATURE: a hash of the URL, the time, the key and the sent body."""
    text = "|".join((url, timestamp, private_key, base64.b64encode(body).decode()))
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - the documented algorithm (facts 9)


class CallbackDispatcher:
    """
    A thread that sends due events to their receivers.

    An emulator on a socket has a dispatcher. An emulator in a provider process has none.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="vod-callbacks")

    def start(self) -> None:
        """Start the delivery of due events."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the deliveries in progress."""
        self._stop.set()
        self._thread.join(timeout=2 * ANSWER_TIMEOUT)

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        running: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            delivery = None
            try:
                if len(running) < MAX_CONCURRENT_DELIVERIES:
                    delivery = self._service.store.claim_delivery(2 * ANSWER_TIMEOUT)
            except sqlite3.Error:
                log.exception("emulator: cannot read the due events from the store")
            if delivery is None:
                await asyncio.sleep(CHECK_INTERVAL)
                continue
            task = asyncio.create_task(self._deliver(delivery))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

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
                log.warning(
                    "emulator: dropped the event of %s after all retries", delivery.run.run_id
                )
        except Exception:
            log.exception("emulator: cannot record the delivery of an event; retrying later")

    async def _post(self, delivery: Delivery) -> bool:
        import httpx  # noqa: PLC0415 - a slow import; most emulators send no event

        receiver = Subscription.model_validate_json(delivery.subscription)
        body = json.dumps(completion_event(delivery.run), ensure_ascii=False).encode()
        headers: dict[str, str] = {"content-type": receiver.content_type}
        if receiver.private_key:
            timestamp = str(int(self._service.store.now()))
            headers["x-vod-timestamp"] = timestamp
            headers["x-vod-signature"] = event_signature(
                receiver.url, timestamp, receiver.private_key, body
            )
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT),
                httpx.AsyncClient(trust_env=False, follow_redirects=False) as client,
            ):
                response = await client.post(
                    receiver.url, content=body, headers=headers, timeout=ANSWER_TIMEOUT
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return False
        return response.status_code == httpx.codes.OK
