"""Data and controls under `/_emulator/`: not part of the VOD API, for this machine only."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from pulumi_vod_workflow.emulator.faults import Fault
from pulumi_vod_workflow.emulator.service import Service
from pulumi_vod_workflow.emulator.settings import Model, Moment, Rule, parse_model


class Clock(Model):
    """Settings of the emulator's clock."""

    advance_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    to: Moment | None = None
    """The new time, with a UTC offset; not before the emulator's time."""
    speed: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """Emulated seconds in one real second; 0 stops the clock."""
    step_seconds: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """Emulated seconds that each request of the API adds."""


class Outcome(Model):
    """The last status of the next `times` starts with `match` in the name of their source."""

    status: str
    times: Annotated[int, Field(ge=1, lt=2**31)] = 1
    match: str = ""

    @property
    def rule(self) -> Rule:
        """The rule with the same effect."""
        literal = re.sub(r"([*?\[])", r"[\1]", self.match)
        return parse_model(Rule, {"status": self.status, "source": f"*{literal}*"})


def handle_control(
    service: Service, scope: Mapping[str, Any], body: bytes
) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the document of a control request."""
    if not is_local(scope):
        return 403, {"error": "the controls are available on the loopback interface only"}
    name = f"{scope['method']} {scope['path'].removeprefix('/_emulator/')}"
    if name in READ_ROUTES:
        return 200, READ_ROUTES[name](service)
    if name not in WRITE_ROUTES:
        return 404, {
            "error": f"unknown control; the controls: {', '.join([*READ_ROUTES, *WRITE_ROUTES])}"
        }
    try:
        WRITE_ROUTES[name](service, _read_document(body))
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"ok": True}


def _reset_all(service: Service) -> dict[str, Any]:
    service.reset()
    return {"ok": True}


def _shown_settings(service: Service) -> dict[str, Any]:
    shown = service.behaviour.model_dump(mode="json", by_alias=True)
    for subscription in shown["subscriptions"]:
        subscription["privateKey"] = "set" if subscription["privateKey"] else None
    return shown


READ_ROUTES: Final[Mapping[str, Callable[[Service], dict[str, Any]]]] = {
    "GET health": lambda _: {"ok": True},
    "GET ledger": lambda service: {"starts": service.store.ledger()},
    "GET requests": lambda service: {"counts": dict(service.counts)},
    "GET events": lambda service: {"events": service.store.deliveries()},
    "GET settings": _shown_settings,
    "POST reset": _reset_all,
}


def move_clock(service: Service, parts: Mapping[str, Any]) -> None:
    """Move or change the emulator's clock: see `Clock`."""
    clock = parse_model(Clock, parts)
    if not parts:
        raise ValueError("must have advanceSeconds, to, speed or stepSeconds")
    service.store.set_clock(
        advance=clock.advance_seconds,
        to=clock.to.timestamp() if clock.to else None,
        speed=clock.speed,
        step=clock.step_seconds,
    )


def add_outcome(service: Service, parts: Mapping[str, Any]) -> None:
    """Set the outcome of later starts: see `Outcome`."""
    outcome = parse_model(Outcome, parts)
    service.store.add_outcome(outcome.rule.model_dump_json(by_alias=True), outcome.times)


def add_fault(service: Service, parts: Mapping[str, Any]) -> None:
    """Add a fault: see `Fault`."""
    service.store.add_fault(parse_model(Fault, parts))


def change_settings(service: Service, parts: Mapping[str, Any]) -> None:
    """Change settings: see `settings.Behaviour`."""
    service.change_settings(parts)


WRITE_ROUTES: Final[Mapping[str, Callable[[Service, Mapping[str, Any]], None]]] = {
    "POST clock": move_clock,
    "POST outcomes": add_outcome,
    "POST faults": add_fault,
    "POST settings": change_settings,
}


def is_local(scope: Mapping[str, Any]) -> bool:
    """
    Return whether a request is from this machine, and not from a web page in its browser.

    In a browser's POST, `Origin` names the site of the page: only the emulator's pages may send
    one. `Host` shows the name of another site whose DNS record points to this machine.
    """
    peer = scope.get("client")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "localhost")
    is_same_site = headers.get("origin") in {None, f"http://{host}"}
    name = re.sub(r":\d*$", "", host).strip("[]")
    return is_same_site and _is_loopback(name) and (not peer or _is_loopback(peer[0]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - all are ValueErrors
    return document
