"""Books and controls under `/_emulator/`: not of the VOD API, and only for this machine."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.emulator.faults import Fault

if TYPE_CHECKING:
    from pulumi_vod_workflow.emulator.app import Emulator


def answer(emulator: Emulator, scope: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and document for a control request."""
    peer = scope.get("client")
    if peer and not _is_loopback(peer[0]):
        return 403, {"error": "the emulator's controls answer only on the loopback interface"}
    name = f"{scope['method']} {scope['path'].removeprefix('/_emulator/')}"
    if name not in _CONTROLS:
        return 404, {"error": f"no such control; there are {', '.join(_CONTROLS)}"}
    try:
        document = _document(body) if name in _WITH_BODY else {}
        return 200, _CONTROLS[name](emulator, document)
    except ValueError as error:
        return 400, {"error": str(error)}


def _ledger(emulator: Emulator, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"starts": emulator.store.ledger()}


def _reset(emulator: Emulator, _: Mapping[str, Any]) -> dict[str, Any]:
    emulator.reset()
    return {"ok": True}


def _clock(emulator: Emulator, document: Mapping[str, Any]) -> dict[str, Any]:
    _only(document, {"advanceSeconds"})
    seconds = document.get("advanceSeconds")
    if type(seconds) not in {int, float}:
        raise ValueError("advanceSeconds must be a number")
    emulator.store.advance(seconds)
    return {"ok": True}


def _outcomes(emulator: Emulator, document: Mapping[str, Any]) -> dict[str, Any]:
    _only(document, {"status", "times", "match"})
    status, times, match = document.get("status"), document.get("times", 1), document.get("match")
    emulator.store.outcome(status, times, "" if match is None else match)
    return {"ok": True}


def _faults(emulator: Emulator, document: Mapping[str, Any]) -> dict[str, Any]:
    add_fault(emulator, **document)
    return {"ok": True}


_CONTROLS: Final[Mapping[str, Callable[[Emulator, Mapping[str, Any]], dict[str, Any]]]] = {
    "GET health": lambda _, __: {"ok": True},
    "GET ledger": _ledger,
    "GET requests": lambda emulator, _: {"counts": dict(emulator.counts)},
    "POST reset": _reset,
    "POST clock": _clock,
    "POST outcomes": _outcomes,
    "POST faults": _faults,
}
_WITH_BODY: Final = frozenset({"POST clock", "POST outcomes", "POST faults"})


def add_fault(emulator: Emulator, **parts: Any) -> None:
    """
    Add a fault.

    Raises:
        ValueError: saying what is wrong with it.

    """
    known = {item.name for item in fields(Fault)}
    unknown = sorted(set(parts) - known)
    if unknown or not {"action", "kind"} <= set(parts):
        raise ValueError(f"a fault has action, kind and of {', '.join(sorted(known))}")
    fault = Fault(**parts)
    problem = fault.problem()
    if problem:
        raise ValueError(problem)
    emulator.faults.add(fault)


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


def _only(document: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(document) - known)
    if unknown:
        raise ValueError(f"there is no {', '.join(unknown)}; there is {', '.join(sorted(known))}")
