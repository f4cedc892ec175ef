"""Books and controls under `/_emulator/`: not of the VOD API, and only for this machine."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pulumi_vod_workflow.emulator.faults import Fault
from pulumi_vod_workflow.emulator.service import Service


class Clock(BaseModel):
    """Move the emulator's time forward."""

    model_config = ConfigDict(strict=True, extra="forbid")

    advanceSeconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]  # noqa: N815 - as in JSON


class Outcome(BaseModel):
    """Decide how the next `times` starts whose source contains `match` will end."""

    model_config = ConfigDict(strict=True, extra="forbid")

    status: Annotated[str, Field(min_length=1)]
    times: Annotated[int, Field(ge=1, lt=2**31)] = 1
    match: str = ""


Control = TypeVar("Control", bound=BaseModel)


def parsed(model: type[Control], parts: Mapping[str, Any]) -> Control:
    """
    Return the control that `parts` spell.

    Raises:
        ValueError: saying all that is wrong with it.

    """
    try:
        return model.model_validate(parts)
    except ValidationError as error:
        raise ValueError(
            "; ".join(
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
                for item in error.errors(include_url=False)
            )
        ) from None


def answer(service: Service, scope: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and document for a control request."""
    if not _is_local(scope):
        return 403, {"error": "the emulator's controls answer only on the loopback interface"}
    name = f"{scope['method']} {scope['path'].removeprefix('/_emulator/')}"
    if name in _BOOKS:
        return 200, _BOOKS[name](service)
    if name not in _CONTROLS:
        return 404, {"error": f"no such control; there are {', '.join([*_BOOKS, *_CONTROLS])}"}
    try:
        _CONTROLS[name](service, _document(body))
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"ok": True}


def _reset(service: Service) -> dict[str, Any]:
    service.reset()
    return {"ok": True}


_BOOKS: Final[Mapping[str, Callable[[Service], dict[str, Any]]]] = {
    "GET health": lambda _: {"ok": True},
    "GET ledger": lambda service: {"starts": service.store.ledger()},
    "GET requests": lambda service: {"counts": dict(service.counts)},
    "POST reset": _reset,
}


def move_clock(service: Service, parts: Mapping[str, Any]) -> None:
    """Move the emulator's time: see `Clock`."""
    service.store.advance(parsed(Clock, parts).advanceSeconds)


def decide_outcome(service: Service, parts: Mapping[str, Any]) -> None:
    """Decide how runs will end: see `Outcome`."""
    outcome = parsed(Outcome, parts)
    service.store.outcome(outcome.status, outcome.times, outcome.match)


def add_fault(service: Service, parts: Mapping[str, Any]) -> None:
    """Let something go wrong: see `Fault`."""
    service.store.add_fault(parsed(Fault, parts))


_CONTROLS: Final[Mapping[str, Callable[[Service, Mapping[str, Any]], None]]] = {
    "POST clock": move_clock,
    "POST outcomes": decide_outcome,
    "POST faults": add_fault,
}


def _is_local(scope: Mapping[str, Any]) -> bool:
    """Tell whether this machine asks, and no page of the web in one of its browsers."""
    peer = scope.get("client")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = re.sub(r":\d*$", "", headers.get("host", "localhost")).strip("[]")
    return "origin" not in headers and _is_loopback(host) and (not peer or _is_loopback(peer[0]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON, in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("the body must be an object of JSON")  # noqa: TRY004 - all are ValueErrors
    return document
