"""The service as an ASGI application, without a socket and without a lifespan."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from pulumi_vod_workflow.emulator import control_api, dashboard
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
"""The logger of requests, a line of JSON for each; `--access-log` shows the lines."""


MAX_ACTION_CHARS: Final = 100
"""Length of a logged Action, in characters: a client can send any text."""


class Emulator:
    """An ASGI application around one `Service`."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await receive_body(receive)
        try:
            response = await self._route(scope, body, receive)
            date = format_datetime(
                datetime.fromtimestamp(self.service.store.now(), UTC), usegmt=True
            )
        except ResetFault:
            raise  # in process the error is the broken connection
        except Exception:
            log.exception("emulator: internal error")
            response, date = HttpResponse(500, {"error": "internal error of the emulator"}), ""
        headers = {
            "content-type": "application/json",
            **({"date": date} if date else {}),
            **response.headers,
            "content-length": str(len(response.body) + response.missing_bytes),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": pairs})
        cut = bool(response.missing_bytes)
        await send({"type": "http.response.body", "body": response.body, "more_body": cut})
        if cut:
            await abort_connection(receive, after_sent_part=True)

    async def _route(self, scope: Scope, body: bytes | None, receive: Receive) -> HttpResponse:
        path = scope["path"]
        if scope["method"] == "GET" and dashboard.is_page(path) and not scope["query_string"]:
            if not control_api.is_local(scope):
                return HttpResponse(
                    403, {"error": "the pages are available on the loopback interface only"}
                )
            return dashboard.render_page(self.service, path)
        if path.startswith("/_emulator/"):
            return HttpResponse(*control_api.handle_control(self.service, scope, body or b""))
        return await self._serve(scope, body, receive)

    async def _serve(self, scope: Scope, body: bytes | None, receive: Receive) -> HttpResponse:
        began = time.perf_counter()
        metadata: dict[str, Any] = {"RequestId": _new_request_id(), "Service": "vod"}
        trace: dict[str, Any] = {"fault": None, "runId": None}
        try:
            await asyncio.sleep(self.service.next_latency())
            result = self._handle(scope, body, metadata, trace)
            if isinstance(result, ActiveFault):
                response = await apply_fault(result, receive)
            else:
                response = HttpResponse(
                    200, {"ResponseMetadata": metadata, "Result": result.result}
                )
        except ServiceError as error:
            response = _error_response(metadata, error)
        except ResetFault:
            raise  # in process the error is the broken connection
        except Exception:
            log.exception("emulator: internal error, RequestId %s", metadata["RequestId"])
            response = _error_response(metadata, ServiceError("InternalError"))
        record = _request_record(scope, metadata, response, trace, time.perf_counter() - began)
        self.service.requests.append(record)
        if access_log.isEnabledFor(logging.INFO):
            access_log.info(json.dumps(record, ensure_ascii=False))
        return response

    def _handle(
        self, scope: Scope, body: bytes | None, metadata: dict[str, Any], trace: dict[str, Any]
    ) -> CallResult | ActiveFault:
        """
        Handle a request; the checks have the order of the service's errors.

        The method fills in `metadata`, and in `trace` the fault and the run of the call.
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
        # Both times are valid: a moved emulator clock does not break signatures, nor does a client
        # that adjusts its clock to the Date header (facts 5: 900 s).
        moments = (datetime.now(UTC), datetime.fromtimestamp(service.store.now(), UTC))
        try:
            metadata["Region"] = verify_signature(request, service.keys, moments)
        except ServiceError as error:
            raise self._with_configured_code(error) from None
        service.check_rate(action)
        service.store.tick()
        parameters = request_parameters(request)
        fault = service.claim_fault(action, number)
        if fault is None:
            call = service.call(action, parameters)
            trace["runId"] = call.run_id
            return call
        if fault.when == "after":
            try:
                trace["runId"] = service.call(action, parameters).run_id
            except ServiceError:  # the request has no effect, so the fault stays
                service.store.return_fault(fault)
                raise
        trace["fault"] = f"{fault.kind}, {fault.when}"
        return fault

    def _with_configured_code(self, error: ServiceError) -> ServiceError:
        """Return the error with the settings' code and status (facts 5: the pages disagree)."""
        behaviour = self.service.behaviour
        if error.code == "InvalidTimestamp":
            return ServiceError(error.code, status=behaviour.expired_status)
        if error.code == "InvalidAccessKey":
            return ServiceError(behaviour.access_key_code, message=error.message)
        return error


def _error_response(metadata: dict[str, Any], error: ServiceError) -> HttpResponse:
    details: dict[str, Any] = {"Code": error.code, "Message": error.message}
    if error.number is not None:
        details = {"CodeN": error.number, **details}
    document = {"ResponseMetadata": {**metadata, "Error": details}}
    return HttpResponse(error.status, document, error.headers)


def _request_record(
    scope: Scope,
    metadata: dict[str, Any],
    response: HttpResponse,
    trace: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Return the log record of a request, without its parameters and signature."""
    content = response.content if isinstance(response.content, dict) else {}
    error = content.get("ResponseMetadata", {}).get("Error") or {}
    has_no_response = (trace["fault"] or "").startswith("reset")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "requestId": metadata["RequestId"],
        "method": scope["method"],
        "action": metadata.get("Action", "")[:MAX_ACTION_CHARS] or None,
        "status": None if has_no_response else response.status,
        "code": None if has_no_response else error.get("Code"),
        **trace,
        "milliseconds": round(seconds * 1000, 1),
    }


def _new_request_id() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()


def create_app(settings: EmulatorSettings | None = None) -> Emulator:
    """Return the ASGI application; use in process: `httpx.ASGITransport(app=create_app())`."""
    return Emulator(Service(settings or EmulatorSettings()))
