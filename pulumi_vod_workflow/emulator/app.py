"""The service as an ASGI application: bytes in, its envelope out. No socket, no lifespan."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from pulumi_vod_workflow.emulator import control
from pulumi_vod_workflow.emulator.errors import Refusal
from pulumi_vod_workflow.emulator.faults import Happening, ResetFault, happen
from pulumi_vod_workflow.emulator.service import EmulatorSettings, Service
from pulumi_vod_workflow.emulator.verify import verify
from pulumi_vod_workflow.emulator.wire import (
    VERSIONS,
    Answer,
    Receive,
    Scope,
    Send,
    read,
    receive_body,
)

log = logging.getLogger("pulumi_vod_workflow.emulator")


class Emulator:
    """The application around one `Service`."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await receive_body(receive)
        if scope["path"].startswith("/_emulator/"):
            status, document = control.answer(self.service, scope, body or b"")
            answer = Answer(status, document)
        else:
            answer = await self._serve(scope, body, receive)
        moment = datetime.fromtimestamp(self.service.store.now(), UTC)
        headers = {
            "content-type": "application/json",
            "date": format_datetime(moment, usegmt=True),
            **answer.headers,
            "content-length": str(len(answer.body)),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})

    async def _serve(self, scope: Scope, body: bytes | None, receive: Receive) -> Answer:
        metadata: dict[str, Any] = {"RequestId": _request_id(), "Service": "vod"}
        try:
            done = self._answer(scope, body, metadata)
            if isinstance(done, Happening):
                return await happen(done, receive)
        except Refusal as refusal:
            return _refused(metadata, refusal)
        except ResetFault:
            raise  # in process this is how a connection breaks
        except Exception:
            log.exception("emulator: a defect of its own, at request %s", metadata["RequestId"])
            return _refused(metadata, Refusal("InternalError"))
        return Answer(200, {"ResponseMetadata": metadata, "Result": done})

    def _answer(
        self, scope: Scope, body: bytes | None, metadata: dict[str, Any]
    ) -> Mapping[str, Any] | Happening:
        """Do what is asked for, in the order in which the service refuses; fill in `metadata`."""
        service = self.service
        request, called, parameters = read(scope, body)
        action, version = called.get("Action", ""), called.get("Version", "")
        metadata |= {"Action": action, "Version": version}
        service.count(action)
        for name in ("Action", "Version"):
            if not called.get(name):
                raise Refusal("MissingParameter", name)
        if VERSIONS.get(action) != version:
            raise Refusal("InvalidActionOrVersion", action, version)
        # Either time is good, so that neither moving the emulator's clock nor a client that takes
        # over its Date breaks signing.
        moments = (datetime.now(UTC), datetime.fromtimestamp(service.store.now(), UTC))
        metadata["Region"] = verify(request, service.keys, moments)
        service.limit(action)
        fault = service.store.take_fault(action)
        if fault is None:
            return service.call(action, parameters)
        if fault.when == "after":
            try:
                service.call(action, parameters)
            except Refusal:  # it took no effect: the fault is still to come
                service.store.give_back(fault)
                raise
        return fault


def _refused(metadata: dict[str, Any], refusal: Refusal) -> Answer:
    error: dict[str, Any] = {"Code": refusal.code, "Message": refusal.message}
    if refusal.number is not None:
        error = {"CodeN": refusal.number, **error}
    document = {"ResponseMetadata": {**metadata, "Error": error}}
    return Answer(refusal.status, document, refusal.headers)


def _request_id() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()


def create_app(settings: EmulatorSettings | None = None) -> Emulator:
    """Return the ASGI application; in process: `httpx.ASGITransport(app=create_app())`."""
    return Emulator(Service(settings or EmulatorSettings()))
