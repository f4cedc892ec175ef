"""Books and controls under `/_emulator/`: not of the VOD API, and only for this machine."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pulumi_vod_workflow.emulator.faults import Fault

if TYPE_CHECKING:
    from pulumi_vod_workflow.emulator.app import Emulator


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


def answer(emulator: Emulator, scope: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and document for a control request."""
    peer = scope.get("client")
    if peer and not _is_loopback(peer[0]):
        return 403, {"error": "the emulator's controls answer only on the loopback interface"}
    name = f"{scope['method']} {scope['path'].removeprefix('/_emulator/')}"
    if name in _BOOKS:
        return 200, _BOOKS[name](emulator)
    if name not in _CONTROLS:
        return 404, {"error": f"no such control; there are {', '.join([*_BOOKS, *_CONTROLS])}"}
    try:
        _CONTROLS[name](emulator, _document(body))
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"ok": True}


def _reset(emulator: Emulator) -> dict[str, Any]:
    emulator.reset()
    return {"ok": True}


_BOOKS: Final[Mapping[str, Callable[[Emulator], dict[str, Any]]]] = {
    "GET health": lambda _: {"ok": True},
    "GET ledger": lambda emulator: {"starts": emulator.store.ledger()},
    "GET requests": lambda emulator: {"counts": dict(emulator.counts)},
    "POST reset": _reset,
}


def move_clock(emulator: Emulator, parts: Mapping[str, Any]) -> None:
    """Move the emulator's time: see `Clock`."""
    emulator.store.advance(parsed(Clock, parts).advanceSeconds)


def decide_outcome(emulator: Emulator, parts: Mapping[str, Any]) -> None:
    """Decide how runs will end: see `Outcome`."""
    outcome = parsed(Outcome, parts)
    emulator.store.outcome(outcome.status, outcome.times, outcome.match)


def add_fault(emulator: Emulator, parts: Mapping[str, Any]) -> None:
    """Let something go wrong: see `Fault`."""
    emulator.faults.add(parsed(Fault, parts))


_CONTROLS: Final[Mapping[str, Callable[[Emulator, Mapping[str, Any]], None]]] = {
    "POST clock": move_clock,
    "POST outcomes": decide_outcome,
    "POST faults": add_fault,
}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON, in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("the body must be an object of JSON")  # noqa: TRY004 - all are ValueErrors
    return document
