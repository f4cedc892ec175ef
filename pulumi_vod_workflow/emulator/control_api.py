"""Books and controls under `/_emulator/`: not of the VOD API, and only for this machine."""

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
    """Move the emulator's time forward, and say how it goes on."""

    advance_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    to: Moment | None = None
    """With its offset; not before the emulator's now."""
    speed: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """Of its seconds in one real second; 0 freezes it."""
    step_seconds: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """By how much each request of the API moves it."""


class Outcome(Model):
    """Decide how the next `times` starts whose source contains `match` will end."""

    status: str
    times: Annotated[int, Field(ge=1, lt=2**31)] = 1
    match: str = ""

    @property
    def rule(self) -> Rule:
        """The same as a rule."""
        literal = re.sub(r"([*?\[])", r"[\1]", self.match)
        return parse_model(Rule, {"status": self.status, "source": f"*{literal}*"})


def handle_control(
    service: Service, scope: Mapping[str, Any], body: bytes
) -> tuple[int, dict[str, Any]]:
    """Return the status and document for a control request."""
    if not is_local(scope):
        return 403, {"error": "the emulator's controls answer only on the loopback interface"}
    name = f"{scope['method']} {scope['path'].removeprefix('/_emulator/')}"
    if name in READ_ROUTES:
        return 200, READ_ROUTES[name](service)
    if name not in WRITE_ROUTES:
        return 404, {
            "error": f"no such control; there are {', '.join([*READ_ROUTES, *WRITE_ROUTES])}"
        }
    try:
        WRITE_ROUTES[name](service, _read_document(body))
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"ok": True}


def reset_all(service: Service) -> dict[str, Any]:
    service.reset()
    return {"ok": True}


def shown_settings(service: Service) -> dict[str, Any]:
    shown = service.behaviour.model_dump(mode="json", by_alias=True)
    for subscription in shown["subscriptions"]:
        subscription["privateKey"] = "set" if subscription["privateKey"] else None
    return shown


READ_ROUTES: Final[Mapping[str, Callable[[Service], dict[str, Any]]]] = {
    "GET health": lambda _: {"ok": True},
    "GET ledger": lambda service: {"starts": service.store.ledger()},
    "GET requests": lambda service: {"counts": dict(service.counts)},
    "GET events": lambda service: {"events": service.store.deliveries()},
    "GET settings": shown_settings,
    "POST reset": reset_all,
}


def move_clock(service: Service, parts: Mapping[str, Any]) -> None:
    """Move the emulator's time: see `Clock`."""
    clock = parse_model(Clock, parts)
    if not parts:
        raise ValueError("there is advanceSeconds, to, speed and stepSeconds")
    service.store.set_clock(
        advance=clock.advance_seconds,
        to=clock.to.timestamp() if clock.to else None,
        speed=clock.speed,
        step=clock.step_seconds,
    )


def decide_outcome(service: Service, parts: Mapping[str, Any]) -> None:
    """Decide how runs will end: see `Outcome`."""
    outcome = parse_model(Outcome, parts)
    service.store.add_outcome(outcome.rule.model_dump_json(by_alias=True), outcome.times)


def add_fault(service: Service, parts: Mapping[str, Any]) -> None:
    """Let something go wrong: see `Fault`."""
    service.store.add_fault(parse_model(Fault, parts))


def change_settings(service: Service, parts: Mapping[str, Any]) -> None:
    """Change how the emulator behaves: see `settings.Behaviour`."""
    service.change_settings(parts)


WRITE_ROUTES: Final[Mapping[str, Callable[[Service, Mapping[str, Any]], None]]] = {
    "POST clock": move_clock,
    "POST outcomes": decide_outcome,
    "POST faults": add_fault,
    "POST settings": change_settings,
}


def is_local(scope: Mapping[str, Any]) -> bool:
    """
    Tell whether this machine asks, and no page of the web in one of its browsers.

    Browsers name in `Origin` whose page sends a POST: only the emulator's own may. A name of
    another site that leads to this machine is in `Host`.
    """
    peer = scope.get("client")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "localhost")
    own = headers.get("origin") in {None, f"http://{host}"}
    name = re.sub(r":\d*$", "", host).strip("[]")
    return own and _is_loopback(name) and (not peer or _is_loopback(peer[0]))


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
        raise ValueError("the body must be JSON, in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("the body must be an object of JSON")  # noqa: TRY004 - all are ValueErrors
    return document
