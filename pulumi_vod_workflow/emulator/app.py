"""The service as an ASGI application: bytes in, its envelope out. No socket, no lifespan."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from pulumi_vod_workflow.emulator import control_api as control
from pulumi_vod_workflow.emulator import dashboard as page
from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.faults import (
    ActiveFault,
    ResetFault,
    abort_connection,
    apply_fault,
)
from pulumi_vod_workflow.emulator.http import (
    VERSIONS,
    HttpResponse,
    Receive,
    Scope,
    Send,
    read_request,
    receive_body,
    request_parameters,
)
from pulumi_vod_workflow.emulator.service import CallResult, Service
from pulumi_vod_workflow.emulator.settings import EmulatorSettings
from pulumi_vod_workflow.emulator.signature import verify_signature

log = logging.getLogger("pulumi_vod_workflow.emulator")
access_log = logging.getLogger("pulumi_vod_workflow.emulator.access")
"""A line of JSON for each request of the API; `--access-log` shows it."""


MAX_ACTION_CHARS: Final = 100
"""Characters of an Action that are kept of a request: there may be anything in it."""


class Emulator:
    """The application around one `Service`."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await receive_body(receive)
        try:
            answer = await self._route(scope, body, receive)
            date = format_datetime(
                datetime.fromtimestamp(self.service.store.now(), UTC), usegmt=True
            )
        except ResetFault:
            raise  # in process this is how a connection breaks
        except Exception:
            log.exception("emulator: a defect of its own")
            answer, date = HttpResponse(500, {"error": "a defect of the emulator"}), ""
        headers = {
            "content-type": "application/json",
            **({"date": date} if date else {}),
            **answer.headers,
            "content-length": str(len(answer.body) + answer.missing_bytes),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        cut = bool(answer.missing_bytes)
        await send({"type": "http.response.body", "body": answer.body, "more_body": cut})
        if cut:
            await abort_connection(receive, with_what_is_sent=True)

    async def _route(self, scope: Scope, body: bytes | None, receive: Receive) -> HttpResponse:
        path = scope["path"]
        if scope["method"] == "GET" and page.is_page(path) and not scope["query_string"]:
            if not control.is_local(scope):
                return HttpResponse(
                    403, {"error": "the books are shown on the loopback interface only"}
                )
            return page.render_page(self.service, path)
        if path.startswith("/_emulator/"):
            return HttpResponse(*control.handle_control(self.service, scope, body or b""))
        return await self._serve(scope, body, receive)

    async def _serve(self, scope: Scope, body: bytes | None, receive: Receive) -> HttpResponse:
        began = time.perf_counter()
        metadata: dict[str, Any] = {"RequestId": _new_request_id(), "Service": "vod"}
        noted: dict[str, Any] = {"fault": None, "runId": None}
        try:
            await asyncio.sleep(self.service.next_latency())
            done = self._handle(scope, body, metadata, noted)
            if isinstance(done, ActiveFault):
                answer = await apply_fault(done, receive)
            else:
                answer = HttpResponse(200, {"ResponseMetadata": metadata, "Result": done.result})
        except ServiceError as refusal:
            answer = _error_response(metadata, refusal)
        except ResetFault:
            raise  # in process this is how a connection breaks
        except Exception:
            log.exception("emulator: a defect of its own, at request %s", metadata["RequestId"])
            answer = _error_response(metadata, ServiceError("InternalError"))
        record = _request_record(scope, metadata, answer, noted, time.perf_counter() - began)
        self.service.requests.append(record)
        if access_log.isEnabledFor(logging.INFO):
            access_log.info(json.dumps(record, ensure_ascii=False))
        return answer

    def _handle(
        self, scope: Scope, body: bytes | None, metadata: dict[str, Any], noted: dict[str, Any]
    ) -> CallResult | ActiveFault:
        """
        Do what is asked for, in the order in which the service refuses.

        Fills in `metadata`, and in `noted` the fault that happens and the run of the call.
        """
        service = self.service
        request = read_request(scope, body)
        query = dict(request.query)
        action, version = query.get("Action", ""), query.get("Version", "")
        metadata |= {"Action": action, "Version": version}
        for name in ("Action", "Version"):
            if not query.get(name):
                raise ServiceError("MissingParameter", name)
        if VERSIONS.get(action) != version:
            raise ServiceError("InvalidActionOrVersion", action, version)
        number = service.count_request(action)
        # Either time is good, so that neither moving the emulator's clock nor a client that takes
        # over its Date breaks signing.
        moments = (datetime.now(UTC), datetime.fromtimestamp(service.store.now(), UTC))
        try:
            metadata["Region"] = verify_signature(request, service.keys, moments)
        except ServiceError as refusal:
            raise self._with_configured_code(refusal) from None
        service.check_rate(action)
        service.store.tick()
        parameters = request_parameters(request)
        fault = service.claim_fault(action, number)
        if fault is None:
            call = service.call(action, parameters)
            noted["runId"] = call.run_id
            return call
        if fault.when == "after":
            try:
                noted["runId"] = service.call(action, parameters).run_id
            except ServiceError:  # it took no effect: the fault is still to come
                service.store.return_fault(fault)
                raise
        noted["fault"] = f"{fault.kind}, {fault.when}"
        return fault

    def _with_configured_code(self, refusal: ServiceError) -> ServiceError:
        """Refuse as the one or the other of the pages has it."""
        behaviour = self.service.behaviour
        if refusal.code == "InvalidTimestamp":
            return ServiceError(refusal.code, status=behaviour.expired_status)
        if refusal.code == "InvalidAccessKey":
            return ServiceError(behaviour.access_key_code, message=refusal.message)
        return refusal


def _error_response(metadata: dict[str, Any], refusal: ServiceError) -> HttpResponse:
    error: dict[str, Any] = {"Code": refusal.code, "Message": refusal.message}
    if refusal.number is not None:
        error = {"CodeN": refusal.number, **error}
    document = {"ResponseMetadata": {**metadata, "Error": error}}
    return HttpResponse(refusal.status, document, refusal.headers)


def _request_record(
    scope: Scope,
    metadata: dict[str, Any],
    answer: HttpResponse,
    noted: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Return what is kept of a request: nothing of its parameters or its signature."""
    content = answer.content if isinstance(answer.content, dict) else {}
    error = content.get("ResponseMetadata", {}).get("Error") or {}
    unanswered = (noted["fault"] or "").startswith("reset")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "requestId": metadata["RequestId"],
        "method": scope["method"],
        "action": metadata.get("Action", "")[:MAX_ACTION_CHARS] or None,
        "status": None if unanswered else answer.status,
        "code": None if unanswered else error.get("Code"),
        **noted,
        "milliseconds": round(seconds * 1000, 1),
    }


def _new_request_id() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()


def create_app(settings: EmulatorSettings | None = None) -> Emulator:
    """Return the ASGI application; in process: `httpx.ASGITransport(app=create_app())`."""
    return Emulator(Service(settings or EmulatorSettings()))
