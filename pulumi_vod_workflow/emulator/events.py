"""WorkflowComplete events: what is told of a run that has ended, and who carries it (facts 9)."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
import threading
from types import TracebackType
from typing import Any, Final, Self

import httpx

from pulumi_vod_workflow.emulator.outputs import SOURCE_SECONDS, SOURCE_SIZE, source_name
from pulumi_vod_workflow.emulator.service import Service, produced
from pulumi_vod_workflow.emulator.settings import Subscription
from pulumi_vod_workflow.emulator.store import Delivery, Run, iso

WAITS: Final = (5.0, 10.0, 30.0)
"""Seconds of the emulator's clock before each retry; after the last an event is dropped."""
PATIENCE: Final = 5.0
"""Real seconds that a receiver may take."""
GLANCE: Final = 0.05
"""Real seconds between two looks for an event that is due."""

log = logging.getLogger("pulumi_vod_workflow.emulator")

_MESSAGES: Final = {"0": "success", "Terminated": "terminated by user"}


def event(run: Run) -> dict[str, Any]:
    """Return the document that is sent for a run that has ended."""
    width, height = SOURCE_SIZE
    name = source_name(run.start)
    made = produced(run, run.outcome)
    return {
        "RequestId": secrets.token_hex(16),
        "Version": "1.0",
        "EventType": "WorkflowComplete",
        "EventTime": iso(run.ended),
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


def signature(url: str, timestamp: str, private_key: str, body: bytes) -> str:
    """Return X-VOD-SIGNATURE: over the URL, the time, the key and the body as it is sent."""
    text = "|".join((url, timestamp, private_key, base64.b64encode(body).decode()))
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - as documented


class Courier:
    """
    Carries events that are due to their subscribers, in a thread of its own.

    The emulator has one wherever it has a socket; embedded in a provider it has none.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="vod-courier")
        self._http = httpx.Client(timeout=PATIENCE, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, after the event that is on its way."""
        self._stop.set()
        self._thread.join(timeout=2 * PATIENCE)
        self._http.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            delivery = self._service.store.take_delivery(2 * PATIENCE)
            if delivery is None:
                self._stop.wait(GLANCE)
            else:
                self._carry(delivery)

    def _carry(self, delivery: Delivery) -> None:
        store = self._service.store
        if self._taken(delivery):
            store.delivered(delivery.number)
            return
        attempts = delivery.attempts
        wait = WAITS[attempts] if attempts < len(WAITS) else None
        store.undelivered(delivery.number, wait)
        if wait is None:
            log.warning("emulator: the event of %s is dropped", delivery.run.run_id)

    def _taken(self, delivery: Delivery) -> bool:
        to = Subscription.model_validate_json(delivery.subscription)
        body = json.dumps(event(delivery.run), ensure_ascii=False).encode()
        headers: dict[str, str] = {"content-type": to.content_type}
        if to.private_key:
            timestamp = str(int(self._service.store.now()))
            headers["x-vod-timestamp"] = timestamp
            headers["x-vod-signature"] = signature(to.url, timestamp, to.private_key, body)
        try:
            answer = self._http.post(to.url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK
